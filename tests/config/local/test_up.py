"""The whole service as `make up` starts it: real web, worker, beat, PostgreSQL and Valkey."""

import http.client
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.devservers import find_running
from config.devservers.ports import free_port
from tests.config.devservers.outside import bare_environment, children_of, command_of, descendants_of, start, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.drill]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def up(request: pytest.FixtureRequest, tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    counted = tmp_path / "prometheus/web/counter_1.db"
    counted.parent.mkdir(parents=True)
    counted.write_bytes(b"of an earlier server")
    environment = bare_environment(PORT=str(port), WEB_CONCURRENCY="1", **getattr(request, "param", {}))
    process = start("config.local", "up", "--var", tmp_path, environment=environment)
    yield process
    if process.poll() is None:
        process.terminate()
    process.communicate(timeout=40)


class TestUp:
    @pytest.mark.drill
    def test_recovers_from_a_crash_and_leaves_nothing_when_it_is_killed(self, up, port, tmp_path):
        told = until_it_serves(up)
        running = find_running(tmp_path)
        web = child(up, "gunicorn")
        os.kill(web, signal.SIGKILL)
        restart = said(up)
        wait_for(lambda: child(up, "gunicorn") not in {0, web} and status(port) == 200)
        family = descendants_of(up.pid)
        commands = " ".join(" ".join(command_of(pid)) for pid in family)

        up.kill()
        up.wait()

        assert told[0] == "Starting PostgreSQL and Valkey.\n"
        assert f"Admin: http://127.0.0.1:{port}/admin/" in told[-2]
        assert "manage.py staff create" in told[-2]
        assert told[-1].startswith(f"Docent serves at http://127.0.0.1:{port} (logs: {tmp_path}/log)")
        assert running is not None
        assert running.web_url == f"http://127.0.0.1:{port}"
        assert restart.startswith("web ended with status 137; it is started again in 1 s.")
        assert [word for word in ("gunicorn", "worker", "beat", "postgres", "valkey") if word not in commands] == []
        assert not (tmp_path / "prometheus/web/counter_1.db").exists()
        wait_for(lambda: not [pid for pid in family if command_of(pid)])

    @pytest.mark.parametrize("up", [{"DRAIN_SECONDS": "2"}], indirect=True)
    def test_says_not_ready_before_it_stops_in_order(self, up, port, tmp_path):
        until_it_serves(up)
        family = descendants_of(up.pid)

        up.terminate()
        wait_for(lambda: status(port) == 503, seconds=2)
        output, errors = up.communicate(timeout=40)

        assert (up.returncode, output, errors) == (0, "Stopped.\n", "")
        assert len(family) >= 6
        assert [pid for pid in family if command_of(pid)] == []
        assert find_running(tmp_path) is None


def until_it_serves(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines that it says until then."""
    lines = [said(process)]
    while not lines[-1].startswith("Docent serves at"):
        lines.append(said(process))
    return lines


def said(process: subprocess.Popen[str]) -> str:
    """The next line on its standard output; its complaint, when it has ended instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line


def child(parent: subprocess.Popen[str], word: str) -> int:
    return next((pid for pid, words in children_of(parent.pid).items() if word in words), 0)


def status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
