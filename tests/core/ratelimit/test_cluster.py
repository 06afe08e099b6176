"""All of it works on a real cluster's node, through the client for clusters."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from redis import Redis

from config.devservers.binaries import find_valkey
from config.devservers.ports import free_port
from core import clock, redis
from core.ratelimit import Outcome, Quota, billing_periods, keys, quota, revocation_markers
from core.ratelimit.quota import Usage
from core.ratelimit.revocation_markers import Revoked
from tests.core.own_valkey import OwnServer
from tests.core.ratelimit.calls import ACME, GLOBEX, ask, know_revocations, limits


class Cluster(OwnServer):
    """A cluster of one node."""

    def _configuration(self) -> str:
        return super()._configuration() + f"cluster-enabled yes\ncluster-port {free_port()}\n"


@pytest.fixture
def _cluster(tmp_path: Path, until) -> Iterator[None]:
    server = Cluster(
        program=find_valkey(), data=tmp_path / "valkey", log=tmp_path / "log", password="secret", durable=False
    )
    server.launch()
    try:
        server.wait_ready()
        with Redis.from_url(server.url()) as node:
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: node.execute_command("CLUSTER INFO")["cluster_state"] == "ok", seconds=10)
        with override_settings(REDIS_URL=f"cluster://:secret@127.0.0.1:{server.port}"):
            redis.client.cache_clear()
            yield
            redis.client().close()
    finally:
        redis.client.cache_clear()
        server.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("_cluster")
def test_everything_works_on_a_cluster():
    this_month = billing_periods.month_at(clock.now()).name
    know_revocations()
    asked = limits(quota=Quota(10))
    reads = [("get", keys.tag(ACME) + "a"), ("hgetall", keys.tag(ACME) + "b")]

    assert ask(limits=asked, reads=reads, cost=9).values == (None, {})
    assert ask(limits=asked, cost=2).outcome is Outcome.QUOTA_EXCEEDED
    assert ask(limits=asked, tenant_id=GLOBEX).allowed
    drained = list(quota.drain(tenant_ids=[ACME, GLOBEX]))
    assert drained == [Usage(ACME, this_month, 9), Usage(GLOBEX, this_month, 1)]
    assert quota.mark_written(drained) == 2
    assert quota.restore(tenant_id=GLOBEX, month=this_month, used=7) == 7
    assert quota.add(tenant_id=GLOBEX, month=this_month, units=1) == 8
    revocation_markers.load(tenant_id=ACME, revoked=[Revoked("client", 60, "c1"), Revoked("token", 60, "t9")])
    assert ask().outcome is Outcome.REVOKED
    assert revocation_markers.withdraw(tenant_id=ACME, revoked=Revoked("client", 60, "c1"))
    assert ask().allowed
