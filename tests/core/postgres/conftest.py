"""A proxy in front of PostgreSQL that can be stopped."""

from typing import Any

import pytest
from django.db import connections

from core.postgres.guard import guard
from tests.core import stopped_proxy


@pytest.fixture
def proxy(committed_db):
    """The app's connections come from a pool, through a proxy that can be stopped."""
    alias: Any = connections["default"]
    alias.close()
    before = {**alias.settings_dict, "OPTIONS": dict(alias.settings_dict["OPTIONS"])}
    with stopped_proxy.in_front_of(before["HOST"], before["PORT"]) as running:
        alias.settings_dict["OPTIONS"]["pool"] = {"min_size": 2, "max_size": 6, "timeout": 2}
        alias.settings_dict |= {"HOST": "127.0.0.1", "PORT": running.port, "CONN_MAX_AGE": 0}
        guard.reset()
        yield running
        running.go_on()
        alias.close()
        alias.close_pool()
        alias.settings_dict.update(before)
        guard.reset()
