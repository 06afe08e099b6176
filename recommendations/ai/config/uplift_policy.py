"""The operator's policy for the uplift gate."""

from dataclasses import dataclass

from recommendations.history_segments import COLD, REGULAR, SEGMENTS, SPARSE


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftPolicy:
    """Segments that are open until measured, and the thresholds of a measurement."""

    open_segments: frozenset[str] = frozenset({COLD, SPARSE, REGULAR})
    explore_percent: int = 5
    """Share of users behind a closed gate who get AI anyway, to keep measuring."""
    minimum_cases: int = 1000
    """Minimum per arm for a decision."""
    minimum_per_usd: float = 0.0
    """Additional successes per dollar that the interval's upper end must reach, or AI is switched off."""

    def __post_init__(self) -> None:
        unknown = self.open_segments - set(SEGMENTS)
        if unknown:
            raise ValueError(f"AI_GATE_SEGMENTS names {sorted(unknown)}; choose among {', '.join(SEGMENTS)}")
