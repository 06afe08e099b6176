"""The form of a log line, as a process of its own writes it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import logging, django
django.setup()
import structlog
from django.conf import settings
from django.test import Client
log = structlog.get_logger("ours")
with structlog.contextvars.bound_contextvars(request_id="abc"):
    log.warning("ours_event", number=1)
    logging.getLogger("theirs").warning("theirs %s", "text")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("failed")
Client().get("/healthz", headers={"X-Request-ID": "request-0001"})
logging.getLogger("theirs").debug("too quiet")
logging.getLogger("django.request").error("Internal Server Error: %s", "/users/ann", extra={"request": None})
"""


def lines():
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "LOG_JSON": "1", "LOG_LEVEL": "INFO"}
    environment |= {"ALLOWED_HOSTS": "testserver", "LOG_READ_SAMPLE": "1"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


class TestJsonLines:
    @pytest.mark.slow
    def test_each_line_is_an_object_with_the_id_of_its_request(self):
        ours, theirs, failed, request, broken = lines()

        assert {**ours}.items() >= {
            "event": "ours_event",
            "number": 1,
            "level": "warning",
            "logger": "ours",
            "request_id": "abc",
        }.items()
        assert ours["timestamp"].endswith("Z")
        assert (theirs["event"], theirs["request_id"], theirs["logger"]) == ("theirs text", "abc", "theirs")
        assert "ZeroDivisionError" in failed["exception"]
        assert (request["event"], request["request_id"]) == ("request", "request-0001")
        assert (request["route"], request["status"], request["method"]) == ("healthz", 200, "GET")
        assert request["milliseconds"] > 0
        assert broken["event"] == "Internal Server Error: unmatched", "a path may name a person"


class TestOnATerminal:
    CODE = "import structlog; log = structlog.get_logger('ours'); log.info('done'); log.warning('odd', number=1)"

    @pytest.mark.slow
    def test_a_command_says_what_went_wrong_in_plain_lines_and_nothing_else(self):
        written = self.on_a_terminal()

        assert "odd" in written
        assert "number=1" in written
        assert "{" not in written
        assert "done" not in written

    @pytest.mark.slow
    def test_a_setting_brings_everything_back_as_json(self):
        done, odd = [json.loads(line) for line in self.on_a_terminal(LOG_JSON="true", LOG_LEVEL="INFO").splitlines()]

        assert (done["event"], odd["event"], odd["number"]) == ("done", "odd", 1)

    def on_a_terminal(self, **variables):
        """Return what the command writes to its standard error, which is a terminal."""
        ours, theirs = pty.openpty()
        environment = {key: value for key, value in os.environ.items() if key not in ("LOG_JSON", "LOG_LEVEL")}
        environment |= {"DJANGO_SETTINGS_MODULE": "config.settings.dev", **variables}
        try:
            command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", self.CODE]
            subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
            return os.read(ours, 100_000).decode()
        finally:
            os.close(theirs)
            os.close(ours)
