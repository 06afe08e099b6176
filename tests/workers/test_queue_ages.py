"""Ages of queues, and their way into the built-in time series."""

import time
from typing import Any

import pytest
from celery import current_app

from core import clock
from core.series import selectors, task_names
from core.series.families import QUEUE_AGE
from workers import presence
from workers.queues import BUILD, QUEUES, QUICK
from workers.tasks import series

pytestmark = pytest.mark.usefixtures("db", "redis_server")


def ages():
    return {queue.name: queue.oldest_seconds for queue in presence.look().queues}


def test_the_oldest_message_gives_its_queue_the_age():
    current_app.send_task(task_names.STORE)
    time.sleep(0.3)
    current_app.send_task(task_names.STORE)
    found = ages()

    assert 0.3 <= found[QUICK] < 60
    assert {name for name, age in found.items() if age == 0} == {queue.name for queue in QUEUES} - {QUICK}


def test_a_message_without_its_time_has_no_age():
    with current_app.producer_pool.acquire(block=True) as producer:
        channel: Any = producer.channel
        for body in ("{}", "[", '{"headers": {"sent_at": "x"}}'):
            channel.client.lpush(BUILD, body)
            assert ages()[BUILD] == 0
            channel.client.delete(BUILD)


def test_the_task_keeps_the_ages_and_what_processes_sent():
    series.write.run()

    minute = int(clock.now().timestamp()) // 60 * 60
    kept = selectors.sums(QUEUE_AGE, start=minute - 60, end=minute + 60, step=120)
    assert {each.labels for each in kept} == {(queue.name,) for queue in QUEUES}
