"""The form of a log line, as a process of its own writes it."""

import json
import os
import subprocess
import sys

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
"""


def lines():
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "LOG_JSON": "1", "LOG_LEVEL": "INFO"}
    environment["ALLOWED_HOSTS"] = "testserver"
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


class TestJsonLines:
    def test_each_line_is_an_object_with_the_id_of_its_request(self):
        ours, theirs, failed, request = lines()

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
