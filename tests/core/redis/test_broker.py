"""Celery's broker: URL forms and transport options."""

import ssl
from typing import Any

import pytest

from core import redis


class TestBrokerUrl:
    @pytest.mark.parametrize(
        ("given", "kombu"),
        [
            ("redis://:pw@a:1/2", "redis://:pw@a:1/2"),
            ("redis://a/1?db=2&socket_timeout=3", "redis://a:6379/2"),
            ("rediss://:p%40@a?ssl_ca_certs=/ca.pem", "rediss://:p%40@a:6379/0"),
            ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
            ("unix://me:p%40@/run/redis.sock?db=3", "redis+socket://me:p%40@/run/redis.sock?virtual_host=3"),
            ("sentinel://:p%40@a:1,[::1]:2/m/3", "sentinel://:p%40@a:1/3;sentinel://:p%40@[::1]:2/3"),
        ],
    )
    def test_is_as_kombu_reads_it(self, given, kombu):
        assert redis.broker_url(given) == kombu

    def test_a_cluster_is_refused(self):
        with pytest.raises(ValueError, match="server of its own"):
            redis.broker_url("cluster://a:1")


class TestBrokerTls:
    @pytest.mark.parametrize("url", ["redis://a", "unix:///run/redis.sock", "sentinel://a/m"])
    def test_is_none_without_tls(self, url):
        assert redis.broker_tls(url) is None

    @pytest.mark.parametrize("url", ["rediss://a/0", "sentinels://a/m/0"])
    def test_verifies_certificates_unless_told_otherwise(self, url):
        assert redis.broker_tls(url) == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        assert redis.broker_tls(f"{url}?ssl_cert_reqs=none&ssl_ca_certs=/ca.pem") == {
            "ssl_cert_reqs": ssl.CERT_NONE,
            "ssl_ca_certs": "/ca.pem",
        }


class TestBrokerOptions:
    def test_a_web_process_waits_as_little_as_for_redis_and_never_again(self):
        options = redis.broker_options(worker=False)

        assert (options["socket_connect_timeout"], options["socket_timeout"]) == (0.1, 0.2)
        assert (options["max_retries"], options["retry_on_timeout"]) == (0, False)

    def test_a_worker_waits_for_its_broker(self):
        options = redis.broker_options(worker=True)

        assert options["socket_timeout"] > 10
        assert "max_retries" not in options

    @pytest.mark.parametrize("worker", [True, False])
    def test_tasks_of_a_killed_worker_come_back_when_their_visibility_ends(self, worker, settings):
        options = redis.broker_options(worker=worker)

        assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (2, 1)
        assert options["visibility_timeout"] == settings.BROKER_VISIBILITY_SECONDS

    def test_names_the_master_to_sentinels(self, settings):
        settings.CELERY_BROKER_URL = "sentinel://a:1/mymaster/0"

        options = redis.broker_options(worker=True)

        assert options["master_name"] == "mymaster"
        assert options["sentinel_kwargs"]["socket_timeout"] == 0.5

    def test_every_option_reaches_kombu_s_channel(self, settings):
        from kombu import Connection

        with Connection(
            redis.broker_url(settings.CELERY_BROKER_URL), transport_options=redis.broker_options(worker=False)
        ) as connection:
            channel: Any = connection.default_channel
            parameters = channel._connparams()

        assert parameters["socket_timeout"] == 0.2
        assert parameters["socket_connect_timeout"] == 0.1
        assert parameters["socket_keepalive"] is True
        assert parameters["health_check_interval"] == 15
