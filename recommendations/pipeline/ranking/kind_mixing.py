"""Mixing of kinds: the order in which a user's list takes items of its kinds, as a placement's `kinds` say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recommendations.cache.list_codec import Entry
from recommendations.list_kinds import FOR_YOU
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.rules import KindShare


@dataclass(frozen=True, slots=True)
class CandidateSource:
    """The candidates of one kind, best first."""

    kind: KindShare
    entries: Sequence[Entry]


def mix_kinds(sources: Sequence[CandidateSource], trace: Trace | None = None) -> list[Entry]:
    """Takes rounds of `take` items of each kind, then the rest, kind by kind. Each item is listed once."""
    seen: set[str] = set()
    mixed: list[Entry] = []
    queues = [(each.kind.kind, each.kind.take, iter(each.entries)) for each in sources]

    def deal(kind: str, queue: Iterable[Entry], most: int) -> int:
        dealt = 0
        for entry in queue:
            if entry.item_id not in seen:
                seen.add(entry.item_id)
                mixed.append(entry)
                if trace is not None and kind != FOR_YOU.key:
                    trace.record(entry.item_id, "kinds", f"from {kind}")
                dealt += 1
                if dealt == most:
                    break
        return dealt

    rounds = [each for each in queues if each[1]]
    while sum(deal(kind, queue, take) for kind, take, queue in rounds):
        pass
    for kind, _, queue in queues:
        deal(kind, queue, -1)
    return mixed
