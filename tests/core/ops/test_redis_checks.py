"""System checks that ask the Redis servers."""

import pytest

from config.devservers.ports import LOOPBACK, free_port
from core.ops import redis_checks
from tests.core.redis.servers import server


class TestEviction:
    @pytest.mark.parametrize("name", ["REDIS_URL", "CELERY_BROKER_URL"])
    def test_a_server_that_evicts_is_told_by_the_name_of_its_setting(self, tmp_path, settings, name):
        with server(tmp_path / "a", "maxmemory 50mb", "maxmemory-policy allkeys-lru") as (port, _):
            setattr(settings, name, f"redis://{LOOPBACK}:{port}/0")

            found = redis_checks.nothing_is_evicted(databases=["default"])

        assert [(each.id, name in each.msg, "allkeys-lru" in each.msg) for each in found] == [
            (redis_checks.EVICTS, True, True)
        ]

    def test_a_server_that_keeps_everything_is_in_order(self, redis_server):
        assert redis_checks.nothing_is_evicted(databases=["default"]) == []

    @pytest.mark.parametrize("url", ["redis://{0}:{1}/0", "http://nonsense", ""])
    def test_a_server_that_cannot_be_asked_is_another_check_s(self, settings, url):
        url = url.format(LOOPBACK, free_port())
        settings.REDIS_URL = settings.CELERY_BROKER_URL = url

        assert redis_checks.nothing_is_evicted(databases=["default"]) == []

    def test_does_not_connect_where_a_check_may_not(self, settings):
        settings.REDIS_URL = "redis://10.255.255.1:6379/0"

        assert redis_checks.nothing_is_evicted() == []
