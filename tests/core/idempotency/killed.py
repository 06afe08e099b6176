"""A server process in miniature that is killed in the middle of a request.

Forked from a fork server that has loaded this module, so that each costs milliseconds.
"""

import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()

from django.db import connections
from django.test import override_settings

from tests.core.idempotency import views
from tests.core.idempotency.conftest import client, post

LEASE_SECONDS = 0.2


def kill_at(stage: str, *, path: str, key: str) -> None:
    """Sends the request from a process of its own, which dies at the stage. Returns when it is dead."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["pytest", __name__])
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=[theirs, str(connections["default"].settings_dict["NAME"]), stage, path, key]
    )
    process.start()
    theirs.close()
    try:
        assert ours.poll(20), "the process never reached the stage"
        assert ours.recv() == stage
    finally:
        process.kill()
        process.join()
        ours.close()
    assert process.exitcode == -signal.SIGKILL
    process.close()


def _serve(parent: Connection, database: str, stage: str, path: str, key: str) -> None:
    def at(reached: str) -> None:
        if reached == stage:
            parent.send(stage)
            signal.pause()

    connections["default"].settings_dict["NAME"] = database
    setattr(views, "at_stage", at)  # noqa: B010  # as a test's monkeypatch does
    with override_settings(ROOT_URLCONF=views.__name__, API_DEADLINE_SECONDS=LEASE_SECONDS):
        post(client(), path, key=key)
