"""`python -m config.devservers run`, from outside: nothing outlives it, however it ends."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from config.devservers import find_running
from config.devservers.servers import ephemeral_stack, running_stack
from tests.config.devservers.outside import children_of, processes_of, python, start, wait_for


class TestRun:
    @pytest.mark.slow
    def test_gives_the_command_its_servers_and_passes_on_its_status(self, tmp_path):
        code = (
            "import os, psycopg, redis; psycopg.connect(os.environ['DATABASE_OWNER_URL']); "
            "redis.Redis.from_url(os.environ['REDIS_URL']).ping(); raise SystemExit(7)"
        )

        run = start("config.devservers", "run", "--var", tmp_path, "--", *python(code))
        _, errors = run.communicate(timeout=20)

        assert run.returncode == 7, errors
        assert processes_of(tmp_path) == []
        assert not (tmp_path / "run.json").exists()

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_passes_a_signal_on_and_stops_everything(self, tmp_path, number):
        run = start("config.devservers", "run", "--ephemeral", "tried", "--var", tmp_path, "--", "sleep", "60")
        wait_for(lambda: run_json(tmp_path))
        wait_for(lambda: [words for words in children_of(run.pid).values() if words[0] == "sleep"])

        run.send_signal(number)
        run.communicate(timeout=20)

        assert run.returncode == 128 + number
        assert processes_of(tmp_path) == []
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.slow
    def test_leaves_no_process_and_all_data_when_it_is_killed(self, tmp_path):
        code = (
            "import os, psycopg, redis, time; "
            "c = psycopg.connect(os.environ['DATABASE_OWNER_URL'], autocommit=True); "
            "c.execute('CREATE TABLE kept AS SELECT 42 AS id'); print('written', flush=True); time.sleep(60)"
        )
        first = start("config.devservers", "run", "--var", tmp_path, "--", *python(code))
        assert first.stdout is not None
        assert first.stdout.readline() == "written\n"

        first.kill()
        first.wait()

        assert find_running(tmp_path) is None
        wait_for(lambda: not processes_of(tmp_path))
        with (
            running_stack(var=tmp_path, environment={}) as stack,
            psycopg.connect(stack.environment()["DATABASE_OWNER_URL"]) as connection,
        ):
            assert connection.execute("SELECT id FROM kept").fetchone() == (42,)
        first.communicate()

    @pytest.mark.slow
    def test_starts_again_at_once_after_it_was_killed(self, tmp_path):
        first = start("config.devservers", "run", "--var", tmp_path, "--", "sleep", "60")
        wait_for((tmp_path / "run.json").exists)

        first.kill()
        first.communicate()
        second = start("config.devservers", "run", "--var", tmp_path, "--", "true")
        _, errors = second.communicate(timeout=30)

        assert second.returncode == 0, errors

    @pytest.mark.slow
    def test_removes_what_a_killed_ephemeral_run_left(self, tmp_path):
        first = start("config.devservers", "run", "--ephemeral", "tried", "--var", tmp_path, "--", "sleep", "60")
        published = wait_for(lambda: run_json(tmp_path))
        assert published is not None
        left = published.parent
        first.kill()
        first.communicate()
        wait_for(lambda: not processes_of(left))

        with ephemeral_stack(name="tried", var=tmp_path, environment={"DATABASE_URL": "x", "REDIS_URL": "x"}):
            folders = list(tmp_path.iterdir())

        assert folders == [tmp_path / f"tried-{os.getpid()}"]

    @pytest.mark.slow
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_serves_an_ordinary_user_and_dies_with_it(self, tmp_path):
        """The interpreter may lie below a folder that only root enters: read access is lent, root's name is not."""
        var = tmp_path / "var"
        var.mkdir()
        os.chown(var, 65534, 65534)
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        code = (
            "import os, psycopg, time; psycopg.connect(os.environ['DATABASE_URL']); "
            "print(os.geteuid(), flush=True); time.sleep(60)"
        )
        run = start("config.devservers", "run", "--var", var, "--", *python(code), prefix=prefix)
        assert run.stdout is not None
        who = run.stdout.readline()
        owners = {path.stat().st_uid for path in (var / "postgres", var / "run.json", var / "valkey")}

        run.kill()
        _, errors = run.communicate()

        assert who == "65534\n", errors
        assert owners == {65534}
        wait_for(lambda: not processes_of(var))


def run_json(var: Path) -> Path | None:
    return next(iter(var.glob("*/run.json")), None)
