"""The breaker's rules, moment by moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.ai.resilience import circuit_state as rules
from recommendations.ai.resilience.circuit_state import BreakerPolicy, BreakerState, CallOutcome

POLICY = BreakerPolicy(minimum_calls=4, open_seconds=2, cap_seconds=10)
GOOD, FAILED = CallOutcome(), CallOutcome(failed=True, error="HTTP 500")


NEW = BreakerState()


def _after(outcomes, *, state: BreakerState = NEW, now=100.0, policy=POLICY) -> BreakerState:
    for outcome in outcomes:
        state = (
            rules.record(
                state, outcome=outcome, token="", generation=state.generation, now=now, policy=policy, jitter=0.5
            )
            or state
        )
    return state


def _held(state, *, token, now) -> BreakerState:
    held, admitted = rules.admit(state, now=now, token=token, lease_seconds=5)
    assert admitted
    assert held is not None
    return held


def _probed(state, outcome, *, now, jitter=0.5) -> BreakerState:
    holding = _held(state, token="probe", now=now)
    after = rules.record(
        holding, outcome=outcome, token="probe", generation=holding.generation, now=now, policy=POLICY, jitter=jitter
    )
    assert after is not None
    return after


class TestOpening:
    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (FAILED, "failures"),
            (CallOutcome(slow=True), "slowness"),
            (CallOutcome(throttled=True, error="HTTP 429"), "throttling"),
        ],
    )
    def test_opens_on_a_share_of_bad_calls_and_says_why(self, bad, why):
        state = _after([bad] * 4)

        assert (state.mode(100.0), state.why, state.error) == ("open", why, bad.error)

    def test_stays_closed_below_the_share(self):
        assert _after([GOOD, GOOD, GOOD, FAILED, FAILED]).mode(100.0) == "closed"

    def test_judges_nothing_from_few_calls(self):
        assert _after([FAILED] * 3).mode(100.0) == "closed"

    def test_opens_at_once_where_the_account_is_refused(self):
        state = _after([CallOutcome(failed=True, refused=True, error="insufficient_quota")])

        assert (state.mode(100.0), state.why) == ("open", "refused")

    def test_forgets_what_is_older_than_the_window(self):
        old = _after([FAILED] * 3, now=100.0)

        assert _after([FAILED], state=old, now=100.0 + POLICY.window_seconds + 3).mode(140.0) == "closed"

    def test_ignores_calls_that_began_before_the_last_change(self):
        reset = rules.closed(_after([FAILED] * 4), now=101.0)

        late = rules.record(reset, outcome=FAILED, token="", generation=0, now=101.0, policy=POLICY, jitter=0)

        assert late is None


class TestOpenPeriod:
    def test_doubles_with_each_failed_probe_up_to_the_cap(self):
        state = _after([FAILED] * 4)
        periods = []
        for _ in range(5):
            periods.append(state.probe_at - state.changed_at)
            state = _probed(state, FAILED, now=state.probe_at, jitter=1.0)

        assert periods == [1.5, 4, 8, 10, 10]

    def test_has_the_upper_half_by_chance(self):
        assert [POLICY.open_for(openings=2, retry_after=0, jitter=j) for j in (0.0, 1.0)] == [2, 4]

    @pytest.mark.parametrize(("asked", "period"), [(0.1, 2.0), (5.0, 5.0), (300.0, 10.0)])
    def test_honours_the_vendors_wish_up_to_the_cap(self, asked, period):
        assert POLICY.open_for(openings=1, retry_after=asked, jitter=1.0) == period

    def test_starts_anew_after_a_success(self):
        state = _after([FAILED] * 4)
        state = _probed(state, FAILED, now=state.probe_at)
        state = _probed(state, GOOD, now=state.probe_at)

        assert _after([FAILED] * 4, state=state).openings == 1


class TestProbing:
    def test_lets_nobody_pass_before_the_moment(self):
        state = _after([FAILED] * 4)

        assert rules.admit(state, now=state.probe_at - 0.01, token="a", lease_seconds=5) == (None, False)

    def test_lets_one_pass_until_the_lease_ends(self):
        state = _after([FAILED] * 4)
        held = _held(state, token="a", now=200)

        assert rules.admit(held, now=204.9, token="b", lease_seconds=5) == (None, False)
        assert rules.admit(held, now=205.0, token="b", lease_seconds=5)[1]

    def test_does_not_believe_a_prober_who_lost_the_lease(self):
        state = _after([FAILED] * 4)
        held = _held(state, token="a", now=200)
        taken = _held(held, token="b", now=206)

        late = rules.record(
            taken, outcome=GOOD, token="a", generation=taken.generation, now=207, policy=POLICY, jitter=0
        )

        assert late is None

    def test_closes_with_a_success_and_an_empty_window(self):
        state = _after([FAILED] * 4)

        closed = _probed(state, GOOD, now=200)

        assert (closed.mode(200), closed.slots, closed.error) == ("closed", (), "HTTP 500")

    def test_gives_the_lease_back_where_no_call_was_made(self):
        held = _held(_after([FAILED] * 4), token="a", now=200)

        free = rules.without_lease(held, token="a")

        assert free is not None
        assert _held(free, token="b", now=200).lease == "b"
        assert rules.without_lease(held, token="stranger") is None


class TestByHand:
    def test_stays_open_until_it_is_closed(self):
        state = rules.opened_manually(BreakerState(), now=100, seconds=float("inf"), note="vendor's maintenance")

        assert state.mode(10**12) == "open"
        assert rules.closed(state, now=101).mode(101) == "closed"


class TestStoredForm:
    @given(st.lists(st.sampled_from([GOOD, FAILED, CallOutcome(slow=True)]), max_size=12))
    def test_brings_the_same_state_back(self, outcomes):
        state = _after(outcomes)

        assert BreakerState.load(state.dump()) == state


class TestBreakerPolicy:
    @pytest.mark.parametrize(
        "change", [{"failure_share": 0}, {"slow_share": 1.1}, {"minimum_calls": 0}, {"cap_seconds": 1}]
    )
    def test_refuses_what_cannot_work(self, change):
        with pytest.raises(ValueError, match=next(iter(change))):
            BreakerPolicy(**change)
