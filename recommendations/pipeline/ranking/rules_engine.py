"""Applies a placement's rules to the candidates for one user: a pure function of both.

In this order: ineligible items are excluded (hidden, filtered, consumed); boosts change scores; the kinds are mixed;
then diversity, the share of fresh items and caps reorder the result, position by position. Pins come last, after AI
(recommendations.pipeline.ranking.pins).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from recommendations.cache.list_codec import Entry
from recommendations.filter_language import Node, Person, bind, holds
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.ranking.kind_mixing import CandidateSource, mix_kinds
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.rules import Boost, Cap, FreshShare, PlacementRules

Facts = Mapping[str, ItemFacts]
# Similarity of the items with these ids, as a square matrix with values from 0 to 1.
Similarity = Callable[[Sequence[str]], NDArray[np.float64]]
# Positions that diversity decides; the rest keeps its order.
DIVERSE_POSITIONS = 40
UNAVAILABLE = "catalogue"
# Explanations of the rules that exclude an item.
EXCLUSIONS = {
    UNAVAILABLE: "not in the catalogue, or not shown now",
    "hide": "hidden at this placement",
    "consumed": "chosen already, or turned down",
    "filter": "does not meet the filter",
}


def apply_rules(
    *,
    sources: Sequence[CandidateSource],
    rules: PlacementRules,
    facts: Facts,
    user: Person,
    consumed: Collection[str],
    latest: Sequence[Entry],
    similarity: Similarity,
    now: datetime,
    limit: int,
    trace: Trace | None = None,
) -> list[Entry]:
    """The list by the rules, at most `limit` entries. FreshShare items beyond the candidates come from `latest`."""
    boosts = [Boost(bind(each.when, person=user, now=now), each.factor) for each in rules.boosts]
    eligible = eligibility_filter(rules, facts=facts, user=user, consumed=consumed, now=now, trace=trace)
    boosted = [
        CandidateSource(source.kind, apply_boosts(eligible(source.entries), boosts, facts, trace)) for source in sources
    ]
    mixed = mix_kinds(boosted, trace)
    if rules.diversity is not None:
        by_categories = rules.diversity.over == "categories"
        spread = diversify(
            mixed, rules.diversity.relevance, category_similarity(facts) if by_categories else similarity
        )
        if trace is not None:
            trace.record_moves("diversity", mixed, spread, first=DIVERSE_POSITIONS)
        mixed = spread
    if rules.fresh is not None:
        mixed = mix_in_fresh(mixed, rules.fresh, eligible(latest), facts, now, trace)
    for cap in rules.caps:
        mixed = apply_cap(mixed, cap, facts, trace)
    return mixed[:limit]


def eligibility_filter(
    rules: PlacementRules,
    *,
    facts: Facts,
    user: Person,
    consumed: Collection[str],
    now: datetime,
    trace: Trace | None = None,
) -> "EligibilityFilter":
    """A filter of entries that keeps those which the rules allow in the user's list."""
    condition = None if rules.filter is None else bind(rules.filter, person=user, now=now)
    return EligibilityFilter(rules.hide, consumed, condition, facts, trace)


@dataclass(frozen=True, slots=True)
class EligibilityFilter:
    """Excludes entries that may not be in the list at all."""

    hide: Collection[str]
    consumed: Collection[str]
    condition: Node | None
    facts: Facts
    trace: Trace | None

    def __call__(self, entries: Iterable[Entry]) -> list[Entry]:
        """The eligible entries."""
        eligible = []
        for entry in entries:
            rule = self._excluded_by(entry.item_id)
            if rule is None:
                eligible.append(entry)
            elif self.trace is not None:
                self.trace.exclude(entry.item_id, rule, EXCLUSIONS[rule])
        return eligible

    def _excluded_by(self, item_id: str) -> str | None:
        """The rule that excludes the item."""
        if item_id not in self.facts:
            return UNAVAILABLE
        if item_id in self.hide:
            return "hide"
        if item_id in self.consumed:
            return "consumed"
        return None if self.condition is None or holds(self.condition, self.facts[item_id]) else "filter"


def apply_boosts(
    entries: list[Entry], boosts: Sequence[Boost], facts: Facts, trace: Trace | None = None
) -> list[Entry]:
    """Multiplies scores, counted from the lowest, by the factors of the boosts that an item meets, and sorts."""
    if not boosts or not entries:
        return entries
    floor = min(entry.score for entry in entries)
    step = (max(entry.score for entry in entries) - floor) / len(entries) or 1.0
    scored = []
    for entry in entries:
        score = entry.score - floor + step  # so that the last one has something to multiply, too
        for number, boost in enumerate(boosts, start=1):
            if holds(boost.when, facts[entry.item_id]):
                score *= boost.factor
                if trace is not None:
                    trace.record(entry.item_id, "boosts", f"score times {boost.factor:g} (boost {number})")
        scored.append(structs.replace(entry, score=round(score, 6)))
    return sorted(scored, key=lambda entry: -entry.score)


def category_similarity(facts: Facts) -> Similarity:
    """Jaccard similarity of the items' categories."""

    def similarity(item_ids: Sequence[str]) -> NDArray[np.float64]:
        names = sorted({name for item_id in item_ids for name in facts[item_id].categories})
        column = {name: index for index, name in enumerate(names)}
        has = np.zeros((len(item_ids), max(1, len(names))))
        for row, item_id in enumerate(item_ids):
            has[row, [column[name] for name in facts[item_id].categories]] = 1.0
        both = has @ has.T
        sizes = has.sum(axis=1)
        either = sizes[:, None] + sizes[None, :] - both
        return np.asarray(np.divide(both, either, out=np.zeros_like(both), where=either > 0))

    return similarity


def diversify(entries: list[Entry], relevance: float, similarity: Similarity) -> list[Entry]:
    """Reorders the first positions by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    The next item maximises `relevance` * r - (1 - `relevance`) * (similarity to the items chosen so far), where r falls
    linearly from 1 over the list, so that scores of different kinds need not be comparable.
    """
    if relevance >= 1 or len(entries) < 2:
        return entries
    similar = similarity([entry.item_id for entry in entries])
    rank = 1.0 - np.arange(len(entries)) / len(entries)
    nearest = np.zeros(len(entries))
    open_ = np.ones(len(entries), dtype=bool)
    order: list[int] = []
    for _ in range(min(DIVERSE_POSITIONS, len(entries))):
        gain = np.where(open_, relevance * rank - (1 - relevance) * nearest, -np.inf)
        best = int(gain.argmax())
        order.append(best)
        open_[best] = False
        nearest = np.maximum(nearest, similar[best])
    return [entries[index] for index in [*order, *np.flatnonzero(open_).tolist()]]


def mix_in_fresh(
    entries: list[Entry],
    fresh: FreshShare,
    latest: list[Entry],
    facts: Facts,
    now: datetime,
    trace: Trace | None = None,
) -> list[Entry]:
    """Keeps the share of fresh items (rounded down) up to each position: where it is missed, the next fresh item comes.

    FreshShare items come in the order of the list, then the newest of the catalogue.
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
    ordered: list[Entry] = []
    count = 0
    while len(ordered) < len(entries):
        pick = None
        if count < int(fresh.share * (len(ordered) + 1)):
            pick = next((entry for entry in waiting if entry.item_id not in placed), None)
            if pick is not None and trace is not None:
                trace.record(pick.item_id, "fresh", f"younger than {fresh.days} days")
        while pick is None and position < len(entries):
            if entries[position].item_id not in placed:
                pick = entries[position]
            position += 1
        if pick is None:
            break
        placed.add(pick.item_id)
        ordered.append(pick)
        count += is_fresh(pick)
    return ordered


def apply_cap(entries: list[Entry], cap: Cap, facts: Facts, trace: Trace | None = None) -> list[Entry]:
    """Moves entries that exceed the cap behind the first positions; a list of nothing else keeps them there."""
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
                detail = f"behind the first {cap.within}: {cap.most} with its {cap.attribute} are there"
                trace.record(entry.item_id, "caps", detail)
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
