"""Measured uplift opens and closes the gate where it is certain; otherwise the configuration decides."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.tenancy import scope
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.config.uplift_policy import UpliftPolicy
from recommendations.ai.models import AIGate
from recommendations.ai.money import NANO_PER_USD
from recommendations.ai.uplift import gate
from recommendations.ai.uplift.gate import UpliftMeasurement, decide
from recommendations.history_segments import SEGMENTS, segment_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICY = UpliftPolicy()


def measured(*, ai, control, cases=10_000, usd=0.0, segment="regular"):
    return UpliftMeasurement(
        segment=segment,
        ai_cases=cases,
        ai_successes=ai,
        control_cases=cases,
        control_successes=control,
        cost_nano_usd=int(usd * NANO_PER_USD),
    )


class TestJudge:
    def test_opens_where_the_whole_interval_is_a_gain(self):
        decision = decide(measured(ai=900, control=600, usd=30), policy=POLICY)

        assert (decision.open, decision.why) == (True, "worth")
        assert decision.uplift == pytest.approx(0.03, abs=1e-3)
        assert 0 < decision.low < decision.uplift < decision.high
        assert decision.per_usd == pytest.approx(10, abs=0.1)

    def test_switches_off_where_no_gain_is_left_in_it(self):
        decision = decide(measured(ai=600, control=800), policy=POLICY)

        assert (decision.open, decision.why) == (False, "switched_off")

    def test_switches_off_what_gains_less_than_its_dollar_must(self):
        """300 successes more cost 100 dollars; at least 10 per dollar are wanted."""
        decision = decide(measured(ai=900, control=600, usd=100), policy=UpliftPolicy(minimum_per_usd=10))

        assert (decision.open, decision.why) == (False, "switched_off")

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            (measured(ai=615, control=600), "unsure"),
            (measured(ai=50, control=0, cases=999), "too_few"),
            (measured(ai=0, control=0, cases=0), "too_few"),
        ],
    )
    def test_leaves_it_to_the_configuration(self, row, why):
        decision = decide(row, policy=POLICY)

        assert (decision.open, decision.why) == (None, why)

    def test_has_the_interval_of_agresti_and_caffo(self):
        """Worked by hand: (11+1)/(100+2) and (5+1)/(100+2) differ by 0.0588 +- 0.0781."""
        decision = decide(measured(ai=11, control=5, cases=100), policy=UpliftPolicy(minimum_cases=1))

        assert decision.uplift == pytest.approx(0.0588, abs=1e-4)
        assert decision.high - decision.uplift == pytest.approx(0.0771, abs=1e-3)


class TestTake:
    def test_the_next_build_goes_by_what_was_measured(self, tenant_id):
        rows = [measured(ai=600, control=800), measured(ai=900, control=600, segment="heavy")]

        gate.record_measurements(tenant_id=tenant_id, placement="home", rows=rows, policy=POLICY, now=NOW)

        standing = gate.load_gate(tenant_id=tenant_id, placement="home", policy=POLICY)
        assert [each for each in SEGMENTS if standing.is_open(each)] == ["cold", "sparse", "heavy"]
        elsewhere = gate.load_gate(tenant_id=tenant_id, placement="basket", policy=POLICY)
        assert not elsewhere.is_open("heavy")

    def test_a_later_measurement_replaces_the_earlier(self, tenant_id):
        gate.record_measurements(
            tenant_id=tenant_id, placement="home", rows=[measured(ai=600, control=800)], policy=POLICY, now=NOW
        )

        gate.record_measurements(
            tenant_id=tenant_id, placement="home", rows=[measured(ai=605, control=600)], policy=POLICY, now=NOW
        )

        with scope.tenant(tenant_id):
            assert AIGate.objects.get().why == "unsure"
        assert gate.load_gate(tenant_id=tenant_id, placement="home", policy=POLICY).is_open("regular")

    def test_refuses_a_segment_that_does_not_exist(self, tenant_id):
        with pytest.raises(ValueError, match="rated_below_mean"):
            gate.record_measurements(
                tenant_id=tenant_id,
                placement="home",
                rows=[measured(ai=1, control=1, segment="rated_below_mean")],
                policy=POLICY,
                now=NOW,
            )


class TestSegments:
    @pytest.mark.parametrize(
        ("items", "segment"),
        [(0, "cold"), (1, "sparse"), (9, "sparse"), (10, "regular"), (99, "regular"), (100, "heavy")],
    )
    def test_go_by_the_length_of_the_history(self, items, segment):
        assert segment_of(items) == segment

    def test_of_the_configuration_must_exist(self, settings):
        settings.AI_GATE_SEGMENTS = ["warm"]

        with pytest.raises(ImproperlyConfigured, match="AI_GATE_SEGMENTS"):
            AIConfiguration.from_settings(settings)
