"""From the moment the call returned, a withdrawn item is in no answer: not of any kind, not from a cached list.

Items are hidden, deleted and given an end, one after the other, while readers in their own threads ask two web
processes for lists of all kinds. Whatever was asked after a withdrawal was answered must be without the item.
"""

import contextlib
import random
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest

from core import clock
from tests.core import web_process
from tests.drills.caller import Caller
from tests.recommendations.pipeline.generated import build_now, fill
from tests.size import sized

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]
PEOPLE, ITEMS, READERS = 60, 160, sized(short=2, long=3)
TRIALS = sized(short=100, long=1_000)
UNGUARDED = 20
WAYS = ("hide", "delete", "end")


@pytest.fixture
def acme(committed_db, cast):
    fill(cast.acme.tenant, people=PEOPLE, items=ITEMS)
    build_now(cast.acme.tenant)
    return cast.acme


def kinds(draw):
    """One question of each kind: name, method, path, body."""
    person, item = f"u{draw.randrange(PEOPLE):04d}", f"i{draw.randrange(ITEMS):04d}"
    visit = {"events": [{"item_id": f"i{draw.randrange(ITEMS):04d}"} for _ in range(3)]}
    given = {"item_ids": [f"i{number:04d}" for number in range(ITEMS)], "rank_consumed": True}
    people = {"user_ids": [f"u{draw.randrange(PEOPLE):04d}" for _ in range(5)], "limit": 20}
    return [
        ("for-you", "GET", f"/users/{person}/recommendations?limit=20", None),
        ("for-you, a long page", "GET", f"/users/{person}/recommendations?limit=100", None),
        ("for-you, filtered", "GET", f"/users/{person}/recommendations?category=kind%201", None),
        ("similar", "GET", f"/items/{item}/similar?limit=50", None),
        ("bought together", "GET", f"/items/{item}/frequently-bought-together?limit=50", None),
        ("popular", "GET", "/recommendations/popular?limit=100", None),
        ("trending", "GET", "/recommendations/trending?limit=100", None),
        ("latest", "GET", "/recommendations/latest?limit=100", None),
        ("session", "POST", "/recommendations/session", visit),
        ("batch", "POST", "/recommendations/batch", people),
        ("rank", "POST", f"/users/{person}/rank", given),
    ]


def shown(answer):
    """The ids of all items in an answer, of one list or of several."""
    lists = answer["results"] if "results" in answer else answer.get("data", [answer])
    return {entry["item_id"] for each in lists for entry in each["items"]}


class Watch:
    """Tracks withdrawn items and the answers that hold one although it was withdrawn before they were asked for."""

    def __init__(self):
        self._lock = threading.Lock()
        self._since = {}
        self.leaks = []
        self.answers = 0
        self.exposed: Counter[str] = Counter()

    def withdrawn(self, item_id):
        with self._lock:
            self._since[item_id] = time.monotonic()

    def about_to_return(self, item_id):
        with self._lock:
            del self._since[item_id]

    def ask(self, caller, kind, method, path, body):
        """Asks, and notes what must not have been there: withdrawn before the question and still."""
        with self._lock:
            gone = dict(self._since)
        answer = caller.call(method, path, body, but=404)  # for what is like an item that was deleted
        found = shown(answer) if answer else set()
        with self._lock:
            self.answers += 1
            self.leaks += [(kind, each) for each in found if each in gone and self._since.get(each) == gone[each]]
        return found


def withdraw(caller, item_id, way):
    if way == "hide":
        caller.call("PATCH", f"/items/{item_id}", {"hidden": True})
    elif way == "delete":
        caller.call("DELETE", f"/items/{item_id}")
    else:
        ended = clock.now() - timedelta(seconds=1)
        caller.call("PATCH", f"/items/{item_id}", {"available_until": ended.isoformat()})


def bring_back(caller, item_id):
    number = int(item_id[1:])
    caller.call("PUT", f"/items/{item_id}", {"title": f"Title {number}", "categories": [f"kind {number % 4}"]})


@contextlib.contextmanager
def reading(web, token, watch):
    """Readers at work meanwhile."""
    ended = threading.Event()
    failures = []

    def read(seed):
        draw = random.Random(seed)
        try:
            with Caller(web.port, token) as caller:
                while not ended.is_set():
                    for question in kinds(draw):
                        watch.ask(caller, *question)
        except Exception as error:  # noqa: BLE001  # whatever it is, the drill fails with it
            failures.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


def drill(web, acme, trials):
    """So many withdrawals, each of an item that lists of a kind hold at that moment, the kinds in turn."""
    watch, draw = Watch(), random.Random(5)
    with reading(web, acme.admin.token, watch), Caller(web.port, acme.admin.token) as caller:
        for trial in range(trials):
            questions = kinds(draw)
            target = questions[trial % len(questions)]
            found = sorted(watch.ask(caller, *target))
            if not found:
                continue
            item_id = found[draw.randrange(len(found))]
            watch.exposed[target[0]] += 1
            withdraw(caller, item_id, WAYS[trial % len(WAYS)])
            watch.withdrawn(item_id)
            for question in [target, *draw.sample(questions, 3)]:
                watch.ask(caller, *question)
            watch.about_to_return(item_id)
            bring_back(caller, item_id)
    return watch


def test_a_withdrawn_item_is_in_no_answer(acme, tmp_path):
    with web_process.serving(tmp_path, WEB_CONCURRENCY="2") as web:
        watch = drill(web, acme, TRIALS)

    print(f"{sum(watch.exposed.values())} withdrawals, {watch.answers} answers looked at; leaks: {watch.leaks[:5]}")
    assert len(watch.exposed) == len(kinds(random.Random(0))), f"kinds without a trial: {watch.exposed}"
    assert not watch.leaks


def test_without_the_guard_it_leaks(acme, tmp_path):
    """The proof that the drill can fail."""
    with web_process.serving(tmp_path, "tests.drills.lists.unguarded_reads:application", WEB_CONCURRENCY="2") as web:
        watch = drill(web, acme, UNGUARDED)

    print(f"{sum(watch.exposed.values())} withdrawals without the guard, {len(watch.leaks)} leaks")
    leaking = {kind for kind, _ in watch.leaks}
    assert leaking >= {"for-you", "similar", "popular", "trending", "session", "batch"}
