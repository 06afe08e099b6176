"""The uplift gate: segments of users for which AI pays, from measured uplift where there is some.

Reranking by a language model helps users with little history and seldom those with much. So the configuration opens
the gate for some segments; measured uplift overrules it where its confidence interval is sure, in either direction.
The difference of two shares has the interval of Agresti and Caffo ("Simple and effective confidence intervals for
proportions and differences of proportions", The American Statistician 54, 2000): one success and one failure are added
to each arm, which keeps small samples honest.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from accounts.tenancy import scope
from recommendations.ai.config.uplift_policy import UpliftPolicy
from recommendations.ai.models import AIGate
from recommendations.ai.money import NANO_PER_USD
from recommendations.history_segments import SEGMENTS, segment_of

Z95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftMeasurement:
    """A measurement of one segment of a placement: cases and successes by arm, and AI's cost.

    A case is a list that was shown (an impression), a success one that led to something (a click).
    """

    segment: str
    ai_cases: int
    ai_successes: int
    control_cases: int
    control_successes: int
    cost_nano_usd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """The decision of a measurement; `open` is None where the configuration decides."""

    open: bool | None
    why: str
    uplift: float = 0.0
    low: float = 0.0
    high: float = 0.0
    per_usd: float | None = None


@dataclass(frozen=True, slots=True)
class UpliftGate:
    """One placement's gate during a build."""

    policy: UpliftPolicy
    measured: Mapping[str, bool] = field(default_factory=dict)
    """Segments with a conclusive measurement."""

    def is_open(self, segment: str) -> bool:
        """Return whether AI runs for a segment."""
        return self.measured.get(segment, segment in self.policy.open_segments)

    def is_open_for(self, known_items: int) -> bool:
        """Return whether AI runs for a user with this number of different items in the history."""
        return self.is_open(segment_of(known_items))


def decide(row: UpliftMeasurement, *, policy: UpliftPolicy) -> GateDecision:
    """Return the decision of a measurement."""
    uplift, half = _difference(row)
    low, high = uplift - half, uplift + half
    per_usd = uplift * row.ai_cases * NANO_PER_USD / row.cost_nano_usd if row.cost_nano_usd else None
    if min(row.ai_cases, row.control_cases) < policy.minimum_cases:
        return GateDecision(open=None, why=AIGate.Why.TOO_FEW, uplift=uplift, low=low, high=high, per_usd=per_usd)
    needed = policy.minimum_per_usd * row.cost_nano_usd / NANO_PER_USD / row.ai_cases
    if high <= needed:
        opened, why = False, AIGate.Why.SWITCHED_OFF
    elif low > needed:
        opened, why = True, AIGate.Why.WORTH
    else:
        return GateDecision(open=None, why=AIGate.Why.UNSURE, uplift=uplift, low=low, high=high, per_usd=per_usd)
    return GateDecision(open=opened, why=why, uplift=uplift, low=low, high=high, per_usd=per_usd)


def record_measurements(
    *, tenant_id: int, placement: str, rows: Iterable[UpliftMeasurement], policy: UpliftPolicy, now: datetime
) -> dict[str, GateDecision]:
    """Decide on measurements and store the decisions for the next build.

    Raises:
        ValueError: a segment is unknown.
    """
    decisions = {}
    with scope.tenant(tenant_id):
        for row in rows:
            if row.segment not in SEGMENTS:
                raise ValueError(f"segment is {row.segment!r}; give one of {', '.join(SEGMENTS)}")
            decision = decisions[row.segment] = decide(row, policy=policy)
            AIGate.objects.update_or_create(
                tenant_id=tenant_id,
                placement=placement,
                segment=row.segment,
                defaults={
                    "open": decision.open,
                    "why": decision.why,
                    "with_ai": row.ai_cases,
                    "control": row.control_cases,
                    "uplift": decision.uplift,
                    "uplift_low": decision.low,
                    "uplift_high": decision.high,
                    "per_usd": decision.per_usd,
                    "cost_nano_usd": row.cost_nano_usd,
                    "measured_at": now,
                },
            )
    return decisions


def load_gate(*, tenant_id: int, placement: str, policy: UpliftPolicy) -> UpliftGate:
    """Return a placement's current gate."""
    with scope.tenant(tenant_id):
        rows = AIGate.objects.filter(tenant_id=tenant_id, placement=placement, open__isnull=False)
        return UpliftGate(policy, {segment: bool(opened) for segment, opened in rows.values_list("segment", "open")})


def _difference(row: UpliftMeasurement) -> tuple[float, float]:
    """Return the difference of the two shares and half the width of its 95 % interval."""
    ai_cases, control_cases = row.ai_cases + 2, row.control_cases + 2
    ai_share, control_share = (row.ai_successes + 1) / ai_cases, (row.control_successes + 1) / control_cases
    variance = ai_share * (1 - ai_share) / ai_cases + control_share * (1 - control_share) / control_cases
    return ai_share - control_share, Z95 * math.sqrt(variance)
