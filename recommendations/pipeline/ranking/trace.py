"""What the rules did to one person's list, told by the code that applies them. Telling changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from recommendations.cache.list_codec import Entry


@dataclass(frozen=True, slots=True)
class Deed:
    """What one rule did to an item."""

    rule: str
    detail: str


@dataclass(slots=True)
class Trace:
    """By item id: its rank (from 1) before the rules, which rule left it out, and what others did to it."""

    proposed: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, Deed] = field(default_factory=dict)
    deeds: dict[str, list[Deed]] = field(default_factory=dict)

    def propose(self, entries: Sequence[Entry]) -> None:
        """What there was before the rules."""
        self.proposed = {entry.item_id: rank for rank, entry in enumerate(entries, start=1)}

    def leave_out(self, item_id: str, rule: str, detail: str) -> None:
        """The item is not in the list; the first rule that says so is named."""
        self.left_out.setdefault(item_id, Deed(rule, detail))

    def did(self, item_id: str, rule: str, detail: str) -> None:
        """The item stands otherwise than it would, or for this reason."""
        self.deeds.setdefault(item_id, []).append(Deed(rule, detail))

    def moved(self, rule: str, before: Sequence[Entry], after: Sequence[Entry], *, first: int) -> None:
        """An order became another; told of the first places."""
        places = {entry.item_id: place for place, entry in enumerate(before)}
        for place, entry in enumerate(after[:first]):
            if up := places[entry.item_id] - place:
                self.did(entry.item_id, rule, f"{abs(up)} place{'s' * (abs(up) > 1)} {'up' if up > 0 else 'down'}")
