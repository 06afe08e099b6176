"""Handing work to the broker: after the commit, bounded, never an error."""

import time

import pytest
from celery import Celery
from django.db import transaction
from kombu import pools

from core import queue, redis
from core.metrics import ENQUEUE_FAILURES
from tests.core import sockets
from workers.celery import app as ours

TASK = "test.nobody_listens"


@pytest.fixture(autouse=True)
def _closed_breaker():
    queue.breaker.record_success()
    yield
    queue.breaker.record_success()


@pytest.fixture
def broker(settings):
    """`broker(url)`: an application whose web process would send there."""
    apps = []

    def use(url: str) -> Celery:
        settings.CELERY_BROKER_URL = url
        app = Celery("test", broker=redis.broker_url(url), set_as_current=True)
        app.conf.update(broker_transport_options=redis.broker_options(worker=False), task_default_queue="test.queue")
        apps.append(app)
        return app

    yield use
    pools.reset()  # kombu keeps them by URL, whichever application asks
    for app in apps:
        app.close()
    vars(ours)["_pool"] = vars(ours.amqp)["_producer_pool"] = None
    ours.set_current()


def failures():
    return ENQUEUE_FAILURES.labels(TASK)._value.get()


def waiting(redis_server):
    return redis_server.llen("test.queue")


class TestEnqueue:
    def test_sends_at_once_outside_a_transaction(self, committed_db, redis_server, broker, settings):
        broker(settings.REDIS_URL)

        queue.enqueue(TASK, tenant_id=1)

        assert waiting(redis_server) == 1

    def test_sends_after_the_commit_and_not_before(self, committed_db, redis_server, broker, settings):
        broker(settings.REDIS_URL)
        with transaction.atomic():
            queue.enqueue(TASK, tenant_id=1)
            assert waiting(redis_server) == 0

        assert waiting(redis_server) == 1

    def test_sends_nothing_after_a_rollback(self, committed_db, redis_server, broker, settings):
        broker(settings.REDIS_URL)

        def fail_afterwards() -> None:
            with transaction.atomic():
                queue.enqueue(TASK, tenant_id=1)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_afterwards()

        assert waiting(redis_server) == 0

    def test_the_message_carries_the_arguments_and_the_request_id(self, committed_db, redis_server, broker, settings):
        import base64
        import json

        import structlog

        broker(settings.REDIS_URL)
        with structlog.contextvars.bound_contextvars(request_id="abc-123"):
            queue.enqueue(TASK, tenant_id=7)

        message = json.loads(redis_server.lindex("test.queue", 0))
        assert message["headers"]["task"] == TASK
        assert message["headers"]["request_id"] == "abc-123"
        assert 0 <= time.time() - message["headers"]["sent_at"] < 60
        assert json.loads(base64.b64decode(message["body"]))[1] == {"tenant_id": 7}


class TestOutage:
    @pytest.mark.parametrize("kind", ["refusing", "unreachable", "black hole"])
    def test_costs_two_hundred_milliseconds_once_and_no_error(self, committed_db, broker, kind):
        servers = {"unreachable": sockets.unreachable, "black hole": sockets.black_hole}
        before = failures()
        if kind == "refusing":
            seconds = self._enqueue_ten(broker(f"redis://127.0.0.1:{sockets.closed_port()}/0"))
        else:
            with servers[kind]() as server:
                seconds = self._enqueue_ten(broker(server.url))

        assert seconds < 1.0  # ten times would be two seconds
        assert failures() == before + 10

    def _enqueue_ten(self, app):
        _ = app.amqp.producer_pool  # imports, which `warm_up` does in a web process
        started = time.perf_counter()
        with transaction.atomic():
            for _ in range(10):
                queue.enqueue(TASK)
        return time.perf_counter() - started

    def test_sends_again_when_the_broker_is_back(self, committed_db, redis_server, broker, settings):
        alive = settings.REDIS_URL
        broker(f"redis://127.0.0.1:{sockets.closed_port()}/0")
        queue.enqueue(TASK)
        broker(alive)
        queue.breaker.timer, before = (lambda: time.monotonic() + 1.1), queue.breaker.timer
        try:
            queue.enqueue(TASK)
        finally:
            queue.breaker.timer = before

        assert waiting(redis_server) == 1

    def test_a_connection_that_the_broker_dropped_loses_no_task(self, committed_db, redis_server, broker, settings):
        broker(settings.REDIS_URL)
        queue.enqueue(TASK)
        redis_server.client_kill_filter(skipme=True)
        time.sleep(0.05)

        queue.enqueue(TASK)

        assert waiting(redis_server) == 2
