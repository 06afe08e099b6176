"""Real Sentinels and a real cluster, from the server that the tests run with anyway."""

import contextlib

import pytest
import redis as redis_py

from config.devservers.ports import LOOPBACK, free_port
from core import redis
from core.redis import RedisUnavailable
from tests.core.redis.servers import server, wait_until

pytestmark = pytest.mark.journey


class TestSentinel:
    @pytest.mark.slow
    def test_a_killed_master_is_replaced_without_a_restart(self, tmp_path, redis_at):
        with contextlib.ExitStack() as stack:
            port, master = stack.enter_context(server(tmp_path / "master"))
            replica, _ = stack.enter_context(server(tmp_path / "replica", f"replicaof {LOOPBACK} {port}"))
            watcher, _ = stack.enter_context(
                server(
                    tmp_path / "sentinel",
                    f"sentinel monitor main {LOOPBACK} {port} 1",
                    "sentinel down-after-milliseconds main 500",
                    "sentinel failover-timeout main 3000",
                    sentinel=True,
                )
            )
            wait_until(lambda: redis_py.Redis(port=watcher).execute_command("SENTINEL", "REPLICAS", "main"))
            wait_until(lambda: redis_py.Redis(port=replica).info("replication")["master_link_status"] == "up")
            redis_at(f"sentinel://{LOOPBACK}:{watcher}/main/1")
            redis.warm_up(2)
            redis.call("test", lambda client: client.set("kept", "yes"))
            wait_until(lambda: redis_py.Redis(port=replica, db=1).get("kept") == b"yes")

            master.kill()
            back = wait_until(lambda: redis.call("test", lambda client: client.set("new", "yes")))

            assert back < 10
            assert redis.read("test", lambda client: client.get("kept")) == b"yes"
            assert redis.client().connection_pool.master_address == (LOOPBACK, replica)

    def test_a_sentinel_that_is_away_is_unavailability(self, redis_at):
        redis_at(f"sentinel://{LOOPBACK}:{free_port()}/main/0")

        with pytest.raises(RedisUnavailable, match="No master found"):
            redis.call("test", lambda client: client.ping())


class TestCluster:
    @pytest.mark.slow
    def test_answers_like_a_single_server(self, tmp_path, redis_at):
        with server(
            tmp_path / "node", "cluster-enabled yes", "cluster-require-full-coverage no", f"cluster-port {free_port()}"
        ) as (port, process):
            node = redis_py.Redis(port=port)
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO"))
            redis_at(f"cluster://{LOOPBACK}:{port}")
            redis.warm_up()

            pipelined = redis.call(
                "test", lambda client: client.pipeline(transaction=False).set("{t:1}:a", "x").get("{t:1}:a").execute()
            )

            assert pipelined == [True, b"x"]
            process.kill()
            with pytest.raises(RedisUnavailable):
                redis.read("test", lambda client: client.get("{t:1}:a"))

    def test_a_cluster_that_is_away_at_the_start_is_unavailability(self, redis_at):
        redis_at(f"cluster://{LOOPBACK}:{free_port()}")

        with pytest.raises(RedisUnavailable):
            redis.call("test", lambda client: client.ping())
