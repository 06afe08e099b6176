"""Children are restarted when they crash, named when they fail, and gone when we are."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.local.programs import Program
from config.local.supervisor import ProgramFailed, Supervisor
from tests.config.devservers.outside import ROOT, processes_of, wait_for


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(log=tmp_path / "log", environment=os.environ, say=said.append, stop_seconds=0.5)
    yield supervisor
    supervisor.stop()


def program(code: str, *words: object, name: str = "web") -> Program:
    return Program(name=name, arguments=("-c", code, *map(str, words)))


COUNT_AND_CRASH = "import sys; open(sys.argv[1], 'a').write('x'); print('counted'); sys.exit(3)"
SLEEP = "import time; time.sleep(60)"
IGNORE_AND_SLEEP = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + SLEEP
)
LEAVE_A_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]])"


class TestSupervisor:
    def test_restarts_what_crashed_after_a_growing_delay(self, supervisor, said, tmp_path):
        counted = tmp_path / "counted"
        supervisor.start(program(COUNT_AND_CRASH, counted))

        begin = time.monotonic()
        while len(said) < 2 and time.monotonic() - begin < 15:
            supervisor.restart_ended()
            time.sleep(0.02)

        assert time.monotonic() - begin >= 1.0
        assert counted.read_text() == "xx"
        assert "web ended with status 3; it is started again in 1 s." in said[0]
        assert "it is started again in 2 s." in said[1]

    def test_leaves_what_runs_alone(self, supervisor, said):
        supervisor.start(program(SLEEP))

        supervisor.restart_ended()
        supervisor.require_all()

        assert said == []

    def test_kills_what_a_crashed_child_left_before_it_starts_again(self, supervisor, said, tmp_path):
        supervisor.start(program(LEAVE_A_CHILD, SLEEP, tmp_path))
        wait_for(lambda: any(SLEEP in words and "subprocess" not in words for words in processes_of(tmp_path)))

        wait_for(lambda: supervisor.restart_ended() or said)

        wait_for(lambda: not processes_of(tmp_path), seconds=0.9)

    def test_shows_the_end_of_the_log_when_a_child_fails_at_the_start(self, supervisor, tmp_path):
        supervisor.start(program(COUNT_AND_CRASH, tmp_path / "counted"))
        wait_for((tmp_path / "counted").exists)

        with pytest.raises(ProgramFailed, match=r"web ended with status 3\. The end of .*web\.log:\ncounted"):
            wait_for(supervisor.require_all)

    def test_runs_a_step_to_its_end(self, supervisor, tmp_path):
        supervisor.run(program("print('done')", name="migrate"))

        assert (tmp_path / "log/migrate.log").read_text() == "done\n"

    def test_fails_with_a_step_that_fails(self, supervisor):
        with pytest.raises(ProgramFailed, match=r"migrate ended with status 1(.|\n)*ZeroDivisionError"):
            supervisor.run(program("1 / 0", name="migrate"))

    def test_breaks_a_step_off_when_a_child_fails_meanwhile(self, supervisor, tmp_path):
        supervisor.start(program(COUNT_AND_CRASH, tmp_path / "counted", name="worker"))

        with pytest.raises(ProgramFailed, match="worker ended with status 3"):
            supervisor.run(program(SLEEP, tmp_path, name="demo"))

        assert processes_of(tmp_path) == []

    def test_stops_all_and_kills_who_does_not_listen(self, supervisor, tmp_path):
        supervisor.start(program(SLEEP, tmp_path))
        supervisor.start(program(IGNORE_AND_SLEEP, tmp_path, name="worker"))
        wait_for(lambda: "deaf" in (tmp_path / "log/worker.log").read_text())

        begin = time.monotonic()
        supervisor.stop()

        assert 0.5 <= time.monotonic() - begin < 5
        assert processes_of(tmp_path) == []

    def test_takes_its_children_along_when_it_is_killed(self, tmp_path):
        code = (
            "import os, pathlib, time; from config.local.programs import Program; "
            "from config.local.supervisor import Supervisor; "
            f"folder = pathlib.Path({str(tmp_path)!r}); "
            "supervisor = Supervisor(log=folder, environment=os.environ, say=print); "
            f"supervisor.start(Program(name='web', arguments=('-c', {IGNORE_AND_SLEEP!r}, str(folder)))); "
            "time.sleep(60)"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        wait_for(lambda: (tmp_path / "web.log").exists() and "deaf" in (tmp_path / "web.log").read_text())

        parent.kill()
        parent.wait()

        wait_for(lambda: not processes_of(tmp_path))
