"""Four processes before one provider: one breaker, one probe at a time, one budget; also when one is killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from accounts.tenancy import scope
from core import clock
from recommendations.ai.models import AIBudget, AIReservation
from recommendations.ai.money import BudgetLimit, BudgetLimits
from recommendations.ai.protocol import ProviderError
from tests.fakes.openai_fixture import SimulatorControl
from tests.recommendations.ai.films import films

ROOT = Path(__file__).resolve().parents[3]
THRESHOLD = 4
QUICK = {"minimum_calls": THRESHOLD, "open_seconds": 0.2, "cap_seconds": 0.6}
DEADLINE_SECONDS = 0.4
OUTAGE_SECONDS, RECOVERY_SECONDS = 2.4, 1.8

pytestmark = pytest.mark.drill


class Caller:
    """One process that makes calls."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.recommendations.ai.caller"],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def prepare(self, **order: Any) -> None:
        """Give an order; it waits for `go`."""
        self._write(json.dumps(order))
        assert self.answer() == {"prepared": True}

    def go(self) -> None:
        """Let it begin."""
        self._write("go")

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def _environment() -> dict[str, str]:
    name = str(settings.DATABASES["default"]["NAME"])
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": f"{settings.DATABASE_URL.rpartition('/')[0]}/{name}",
        "REDIS_URL": settings.REDIS_URL,
        "LOG_LEVEL": "ERROR",
    }


@pytest.fixture(scope="module")
def callers(django_db_setup: None) -> Iterator[list[Caller]]:
    """Four, started once for all tests here."""
    made = [Caller() for _ in range(4)]
    for each in made:
        assert each.answer()["ready"] == each.process.pid
    yield made
    for each in made:
        each.close()


class Outage:
    """Calls of four processes while the provider hung for a phase and then recovered."""

    def __init__(
        self,
        callers: list[Caller],
        simulator: SimulatorControl,
        *,
        tenant_id: int,
        breaker: dict[str, float],
        recovery: float,
    ) -> None:
        simulator.fault("black_hole", seconds=60)
        for each in callers:
            each.prepare(
                base_url=simulator.base_url,
                tenant_id=tenant_id,
                breaker=breaker,
                seconds=OUTAGE_SECONDS + recovery,
                deadline_seconds=DEADLINE_SECONDS,
            )
        for each in callers:
            each.go()
        time.sleep(OUTAGE_SECONDS)
        self.upstream_in_outage = simulator.calls()
        self.recovered_at = time.time()
        simulator.clear()
        answers = [each.answer() for each in callers]
        self.outcomes = {name for answer in answers for name in answer["outcomes"]}
        seen = sorted(tuple(each) for answer in answers for each in answer["seen"])
        self.in_outage = [each for each in seen if each[0] < self.recovered_at]
        self.answered_at = min((end for _, end, answered in seen if answered), default=float("inf"))

    @property
    def together(self) -> int:
        """Number of requests after the first ones that overlapped another."""
        later = self.in_outage[8:]
        return sum(later[n + 1][0] < later[n][1] for n in range(len(later) - 1))


class TestOutage:
    def test_one_probe_at_a_time_and_closed_soon_after_the_recovery(
        self, callers, openai_simulator, redis_server, tenant_id
    ):
        outage = Outage(callers, openai_simulator, tenant_id=tenant_id, breaker=QUICK, recovery=RECOVERY_SECONDS)

        # Up to the threshold, with the others that were under way when it opened; then probes alone.
        opened = sorted(end for _, end, _ in outage.in_outage)[THRESHOLD - 1]
        probes = [each for each in outage.in_outage if each[0] > opened]
        assert THRESHOLD <= len(outage.in_outage) - len(probes) < THRESHOLD + len(callers)
        assert outage.upstream_in_outage <= len(outage.in_outage)
        gaps = [after[0] - before[1] for before, after in pairwise(probes)]
        assert len(gaps) >= 1
        assert min(gaps) >= 0.5 * QUICK["open_seconds"]
        assert outage.outcomes - {"error"} == {"timeout", "breaker", "ok"}  # the probe cut off by the recovery
        # A probe that hangs and the longest open period take 1.0 s; the rest is for a busy machine.
        assert outage.answered_at - outage.recovered_at < RECOVERY_SECONDS

    def test_goes_red_without_the_breaker(self, callers, openai_simulator, redis_server, tenant_id):
        never = QUICK | {"minimum_calls": 10**9}

        outage = Outage(callers, openai_simulator, tenant_id=tenant_id, breaker=never, recovery=0)

        assert outage.together >= 4
        assert outage.upstream_in_outage >= THRESHOLD + 2 * len(callers)
        assert "breaker" not in outage.outcomes


class TestKilledWorker:
    def test_its_reservation_comes_back(self, callers, openai_simulator, make_gateway, tenant_id):
        """SIGKILL in the middle of a call. Until its time is over nobody overshoots; then the room is there again."""
        openai_simulator.fault("black_hole", seconds=60)
        victim = callers.pop()
        victim.prepare(
            base_url=openai_simulator.base_url, tenant_id=tenant_id, breaker={}, seconds=5, deadline_seconds=20
        )
        victim.go()
        for _ in range(200):
            if openai_simulator.calls():
                break
            time.sleep(0.05)
        victim.close()
        openai_simulator.clear()
        with scope.tenant(tenant_id):
            held = AIReservation.objects.get().tokens
        gateway = make_gateway(budget=BudgetLimits(tenant_month=BudgetLimit(tokens=held + 100)))

        def rerank(now):
            return gateway.rerank(tenant_id=tenant_id, request=films(size=4), now=now, deadline_seconds=5)

        with pytest.raises(ProviderError, match="budget"):
            rerank(clock.now())
        rerank(_later())

        with scope.tenant(tenant_id):
            assert not AIReservation.objects.exists()
            row = AIBudget.objects.get(period="month")
        assert 0 < row.spent_tokens <= held
        assert row.reserved_tokens == 0


def _later() -> datetime:
    """After the reservation's end."""
    return clock.now() + timedelta(minutes=2)
