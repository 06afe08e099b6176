"""32 calls at once over four processes under a cap of 1,000 tokens, with one killed in mid-call and Redis lost.

What was spent is held against the provider's own account of it, and its money against the price table, worked out
here by other means than the service's.
"""

import os
import random
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from accounts.tenancy import scope
from core import clock, redis
from recommendations.ai.budget import ledger
from recommendations.ai.budget.reservations import release_expired
from recommendations.ai.models import AIBudget, AICall, AIReservation
from recommendations.ai.money import BudgetLimits
from tests.drills.ai import services
from tests.drills.ai.spender import DEADLINE_SECONDS, QUESTION
from tests.fakes.openai_fixture import SimulatorControl
from tests.size import sized

ROOT = Path(__file__).resolve().parents[3]
CAP, PROCESSES, SECONDS = 1000, 4, sized(short=1.5, long=15.0)
PRICES = ROOT / "recommendations" / "ai" / "config" / "prices.toml"

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(300)]


class Spenders:
    """Four processes of eight threads each."""

    def __init__(self, provider: SimulatorControl, tenant_id: int, *extra: str, redis_url: str = "") -> None:
        name = django_settings.DATABASES["default"]["NAME"]
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": f"{django_settings.DATABASE_URL.rpartition('/')[0]}/{name}",
            "REDIS_URL": redis_url or django_settings.REDIS_URL,
            "LOG_LEVEL": "ERROR",
        }
        arguments = [provider.base_url, str(tenant_id), str(CAP), str(SECONDS), *extra]
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.drills.ai.spender", *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(PROCESSES)
        ]
        for each in self.processes:
            assert each.stdout is not None
            if each.stdout.readline() != b"ready\n":
                self.kill()
                raise AssertionError("a process did not get ready")

    def go(self) -> None:
        """All at once."""
        for each in self.processes:
            assert each.stdin is not None
            each.stdin.write(b"go\n")
            each.stdin.flush()

    def end(self) -> None:
        """Waits for them."""
        for each in self.processes:
            each.communicate(timeout=SECONDS + DEADLINE_SECONDS + 30)

    def kill(self) -> None:
        """Nothing of them is left."""
        for each in self.processes:
            each.kill()
            each.communicate()


class Watch:
    """Reads the day's budget again and again: the most that was ever spent and reserved."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id = tenant_id
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most = self.looks = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            row = day_of(self._tenant_id)
            if row is not None:
                self.most = max(self.most, row.spent_tokens + row.reserved_tokens)
                self.looks += 1
        connection.close()


def day_of(tenant_id: int) -> AIBudget | None:
    with scope.tenant(tenant_id):
        return AIBudget.objects.filter(period="day").first()


@pytest.fixture
def provider() -> Iterator[SimulatorControl]:
    with services.simulator() as control:
        yield control


@pytest.fixture
def tenant_id(cast) -> int:
    pk: int = cast.acme.tenant.pk
    return pk


def told(provider: SimulatorControl) -> list[dict[str, Any]]:
    """Token usage of each request, as the provider reports it."""
    return [each["usage"] for each in provider.state()["seen"] if each["usage"]]


def priced(usages: list[dict[str, Any]]) -> Fraction:
    """Price of the usages in dollars."""
    rows = tomllib.loads(PRICES.read_text(encoding="utf-8"))["price"]
    price = next(row for row in rows if "gpt-4.1-mini" in row["models"])
    fresh, cached, answer = (Fraction(price[name]) for name in ("input", "cached_input", "output"))
    total = Fraction(0)
    for each in usages:
        known = each["prompt_tokens_details"]["cached_tokens"]
        total += (each["prompt_tokens"] - known) * fresh + known * cached + each["completion_tokens"] * answer
    return total / 10**6


def assert_true_to_the_provider(provider: SimulatorControl, tenant_id: int) -> None:
    usages = told(provider)
    row = day_of(tenant_id)
    assert row is not None
    assert row.spent_tokens == sum(each["total_tokens"] for each in usages) <= CAP
    assert abs(row.spent_nano_usd / 10**9 / float(priced(usages)) - 1) < 0.001
    with scope.tenant(tenant_id):
        assert AICall.objects.count() == len(usages)
    assert ledger.reconcile(since=clock.now().date().replace(day=1)) == []


@pytest.mark.parametrize("redis_lost", sized(short=["emptied", "away"], long=["never", "emptied", "away"]))
def test_a_cap_is_never_overshot(provider, tenant_id, redis_lost):
    away = "redis://127.0.0.1:1/0" if redis_lost == "away" else ""
    spenders = Spenders(provider, tenant_id, redis_url=away)
    try:
        with Watch(tenant_id) as watch:
            spenders.go()
            for _ in range(20):
                time.sleep(SECONDS / 40)
                if redis_lost == "emptied":
                    redis.client().flushdb()
            spenders.end()
    finally:
        spenders.kill()

    row = day_of(tenant_id)
    assert row is not None
    print(
        f"\nRedis {redis_lost}: at most {watch.most} of {CAP} tokens in {watch.looks} looks, {row.spent_tokens} spent"
    )
    assert watch.looks > 20
    assert CAP / 2 < watch.most <= CAP
    assert row.reserved_tokens == 0
    assert_true_to_the_provider(provider, tenant_id)


def test_nor_with_workers_killed_in_mid_call(provider, tenant_id):
    """A killed worker's reservation stays unavailable to others until it expires."""
    provider.fault("latency", seconds=0.4)
    spenders = Spenders(provider, tenant_id)
    try:
        with Watch(tenant_id) as watch:
            spenders.go()
            while not provider.calls():
                time.sleep(0.01)
            time.sleep(random.uniform(0.0, 0.3))
            for victim in spenders.processes[:2]:
                victim.kill()
            spenders.end()
    finally:
        spenders.kill()

    row = day_of(tenant_id)
    assert row is not None
    with scope.tenant(tenant_id):
        held = sum(AIReservation.objects.values_list("tokens", flat=True))
    sent = sum(each["total_tokens"] for each in told(provider))
    print(f"\nkilled: at most {watch.most} of {CAP}, {row.spent_tokens} spent and {held} held by the dead; sent {sent}")
    assert watch.most <= CAP
    assert row.reserved_tokens == held
    assert sent <= row.spent_tokens + held <= CAP

    later = clock.now() + timedelta(minutes=2)
    assert (release_expired(limits=BudgetLimits(), now=later) > 0) == (held > 0)
    row = day_of(tenant_id)
    assert row is not None
    assert row.reserved_tokens == 0
    assert ledger.reconcile(since=clock.now().date().replace(day=1)) == []


def test_goes_red_without_the_condition(provider, tenant_id):
    """The proof that the drill can fail."""
    assert QUESTION.messages
    spenders = Spenders(provider, tenant_id, "unguarded")
    try:
        with Watch(tenant_id) as watch:
            spenders.go()
            patience = time.monotonic() + 30
            while watch.most <= CAP and time.monotonic() < patience:
                time.sleep(0.05)
    finally:
        spenders.kill()

    assert watch.most > CAP
