"""What the operator set about the segments of people by history."""

from dataclasses import dataclass

from recommendations.history_segments import COLD, REGULAR, SEGMENTS, SPARSE


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftPolicy:
    """The configuration: which segments are open until measured, and what decides a measurement."""

    open_segments: frozenset[str] = frozenset({COLD, SPARSE, REGULAR})
    explore_percent: int = 5
    """Of the people behind a closed gate get AI all the same."""
    minimum_cases: int = 1000
    """In each arm; fewer decide nothing."""
    minimum_per_usd: float = 0.0
    """So many successes more per dollar must be possible at the upper end of the interval, else it is switched off."""

    def __post_init__(self) -> None:
        unknown = self.open_segments - set(SEGMENTS)
        if unknown:
            raise ValueError(f"AI_GATE_SEGMENTS names {sorted(unknown)}; choose among {', '.join(SEGMENTS)}")
