"""Without Redis: a fair share for each process, never unlimited; the quota's notes; bounded memory."""

from datetime import UTC, datetime, timedelta
from math import ceil

import pytest

from core.ratelimit import Nested, Outcome, Quota, RateLimit, local_limiter
from core.ratelimit.local_limiter import Buckets, Ledger, decide
from tests.core.ratelimit.calls import ACME, GLOBEX

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
READ = RateLimit("read", count=100, window_seconds=60, burst=100)


def accepted_in(seconds: float, rate: RateLimit, *, cost: int = 1, tenant_id: int = ACME) -> int:
    """Units that one process accepts from a caller who asks a hundred times a second."""
    moments = [START + timedelta(seconds=step / 100) for step in range(int(seconds * 100))]
    decisions = [decide(tenant_id=tenant_id, rates=[Nested(rate)], quota=None, cost=cost, now=now) for now in moments]
    assert {each.outcome for each in decisions} <= {Outcome.UNKNOWN_REVOCATION, Outcome.RATE_LIMITED}
    return cost * sum(each.outcome is Outcome.UNKNOWN_REVOCATION for each in decisions)


@pytest.mark.parametrize("processes", [1, 2, 4, 16])
@pytest.mark.parametrize("count", [20, 100, 1000])
def test_all_processes_together_stay_within_1_2_of_the_limit(processes, count, settings):
    settings.RATE_LIMIT_PROCESSES = processes
    rate = RateLimit("read", count=count, window_seconds=60, burst=count)

    together = processes * accepted_in(60, rate)

    assert count * 0.8 <= together <= processes * ceil(1.2 * count / processes)


def test_a_full_bucket_at_the_start_would_break_that(settings, monkeypatch):
    settings.RATE_LIMIT_PROCESSES = 2
    monkeypatch.setattr(local_limiter, "AT_ONCE", 1.0)

    assert 2 * accepted_in(60, READ) > 120


def test_a_large_burst_is_no_way_around_it(settings):
    settings.RATE_LIMIT_PROCESSES = 1

    assert accepted_in(60, RateLimit("read", count=100, window_seconds=60, burst=5000)) <= 120


@pytest.mark.parametrize("name", ["write", "ai", "token", "import"])
def test_what_costs_money_or_opens_doors_gets_half(name, settings):
    settings.RATE_LIMIT_PROCESSES = 1

    assert 50 <= accepted_in(60, RateLimit(name, count=100, window_seconds=60, burst=100)) <= 60


def test_a_batch_costs_its_people_here_too(settings):
    settings.RATE_LIMIT_PROCESSES = 1

    assert accepted_in(60, READ, cost=10) <= 120


def test_a_batch_larger_than_the_share_comes_through_and_is_paid_off(settings):
    settings.RATE_LIMIT_PROCESSES = 1

    assert accepted_in(240, READ, cost=100) == 400


def test_a_refusal_says_when_and_means_it(settings):
    settings.RATE_LIMIT_PROCESSES = 1
    slow = RateLimit("read", count=10, window_seconds=100, burst=1)
    decide(tenant_id=ACME, rates=[Nested(slow)], quota=None, cost=1, now=START)

    refused = decide(tenant_id=ACME, rates=[Nested(slow)], quota=None, cost=1, now=START)
    later = START + timedelta(seconds=refused.retry_after_seconds or 0)

    assert refused.headers == {"Retry-After": "10"}
    assert (
        decide(tenant_id=ACME, rates=[Nested(slow)], quota=None, cost=1, now=later).outcome
        is Outcome.UNKNOWN_REVOCATION
    )


def test_tenants_are_apart(settings):
    settings.RATE_LIMIT_PROCESSES = 1

    assert accepted_in(1, READ) == accepted_in(1, READ, tenant_id=GLOBEX) > 0


def test_an_unlimited_caller_stays_unlimited():
    assert all(
        decide(tenant_id=ACME, rates=[], quota=None, cost=1, now=START).outcome is Outcome.UNKNOWN_REVOCATION
        for _ in range(1000)
    )


def test_memory_is_bounded_and_the_latest_stay():
    buckets = Buckets(capacity=100)
    for tenant_id in range(1000):
        buckets.acquire((tenant_id, "read"), cost=1, interval=60.0, burst=1.0, now=0.0)

    assert len(buckets) == 100
    assert buckets.acquire((999, "read"), cost=1, interval=60.0, burst=1.0, now=0.0) == pytest.approx(60.0)
    assert buckets.acquire((0, "read"), cost=1, interval=60.0, burst=1.0, now=0.0) == 0.0


def test_a_spent_quota_stays_spent_this_month_only(settings):
    settings.RATE_LIMIT_PROCESSES = 1
    local_limiter.ledger.used_up(ACME, "2026-11", 50)

    def outcome(limit: int | None, now: datetime = START, tenant_id: int = ACME) -> Outcome:
        return decide(tenant_id=tenant_id, rates=[], quota=Quota(limit), cost=1, now=now).outcome

    assert outcome(50) is Outcome.QUOTA_EXCEEDED
    assert outcome(50, tenant_id=GLOBEX) is Outcome.UNKNOWN_REVOCATION
    assert outcome(50, now=START + timedelta(days=20)) is Outcome.UNKNOWN_REVOCATION
    assert outcome(51) is Outcome.UNKNOWN_REVOCATION  # the plan was raised
    assert outcome(51) is Outcome.QUOTA_EXCEEDED


def test_a_spent_quota_is_static_where_the_plan_says_so():
    decision = decide(tenant_id=ACME, rates=[], quota=Quota(0, on_quota="static"), cost=1, now=START)

    assert (decision.outcome, decision.static, decision.retry_after_seconds) == (Outcome.QUOTA_EXCEEDED, True, None)


def test_the_ledger_is_bounded():
    ledger = Ledger(capacity=10)
    for tenant_id in range(100):
        ledger.used_up(tenant_id, "2026-11", 1)
        ledger.charge(tenant_id, "2026-11", cost=1, limit=None)

    assert ledger.pop_owed(0) == {}
    assert ledger.pop_owed(99) == {"2026-11": 1}
    assert ledger.pop_owed(99) == {}
