"""The sign-off's mix of requests on the whole service: the snapshot of the built-in series agrees with the generator.

70 % reads of lists, 20 % reads of objects, 10 % writes with idempotency keys, 60 requests a second.
"""

import json
import random
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest
from django.core.management import call_command

from core.series import selectors
from core.slo.sources import MINUTE, BuiltInSource, Window
from tests.core import web_process
from tests.recommendations.lists import publish
from tests.size import LONG, sized
from tests.traffic import Request, availability, p95, send
from tests.workers import processes
from workers.queues import QUEUES

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500)]
RATE, CALLERS = 60, 16
ITEMS = [f"i{number}" for number in range(60)]
USERS = [f"u{number}" for number in range(200)]
READS = ("user-recommendations", "item-similar", "recommendations-popular")
API = "/api/v1"


@pytest.fixture
def acme(committed_db, cast):
    lists = {user: ITEMS[number % 30 :][:30] for number, user in enumerate(USERS)}
    similar = {item: [other for other in ITEMS if other != item][:20] for item in ITEMS}
    publish(cast.acme.tenant, people=lists, items=ITEMS, popular=ITEMS[:30], similar=similar)
    return cast.acme


def sign_off_mix(token, seed=11):
    """A maker of requests for `send`; their kinds are the names of their routes."""
    drawn = random.Random(seed)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def make(_number):
        user, item, part = drawn.choice(USERS), drawn.choice(ITEMS), drawn.random()
        if part < 0.6:
            return Request("user-recommendations", "GET", f"{API}/users/{user}/recommendations", headers)
        if part < 0.65:
            return Request("item-similar", "GET", f"{API}/items/{item}/similar", headers)
        if part < 0.7:
            return Request("recommendations-popular", "GET", f"{API}/recommendations/popular", headers)
        if part < 0.9:
            return Request("item", "GET", f"{API}/items/{item}", headers)
        body = json.dumps({"user_id": user, "item_id": item, "type": "view"})
        keyed = {**headers, "Idempotency-Key": str(uuid.UUID(int=drawn.getrandbits(128)))}
        return Request("events", "POST", f"{API}/events", keyed, body)

    return make


def _queues(window):
    return list(selectors.sums("queue_age", start=window.start, end=window.end, step=window.end - window.start))


def stored_requests(window):
    return sum(
        each.value
        for each in BuiltInSource().increases("requests", window, step=MINUTE)
        if each.labels["route"] in (*READS, "item", "events")
    )


def test_the_snapshot_agrees_with_the_generator(acme, tmp_path):
    seconds = sized(short=60, long=900)
    with web_process.serving(tmp_path, WEB_CONCURRENCY="2") as web, processes.worker(), processes.beat():
        start = int(time.time()) // MINUTE * MINUTE
        outcomes = send(web.port, sign_off_mix(acme.admin.token), rate=RATE, seconds=seconds, callers=CALLERS)
        end = (int(time.time()) // MINUTE + 1) * MINUTE
        window = Window(start, end)
        _wait(lambda: stored_requests(window) >= len(outcomes))
        _wait(lambda: len(_queues(window)) == len(QUEUES))
    call_command(
        "sli_snapshot",
        window=f"{window.minutes}m",
        until=datetime.fromtimestamp(end, UTC).isoformat(),
        out=tmp_path / "snapshot",
        simulated=True,
    )
    taken = json.loads(next((tmp_path / "snapshot").glob("*.json")).read_text(encoding="utf-8"))

    statuses = Counter((each.kind, each.method) for each in outcomes)
    errors = Counter((each.kind, each.method) for each in outcomes if each.status >= 500)
    assert not [each for each in outcomes if each.status == 0]
    measured = {(each["route"], each["method"]): each for each in taken["endpoints"]}
    assert {name: each["requests"] for name, each in measured.items()} == statuses
    assert {name: each["errors"] for name, each in measured.items()} == {name: errors[name] for name in measured}
    (objective,) = [each for each in taken["objectives"] if each["name"] == "availability"]
    assert objective["good_share"] == pytest.approx(availability(outcomes), abs=0.001)
    assert taken["kind"] == "simulated"
    assert taken["window"]["gaps"] == []
    assert sum(each["lists"] for each in taken["lists"]) == sum(each.kind in READS for each in outcomes)
    assert set(taken["queues"]) == {queue.name for queue in QUEUES}
    read = p95([each for each in outcomes if each.kind in READS])
    print(f"{len(outcomes)} requests, {availability(outcomes):.4%} good; reads p95 {read * 1000:.1f} ms by the client,")
    print(f"{taken['reads']['p95'] * 1000:.1f} ms by the snapshot; Redis p95 {taken['redis']['p95'] * 1000:.2f} ms")
    # The client waits for what the server does, and for the server to take its request up.
    assert taken["reads"]["p95"] <= read * 1.1
    if LONG:
        assert taken["reads"]["p95"] == pytest.approx(read, rel=0.1, abs=0.005)
        assert taken["reads"]["p95"] <= 0.078
        assert objective["good_share"] >= 0.999


def _wait(condition, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.5)
