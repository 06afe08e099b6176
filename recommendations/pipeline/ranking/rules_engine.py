"""A placement's rules applied to what was proposed for one person: a pure function of both.

In this order: what may not be there goes (hidden, filtered, consumed); boosts move scores; the kinds are mixed; then
diversity, caps and the share of fresh items choose among what is left, place by place. Pins come last, after AI
(recommendations.pipeline.ranking.pins).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recommendations.cache.list_codec import Entry
from recommendations.filter_language import Node, Person, bind, holds
from recommendations.list_kinds import FOR_YOU
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.rules import Boost, Cap, FreshShare, KindShare, PlacementRules

Facts = Mapping[str, ItemFacts]
# Similarity of the items at these ids, as a square matrix with values from 0 to 1.
Likeness = Callable[[Sequence[str]], NDArray[np.float64]]
# Places that diversity decides; what follows keeps its order.
DIVERSE_PLACES = 40
GONE = "catalogue"
# What is told of an item that a rule leaves out.
LEFT_OUT = {
    GONE: "not in the catalogue, or not shown now",
    "hide": "hidden at this placement",
    "consumed": "chosen already, or turned down",
    "filter": "does not meet the filter",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What one kind proposes, best first."""

    kind: KindShare
    entries: Sequence[Entry]


def arrange(
    *,
    sources: Sequence[Source],
    rules: PlacementRules,
    facts: Facts,
    person: Person,
    consumed: Collection[str],
    latest: Sequence[Entry],
    likeness: Likeness,
    now: datetime,
    limit: int,
    trace: Trace | None = None,
) -> list[Entry]:
    """At most `limit` entries. `latest` is where fresh items come from beyond those proposed; `trace` is told all."""
    boosts = [Boost(bind(each.when, person=person, now=now), each.factor) for each in rules.boosts]
    allowed = allowed_by(rules, facts=facts, person=person, consumed=consumed, now=now, trace=trace)

    mixed = mix([Source(each.kind, boosted(allowed(each.entries), boosts, facts, trace)) for each in sources], trace)
    if rules.diversity is not None:
        alike = categories_alike(facts) if rules.diversity.over == "categories" else likeness
        spread = diverse(mixed, rules.diversity.relevance, alike)
        if trace is not None:
            trace.moved("diversity", mixed, spread, first=DIVERSE_PLACES)
        mixed = spread
    if rules.fresh is not None:
        mixed = freshened(mixed, rules.fresh, allowed(latest), facts, now, trace)
    for cap in rules.caps:
        mixed = capped(mixed, cap, facts, trace)
    return mixed[:limit]


def allowed_by(
    rules: PlacementRules,
    *,
    facts: Facts,
    person: Person,
    consumed: Collection[str],
    now: datetime,
    trace: Trace | None = None,
) -> "Allowed":
    """Return a filter of entries: it keeps those that these rules let into the person's list at all."""
    wanted = None if rules.filter is None else bind(rules.filter, person=person, now=now)
    return Allowed(rules.hide, consumed, wanted, facts, trace)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be in the list at all."""

    hide: Collection[str]
    consumed: Collection[str]
    wanted: Node | None
    facts: Facts
    trace: Trace | None

    def __call__(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those entries that may."""
        kept = []
        for entry in entries:
            rule = self._barred(entry.item_id)
            if rule is None:
                kept.append(entry)
            elif self.trace is not None:
                self.trace.leave_out(entry.item_id, rule, LEFT_OUT[rule])
        return kept

    def _barred(self, item_id: str) -> str | None:
        """The rule that leaves the item out."""
        if item_id not in self.facts:
            return GONE
        if item_id in self.hide:
            return "hide"
        if item_id in self.consumed:
            return "consumed"
        return None if self.wanted is None or holds(self.wanted, self.facts[item_id]) else "filter"


def boosted(entries: list[Entry], boosts: Sequence[Boost], facts: Facts, trace: Trace | None = None) -> list[Entry]:
    """Scores, counted from the lowest, times the factors of all boosts that an item meets; then in their order."""
    if not boosts or not entries:
        return entries
    floor = min(entry.score for entry in entries)
    step = (max(entry.score for entry in entries) - floor) / len(entries) or 1.0
    found = []
    for entry in entries:
        score = entry.score - floor + step  # the last one has something to multiply, too
        for number, boost in enumerate(boosts, start=1):
            if holds(boost.when, facts[entry.item_id]):
                score *= boost.factor
                if trace is not None:
                    trace.did(entry.item_id, "boosts", f"score times {boost.factor:g} (boost {number})")
        found.append(replace(entry, score=round(score, 6)))
    return sorted(found, key=lambda entry: -entry.score)


def mix(sources: Sequence[Source], trace: Trace | None = None) -> list[Entry]:
    """Rounds of `take` items of each kind; then what the others have, kind by kind. Each item once."""
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
                    trace.did(entry.item_id, "kinds", f"from {kind}")
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


def categories_alike(facts: Facts) -> Likeness:
    """Jaccard's index of the categories."""

    def alike(item_ids: Sequence[str]) -> NDArray[np.float64]:
        names = sorted({name for item_id in item_ids for name in facts[item_id].categories})
        place = {name: index for index, name in enumerate(names)}
        held = np.zeros((len(item_ids), max(1, len(names))))
        for row, item_id in enumerate(item_ids):
            held[row, [place[name] for name in facts[item_id].categories]] = 1.0
        both = held @ held.T
        sizes = held.sum(axis=1)
        either = sizes[:, None] + sizes[None, :] - both
        return np.asarray(np.divide(both, either, out=np.zeros_like(both), where=either > 0))

    return alike


def diverse(entries: list[Entry], relevance: float, likeness: Likeness) -> list[Entry]:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) for the first places.

    Next comes the item with the largest relevance * r - (1 - relevance) * (likeness to what is chosen already), where
    r falls evenly from 1 over the list, so that scores of different kinds need not be comparable.
    """
    if relevance >= 1 or len(entries) < 2:
        return entries
    similar = likeness([entry.item_id for entry in entries])
    rank = 1.0 - np.arange(len(entries)) / len(entries)
    nearest = np.zeros(len(entries))
    open_ = np.ones(len(entries), dtype=bool)
    order: list[int] = []
    for _ in range(min(DIVERSE_PLACES, len(entries))):
        gain = np.where(open_, relevance * rank - (1 - relevance) * nearest, -np.inf)
        best = int(gain.argmax())
        order.append(best)
        open_[best] = False
        nearest = np.maximum(nearest, similar[best])
    return [entries[index] for index in [*order, *np.flatnonzero(open_).tolist()]]


def freshened(
    entries: list[Entry],
    fresh: FreshShare,
    latest: list[Entry],
    facts: Facts,
    now: datetime,
    trace: Trace | None = None,
) -> list[Entry]:
    """At each place so far, at least the share (rounded down) is fresh; as soon as it is not, the next fresh one comes.

    Fresh items come in the order of the list, then the newest of the catalogue.
    """
    since = now - timedelta(days=fresh.days)

    def is_fresh(entry: Entry) -> bool:
        created = facts[entry.item_id].created_at
        return created is not None and created > since

    listed = {entry.item_id for entry in entries}
    young = [entry for entry in entries if is_fresh(entry)]
    young += [entry for entry in latest if entry.item_id not in listed and is_fresh(entry)]
    waiting, position = iter(young), 0
    placed: set[str] = set()
    arranged: list[Entry] = []
    count = 0
    while len(arranged) < len(entries):
        pick = None
        if count < int(fresh.share * (len(arranged) + 1)):
            pick = next((entry for entry in waiting if entry.item_id not in placed), None)
            if pick is not None and trace is not None:
                trace.did(pick.item_id, "fresh", f"younger than {fresh.days} days")
        while pick is None and position < len(entries):
            if entries[position].item_id not in placed:
                pick = entries[position]
            position += 1
        if pick is None:
            break
        placed.add(pick.item_id)
        arranged.append(pick)
        count += is_fresh(pick)
    return arranged


def capped(entries: list[Entry], cap: Cap, facts: Facts, trace: Trace | None = None) -> list[Entry]:
    """Within the first places, what would be one too many waits behind them; a list that holds nothing else is full."""
    counts: Counter[str] = Counter()
    first: list[Entry] = []
    waiting: list[Entry] = []
    for index, entry in enumerate(entries):
        if len(first) >= cap.within:
            return [*first, *waiting, *entries[index:]]
        values = _values(facts[entry.item_id], cap.attribute)
        if any(counts[value] >= cap.most for value in values):
            waiting.append(entry)
            if trace is not None:
                said = f"behind the first {cap.within}: {cap.most} with its {cap.attribute} are there"
                trace.did(entry.item_id, "caps", said)
        else:
            counts.update(values)
            first.append(entry)
    return [*first, *waiting]


def _values(item: ItemFacts, attribute: str) -> set[str]:
    if attribute == "categories":
        return set(item.categories)
    value = item.attributes.get(attribute.removeprefix("attributes."))
    if value is None:
        return set()
    return set(value) if isinstance(value, list) else {str(value)}
