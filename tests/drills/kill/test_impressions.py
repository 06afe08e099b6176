"""Counts impressions when web processes are stopped or killed: the table of docs/adr/0032, measured."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from core import clock, redis
from recommendations.attribution import impression_stream, stream_consumer
from tests.core import web_process
from tests.recommendations.lists import publish
from tests.size import sized

pytestmark = [pytest.mark.drill, pytest.mark.timeout(300)]
ITEMS = [f"i{n}" for n in range(30)]
URL = "/api/v1/users/p{}/recommendations?limit=3"
CALLERS = 4


@pytest.fixture
def acme(committed_db, cast):
    publish(cast.acme.tenant, people={f"p{n}": ITEMS for n in range(20)}, items=ITEMS)
    return cast.acme


def read(web, acme, count):
    """So many pages by some callers at once; how many were answered with 200."""
    answered, lock = [0], threading.Lock()

    def call(first):
        for number in range(first, count, CALLERS):
            status = web.ask("GET", URL.format(number % 20), token=acme.admin.token).status
            with lock:
                answered[0] += status == 200

    threads = [threading.Thread(target=call, args=(first,)) for first in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answered[0]


def counted():
    return stream_consumer.flush(now=clock.now(), seconds=60)


def workers_of(web):
    """The processes that serve."""
    children = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in children.split()]


def test_a_stop_loses_nothing_and_without_its_hook_everything(acme, tmp_path):
    """Nothing is sent before the stop: the interval is a minute."""
    pages = sized(short=60, long=2000)
    with web_process.serving(tmp_path, IMPRESSION_FLUSH_SECONDS="60") as web:
        answered = read(web, acme, pages)
        assert redis.client().xlen(impression_stream.KEY) == 0
    assert answered == pages
    assert counted() == pages

    guard_off = "tests.drills.kill.settings_without_wind_up"
    with web_process.serving(tmp_path, IMPRESSION_FLUSH_SECONDS="60", DJANGO_SETTINGS_MODULE=guard_off) as web:
        assert read(web, acme, pages) == pages
    lost = pages - counted()
    print(f"stop: {pages} pages, all counted; without the hook {lost} lost")
    assert lost == pages


def test_a_kill_loses_at_most_the_last_interval(acme, tmp_path):
    """At the usual interval of a tenth of a second; what was answered longer ago than that and a little is there."""
    rounds, before, after = sized(short=2, long=20), 40, 40
    with web_process.serving(tmp_path, WEB_CONCURRENCY="2") as web:
        lost = 0
        for _ in range(rounds):
            assert read(web, acme, before) == before
            time.sleep(1.0)
            read(web, acme, after)
            for pid in workers_of(web):
                os.kill(pid, signal.SIGKILL)
            found = counted()
            assert before <= found <= before + after
            lost += before + after - found
            _until_back(web)
    print(f"kill: {rounds} times, {lost} of {rounds * (before + after)} pages lost")


def _until_back(web):
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            if web.ask("GET", "/readyz").status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("not back")
