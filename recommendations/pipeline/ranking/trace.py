"""Explanation of the rules' effects on one user's list, recorded by the code that applies them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from recommendations.cache.list_codec import Entry


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """The effect of one rule on an item."""

    rule: str
    detail: str


@dataclass(slots=True)
class Trace:
    """By item id: its rank (from 1) before the rules, the rule that excluded it, and the effects of other rules."""

    candidate_ranks: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, RuleEffect] = field(default_factory=dict)
    effects: dict[str, list[RuleEffect]] = field(default_factory=dict)

    def record_candidates(self, entries: Sequence[Entry]) -> None:
        """Records the list before the rules."""
        self.candidate_ranks = {entry.item_id: rank for rank, entry in enumerate(entries, start=1)}

    def exclude(self, item_id: str, rule: str, detail: str) -> None:
        """Records that a rule excluded the item; the first such rule counts."""
        self.excluded.setdefault(item_id, RuleEffect(rule, detail))

    def record(self, item_id: str, rule: str, detail: str) -> None:
        """Records that a rule moved the item or is the reason it is listed."""
        self.effects.setdefault(item_id, []).append(RuleEffect(rule, detail))

    def record_moves(self, rule: str, before: Sequence[Entry], after: Sequence[Entry], *, first: int) -> None:
        """Records how a rule changed the order of the first positions."""
        positions = {entry.item_id: position for position, entry in enumerate(before)}
        for position, entry in enumerate(after[:first]):
            if up := positions[entry.item_id] - position:
                detail = f"{abs(up)} place{'s' * (abs(up) > 1)} {'up' if up > 0 else 'down'}"
                self.record(entry.item_id, rule, detail)
