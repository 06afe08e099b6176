"""The month's quota: counted by cost, exact, refused or static; drained, settled and restored."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from core import clock
from core.ratelimit import Outcome, Quota, RateLimit, billing_periods, keys, lua_script, quota
from core.ratelimit.billing_periods import Month
from core.ratelimit.metrics import QUOTA_REJECTED, RATE_LIMIT_REJECTED
from core.ratelimit.quota import Usage
from tests.core.ratelimit.calls import ACME, GLOBEX, ask, count, know_revocations, limits


@pytest.fixture(autouse=True)
def _ready(redis_server):
    know_revocations()


@pytest.fixture
def this_month():
    return billing_periods.month_at(clock.now()).name


def test_counts_accepted_requests_by_cost():
    asked = limits(RateLimit("read", 10, 86_400, 10), Quota(1000))

    used = [ask(limits=asked, cost=cost).quota_used for cost in (1, 4, 5, 1)]

    assert used == [1, 5, 10, 10]  # the last was refused by the rate limit and is not counted


def test_refuses_what_does_not_fit_and_serves_what_does():
    before, asked = count(QUOTA_REJECTED), limits(quota=Quota(10))
    together = count(RATE_LIMIT_REJECTED.labels("quota"))

    outcomes = [ask(limits=asked, cost=cost).outcome for cost in (8, 3, 2, 1)]

    assert outcomes == [Outcome.ADMITTED, Outcome.QUOTA_EXCEEDED, Outcome.ADMITTED, Outcome.QUOTA_EXCEEDED]
    assert count(QUOTA_REJECTED) - before == 2
    assert count(RATE_LIMIT_REJECTED.labels("quota")) - together == 2
    assert ask(limits=asked, tenant_id=GLOBEX).allowed


def test_a_refused_request_is_not_charged_by_the_rate_limit():
    asked = limits(quota=Quota(1))
    ask(limits=asked)
    ask(limits=asked)

    assert ask().headers["RateLimit"].startswith('"read";r=98;')


def test_a_static_plan_goes_on_without_documents_but_never_unlimited():
    before, asked = count(QUOTA_REJECTED), limits(RateLimit("read", 3, 86_400, 3), Quota(1, on_quota="static"))
    key = keys.tag(ACME) + "a"

    first, *rest = [ask(limits=asked, reads=[("get", key)]) for _ in range(4)]

    assert first.values == (None,)
    assert [each.outcome for each in rest] == [Outcome.QUOTA_EXCEEDED, Outcome.QUOTA_EXCEEDED, Outcome.RATE_LIMITED]
    assert [each.static for each in rest] == [True, True, False]
    assert rest[0].values is None
    assert not rest[0].allowed
    assert "Retry-After" not in rest[0].headers
    assert rest[0].headers["RateLimit"].startswith('"read";r=1;')
    assert rest[1].quota_used == 1
    assert count(QUOTA_REJECTED) == before


def test_a_new_month_begins_at_zero_by_the_servers_clock(redis_server):
    """The script is given a month that ends while the test runs; nobody's clock has to be moved."""
    now = int(redis_server.time()[0])
    pair = (Month("2001-01", now - 100, now + 1), Month("2001-02", now + 1, now + 100))

    def used() -> tuple[str, int | None, str]:
        given = lua_script.build_arguments(
            tenant_id=ACME, client_id="c", token_id="t", rates=(), quota=Quota(2), cost=1,
            months=pair, reads=(),
        )  # fmt: skip
        reply = lua_script.parse(lua_script.run(redis_server, given), months=pair, reads=())
        return reply.month.name, reply.used, reply.verdict.name

    old = [used() for _ in range(3)]
    time.sleep(1.1)

    assert old == [("2001-01", 1, "ADMITTED"), ("2001-01", 2, "ADMITTED"), ("2001-01", 2, "QUOTA_EXCEEDED")]
    assert used() == ("2001-02", 1, "ADMITTED")
    assert redis_server.smembers(keys.quota_dirty(ACME)) == {b"2001-01", b"2001-02"}
    assert redis_server.expiretime(keys.quota(ACME, "2001-01")) == pair[0].expires
    assert redis_server.expiretime(keys.quota(ACME, "2001-02")) == pair[1].expires


@pytest.mark.parametrize("wrong_by", [timedelta(days=1), timedelta(days=-27)])
def test_a_wrong_clock_of_ours_counts_in_the_servers_month(wrong_by, this_month, redis_server):
    ask(limits=limits(quota=Quota(5)), now=clock.now() + wrong_by)

    assert redis_server.get(keys.quota(ACME, this_month)) == b"1"


def test_counters_outlive_their_month(redis_server, this_month):
    ask(limits=limits(quota=Quota(5)))

    assert (
        redis_server.expiretime(keys.quota(ACME, this_month)) - billing_periods.parse(this_month).end
        == billing_periods.KEPT_SECONDS
    )


def test_drain_gives_what_moved_until_it_is_settled(this_month):
    asked = limits(quota=Quota(None))
    ask(limits=asked, cost=3)
    ask(limits=asked, tenant_id=GLOBEX)

    def drained() -> list[Usage]:
        return list(quota.drain(tenant_ids=[ACME, GLOBEX, 3], batch=2))

    first = drained()
    killed_before_settling = drained()
    assert quota.mark_written(first) == 2

    assert first == killed_before_settling == [Usage(ACME, this_month, 3), Usage(GLOBEX, this_month, 1)]
    assert drained() == []
    ask(limits=asked)
    assert drained() == [Usage(ACME, this_month, 4)]


def test_what_moves_between_drain_and_settle_stays_dirty(this_month):
    asked = limits(quota=Quota(None))
    ask(limits=asked)
    drained = list(quota.drain(tenant_ids=[ACME]))
    ask(limits=asked)

    assert quota.mark_written(drained) == 0
    assert list(quota.drain(tenant_ids=[ACME])) == [Usage(ACME, this_month, 2)]
    assert quota.mark_written([]) == 0


def test_restore_raises_and_never_lowers(redis_server, this_month):
    ask(limits=limits(quota=Quota(None)), cost=5)
    redis_server.flushdb()

    assert quota.restore(tenant_id=ACME, month=this_month, used=5) == 5
    assert quota.restore(tenant_id=ACME, month=this_month, used=3) == 5
    assert ask(limits=limits(quota=Quota(6))).quota_used == 6
    assert ask(limits=limits(quota=Quota(6))).outcome is Outcome.QUOTA_EXCEEDED
    assert redis_server.expiretime(keys.quota(ACME, this_month)) == billing_periods.parse(this_month).expires


@pytest.mark.parametrize("name", ["2026-1", "2026-13", "2026-11-01", "", "november"])
def test_a_month_is_written_in_one_way(name):
    with pytest.raises(ValueError, match=r"month|format|unconverted"):
        quota.restore(tenant_id=ACME, month=name, used=1)


@pytest.mark.parametrize(
    ("moment", "names"),
    [
        (datetime(2026, 11, 15, tzinfo=UTC), ("2026-11", "2026-12")),
        (datetime(2026, 12, 1, 23, 59, tzinfo=UTC), ("2026-11", "2026-12")),
        (datetime(2026, 12, 2, tzinfo=UTC), ("2026-12", "2027-01")),
        (datetime(2027, 1, 1, 0, 30, tzinfo=UTC), ("2026-12", "2027-01")),
    ],
)
def test_the_candidates_are_yesterdays_month_and_the_next(moment, names):
    first, second = billing_periods.candidate_months(moment)

    assert (first.name, second.name) == names
    assert first.end == second.start


def test_a_months_bounds_are_utc():
    month = billing_periods.month_at(datetime(2028, 2, 29, 23, tzinfo=UTC))

    assert month == billing_periods.parse("2028-02")
    assert month.seconds == 29 * 86_400
    assert datetime.fromtimestamp(month.end, UTC) == datetime(2028, 3, 1, tzinfo=UTC)
