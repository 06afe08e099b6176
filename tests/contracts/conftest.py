"""One running service for all contract tests, and the cast that calls it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tests.cast import make_cast
from tests.core.web_process import WebProcess, serving
from tests.database import empty_database
from tests.workers.processes import CeleryProcess


@dataclass(frozen=True)
class Service:
    """A web process as in production, with acme and globex in its database."""

    web: WebProcess
    cast: SimpleNamespace

    @property
    def url(self) -> str:
        """Base URL of the server."""
        return f"http://127.0.0.1:{self.web.port}"


@pytest.fixture(scope="package")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """The process, for as long as contract tests run: it reads its tenants all the time, which nobody else expects."""
    more = {
        "PROCESS_REFRESH_SECONDS": "1",
        "TOKEN_RATE": "100000/m",
        "PUBLIC_RATE": "100000/m",
        "WEB_CONCURRENCY": "1",
    }
    with serving(tmp_path_factory.mktemp("contracts"), **more) as web:
        yield web


@pytest.fixture(scope="module")
def service(web: WebProcess, django_db_blocker: Any) -> Iterator[Service]:
    """The process with a cast of the module's own: committed, known to the process, taken away afterwards."""
    from core import redis

    redis.client().flushdb()
    with django_db_blocker.unblock():
        cast = make_cast(anew=True)  # the process begins a key of its own where it finds none
        _wait_until_known(web, cast)
        yield Service(web, cast)
        for connection in connections.all():
            connection.close()
        empty_database()
    redis.client().flushdb()


@pytest.fixture(scope="module")
def worker(service: Service) -> Iterator[CeleryProcess]:
    """A worker that takes in the service's imports."""
    options = ("-c", "1", "-Q", "docent.imports", "--without-gossip", "--without-mingle")
    # The folder is this test process's own already: the settings of tests must not add its name once more.
    own = {"STORAGE_DIR": str(settings.STORAGE_DIR), "PYTEST_XDIST_WORKER": ""}
    process = CeleryProcess("worker", *options, **own)
    yield process
    process.close()


def _wait_until_known(web: WebProcess, cast: SimpleNamespace) -> None:
    deadline = time.monotonic() + 10
    tokens = [member.admin.token for member in (cast.acme, cast.globex)]
    while any(web.ask("GET", "/api/v1/items", token=token).status != 200 for token in tokens):
        assert time.monotonic() < deadline, "the web process does not see the cast"
        time.sleep(0.05)
