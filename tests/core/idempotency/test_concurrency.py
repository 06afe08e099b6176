"""Simultaneous requests with one key have one effect."""

import threading

import pytest
from django.db import connections
from django.test import override_settings

from accounts.tenancy import scope
from core.idempotency.metrics import CONFLICTS, REPLAYED
from core.idempotency.models import IdempotencyKey
from tests.core.idempotency import views
from tests.core.idempotency.conftest import ACME, GLOBEX, client, post

pytestmark = pytest.mark.urls("tests.core.idempotency.views")


def at_once(calls):
    """Runs the calls in threads that start together; their results in order."""
    results, start = [None] * len(calls), threading.Barrier(len(calls))

    def run(index):
        try:
            start.wait()
            results[index] = calls[index]()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[index]) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def value(counter):
    (sample,) = [each for metric in counter.collect() for each in metric.samples if each.name.endswith("_total")]
    return sample.value


class TestAtOnce:
    @pytest.mark.slow
    def test_sixteen_with_one_key_have_one_effect(self, effects):
        for number in range(5):
            answers = at_once([lambda key=f"k{number}": post(client(), key=key)] * 16)

            done = [each for each in answers if each.status_code == 201]
            assert {each.status_code for each in answers} <= {201, 409}
            assert len({each.content for each in done}) == 1
            assert sum("Idempotent-Replayed" not in each for each in done) == 1
            assert effects() == number + 1

    def test_all_others_wait_while_the_first_runs(self, effects, monkeypatch):
        before = (value(CONFLICTS), value(REPLAYED))
        others_answered = threading.Semaphore(0)

        def hold(stage):
            if stage == "effected":
                for _ in range(15):
                    assert others_answered.acquire(timeout=20)

        monkeypatch.setattr(views, "at_stage", hold)

        def call():
            answer = post(client())
            others_answered.release()
            return answer

        answers = at_once([call] * 16)

        refused = [each for each in answers if each.status_code == 409]
        assert len(refused) == 15
        assert {each["Retry-After"] for each in refused} <= {"1", "2", "3"}
        assert {each.json()["code"] for each in refused} == {"idempotency_key_in_use"}
        assert post(client())["Idempotent-Replayed"] == "true"
        assert (effects(), value(CONFLICTS) - before[0], value(REPLAYED) - before[1]) == (1, 15, 1)

    def test_different_bodies_with_one_key_have_one_effect(self, effects):
        answers = at_once([lambda note=str(n): post(client(), note=note) for n in range(16)])

        assert sorted(each.status_code for each in answers) == [201] + [422] * 15
        assert effects() == 1

    def test_different_tenants_and_clients_do_not_meet(self, effects):
        callers = [client(tenant_id, name) for tenant_id in (ACME, GLOBEX) for name in "abcd"]

        answers = at_once([lambda caller=caller: post(caller) for caller in callers])

        assert [each.status_code for each in answers] == [201] * 8
        assert (effects(ACME), effects(GLOBEX)) == (4, 4)

    def test_a_run_slower_than_its_lease_is_overtaken_and_rolled_back(self, effects, monkeypatch):
        overtaken = threading.Event()

        def hold(stage):
            if stage == "effected" and threading.current_thread() is slow:
                assert overtaken.wait(20)

        monkeypatch.setattr(views, "at_stage", hold)
        answers = {}

        def run_slowly():
            answers["slow"] = post(client())
            connections.close_all()

        slow = threading.Thread(target=run_slowly)
        with override_settings(API_DEADLINE_SECONDS=0.1):
            slow.start()
            answers["quick"] = _until_served(lambda: post(client()), started=slow)
        overtaken.set()
        slow.join()

        assert (answers["quick"].status_code, answers["slow"].status_code) == (201, 409)
        assert post(client()).content == answers["quick"].content
        assert effects() == 1


def _until_served(call, *, started):
    """Calls once the thread's claim is committed, until it is served."""
    while True:
        with scope.tenant(ACME):
            if IdempotencyKey.objects.exists():
                break
        assert started.is_alive()
    while (answer := call()).status_code == 409:
        pass
    return answer
