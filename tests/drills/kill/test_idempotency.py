"""kill -9 of the web process in the middle of a write: the client's retry ends with exactly one effect."""

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from accounts.tenancy import scope
from core.idempotency.models import IdempotencyKey
from recommendations.catalog.models import EndUser
from recommendations.interactions.models import Interaction
from tests.core import sockets, web_process
from tests.size import sized

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(300)]
LEASE_SECONDS = 2  # and the deadline of a request
# Kills: 20 in all, beside those of test_idempotent_operations.
EFFECTED, COMMITTED, ANYWHERE = sized(short=2, long=7), sized(short=2, long=7), sized(short=2, long=6)
REQUEST_SECONDS = 0.25
DEADLINE_SECONDS = 30.0
BREAKER_SECONDS = 1.2  # a process that has found its broker away asks it nothing for a second (core.queue)


@pytest.fixture
def web(cast, tmp_path):
    """One process that takes requests. Its broker never answers: after a commit it waits 200 ms with its answer."""
    with (
        sockets.black_hole() as broker,
        web_process.serving(
            tmp_path,
            WEB_CONCURRENCY="1",
            API_DEADLINE_SECONDS=str(LEASE_SECONDS),
            CELERY_BROKER_URL=broker.url,
        ) as running,
    ):
        yield running


class Client:
    """Sends events that nothing but their key tells apart, one person and item for each."""

    def __init__(self, web, member):
        self._web, self._member = web, member

    def send(self, name, *, key=True):
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": name} if key else {})
        body = json.dumps({"user_id": name, "item_id": name, "type": "view"})
        return self._web.ask("POST", "/api/v1/events", token=self._member.admin.token, body=body, **headers)

    def retry(self, name, *, key=True):
        """Again until it is served, as a client does whose connection broke."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = self.send(name, key=key)
            except (OSError, http.client.HTTPException):
                pass  # the process that follows is not there yet
            else:
                if answer.status not in {409, 503}:
                    return answer
            time.sleep(0.05)
        raise AssertionError("not served in time")

    def interrupted(self, name, when, *, key=True):
        """Sends, and kills the process as soon as `when` returns. True if the client got no answer."""
        answers = []

        def send():
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers.append(self.send(name, key=key))

        (worker,) = self._workers()
        sender = threading.Thread(target=send)
        sender.start()
        when()
        os.kill(worker, signal.SIGKILL)
        sender.join()
        self._wait_for_another(worker)
        return not answers

    def _workers(self):
        server = self._web.process.pid
        return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]

    def _wait_for_another(self, worker):
        wait_until(lambda: self._workers() not in ([], [worker]))
        self._answers()

    def _answers(self):
        def asked():
            try:
                return self._web.ask("GET", "/healthz").status == 200
            except (OSError, http.client.HTTPException):
                return False

        wait_until(asked)


def wait_until(holds):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def somebody_waits_for_a_row():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


class Drill:
    """Reads a tenant's rows, and chooses the moments at which the process is killed."""

    def __init__(self, tenant):
        self._tenant = tenant

    def effects(self, name):
        with scope.tenant(self._tenant.pk):
            return Interaction.objects.filter(item__item_id=name).count()

    def state(self, name):
        with scope.tenant(self._tenant.pk):
            return IdempotencyKey.objects.filter(key=name).values_list("state", flat=True).first()

    def interrupted_inside_the_effect(self, client, name):
        """Killed in its transaction: it waits for the person's row, which this process holds."""
        with scope.tenant(self._tenant.pk):
            EndUser.objects.create(tenant_id=self._tenant.pk, user_id=name)
        with scope.tenant(self._tenant.pk):
            assert EndUser.objects.select_for_update().get(user_id=name)
            return client.interrupted(name, lambda: wait_until(somebody_waits_for_a_row))


def test_kills_in_the_middle_of_a_write(web, cast):
    drill, client = Drill(cast.acme.tenant), Client(web, cast.acme)
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    found: list[tuple[str, str | None]] = []

    def check(stage, name):
        """One effect after any number of retries."""
        found.append((stage, drill.state(name)))
        first, again = client.retry(name), client.retry(name)
        assert first.status == again.status == 201
        assert first.body == again.body
        assert again.headers["idempotent-replayed"] == "true"
        assert ("idempotent-replayed" in first.headers) == (found[-1][1] == "done")
        assert drill.effects(name) == 1

    for number in range(EFFECTED):
        assert drill.interrupted_inside_the_effect(client, f"e{number}")
        assert drill.effects(f"e{number}") == 0
        check("effect", f"e{number}")
    for number in range(COMMITTED):
        name = f"c{number}"
        time.sleep(BREAKER_SECONDS)
        assert client.interrupted(name, lambda name=name: wait_until(lambda: drill.state(name) == "done"))
        assert drill.effects(name) == 1
        check("committed", name)
    attempts = 0
    while len(found) < EFFECTED + COMMITTED + ANYWHERE:
        attempts += 1
        time.sleep(BREAKER_SECONDS)
        assert attempts < 10 * ANYWHERE
        if client.interrupted(f"a{attempts}", lambda: time.sleep(draw.uniform(0.0, REQUEST_SECONDS))):
            check("anywhere", f"a{attempts}")

    print(f"seed {seed}; kills by stage and state of the key: {dict(Counter(found))}")
    # The key is claimed in the transaction of the effect, and goes with it.
    assert {state for stage, state in found if stage == "effect"} == {None}
    assert {state for stage, state in found if stage == "committed"} == {"done"}


def test_without_a_key_a_retry_takes_effect_twice(web, cast):
    """The proof that the drill can fail."""
    drill, client = Drill(cast.acme.tenant), Client(web, cast.acme)

    assert client.interrupted("n", lambda: wait_until(lambda: drill.effects("n") == 1), key=False)
    assert client.retry("n", key=False).status == 201
    assert drill.effects("n") == 2
