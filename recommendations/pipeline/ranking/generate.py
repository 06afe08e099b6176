"""Everybody's lists for every placement: what algorithms propose, arranged by the rules of each placement's version."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from accounts.tenancy import scope
from recommendations import filter_language
from recommendations.algorithms.inference.recommender import Recommendations
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.cache.list_codec import CERTAIN, HEAD, MAX_ITEMS, Chance, Entry
from recommendations.catalog import availability
from recommendations.list_kinds import BECAUSE, FOR_YOU, LATEST, SEGMENT
from recommendations.list_kinds import POPULAR as POPULAR_KIND
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import pools
from recommendations.pipeline.candidates.pools import Pools
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import MODEL, POPULAR, SPARE, STATIC, Draft
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import Person
from recommendations.pipeline.ranking import exploration
from recommendations.pipeline.ranking.rules_engine import Source, allowed_by, arrange
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.fallback_policy import segment_subjects
from recommendations.placements.rules import KindShare, PlacementRules, return_moment

# Proposed for a placement whose rules leave items out or move them, so that lists stay full.
DEEP = 400
# Sources of a because-list: the newest choices, of which the first with neighbours is named.
RECENT_CHOICES = 5
Key = TypeVar("Key", bound=Hashable)
# The parts of what is common to everybody.
_COMMON = frozenset({"popularity", "recent_popularity", SEGMENT.key, LATEST.key})


@dataclass(frozen=True, slots=True)
class Placed(Generic[Key]):
    """Drafts by set of rules and place among the people, facts that reasons rest on, and which items may be shown."""

    drafts: Mapping[Key, Mapping[int, Draft]]
    facts: Mapping[str, ItemFacts]
    shown: frozenset[str]


def place(
    *,
    tenant_id: int,
    loaded: Loaded,
    people: Sequence[Person],
    rules: Mapping[Key, PlacementRules],
    texts: bool,
    now: datetime,
    locale: str,
    whose: Mapping[Key, Sequence[int]] | None = None,
    trace: Trace | None = None,
) -> Placed[Key]:
    """Makes the lists of these people by each of these rules. `texts` also brings what AI needs.

    With `whose` only of those at these places among the people, for each of the rules. `trace`, for one person and one
    set of rules, is told what the rules do.
    """
    whose = whose or dict.fromkeys(rules, range(len(people)))
    ruled = any(not each.plain for each in rules.values())
    with scope.tenant(tenant_id):
        withheld = availability.withdrawn_ids(tenant_id=tenant_id, now=now)
    proposals = lists.propose(
        loaded=loaded, people=people, withheld=withheld, limit=DEEP if ruled else MAX_ITEMS + SPARE
    )
    returning = _returning(loaded, people, rules, whose, withheld, now)
    cold = [not any(loaded.place(item_id) is not None for item_id, _ in person.events) for person in people]
    common = Pools()
    if ruled or any(cold):
        by = frozenset(each.segment_by for each in rules.values())
        common = pools.of(tenant_id=tenant_id, loaded=loaded, by=by, locale=locale, now=now)
    named = lists.mentioned(loaded, proposals) | _named(rules, common)
    for each in returning.values():
        named |= lists.mentioned(loaded, each.values())
    if texts or ruled:
        named |= {item_id for person in people for item_id, _ in person.events}
    because = _because(loaded, people, rules, whose, withheld)
    named |= lists.mentioned(loaded, because.values())
    with scope.tenant(tenant_id):
        facts = item_facts.facts(tenant_id=tenant_id, item_ids=named, texts=texts or ruled)
    # The pools are some minutes old; what has been withdrawn since must be in no new list (docs/adr/0010).
    shown = frozenset(facts.keys() - set(withheld))
    making = _Making(loaded, common.only(shown), facts, now, locale, trace)
    return Placed(
        {
            key: {
                index: making.draft(each, people[index], own[index], because.get(index), is_cold=cold[index])
                for index in whose[key]
            }
            for key, each in rules.items()
            for own in [returning.get(key, dict(enumerate(proposals)))]
        },
        facts,
        shown,
    )


@dataclass(frozen=True, slots=True)
class _Making:
    """What all lists of one call share."""

    loaded: Loaded
    common: Pools
    facts: Mapping[str, ItemFacts]
    now: datetime
    locale: str
    trace: Trace | None = None

    def draft(
        self,
        rules: PlacementRules,
        person: Person,
        own: Recommendations,
        because: Recommendations | None,
        *,
        is_cold: bool,
    ) -> Draft:
        """One person's list at one placement."""
        locale = person.locale or self.locale
        chance = CERTAIN
        if is_cold:
            entries, chance = self._for_nobody_known(rules, person)
        else:
            entries = lists.entries_of(
                loaded=self.loaded, proposals=own, facts=self.facts, locale=locale, lukewarm=person.lukewarm
            )
        if self.trace is not None and not is_cold:
            self.trace.propose(entries)
        if rules.plain and not is_cold:
            return Draft(person, MODEL, tuple(entries[:MAX_ITEMS]))
        sources = [Source(kind, self._entries(kind, entries, because, locale)) for kind in rules.kinds]
        if all(source.kind.kind != FOR_YOU.key for source in sources):
            sources.append(Source(KindShare(FOR_YOU.key), entries))
        made = self._arranged(sources, rules, person)
        if len(made) < HEAD:
            made = self._filled(made, rules, person)
        source = MODEL
        if is_cold:
            source = STATIC if all(entry.part == LATEST.key for entry in made) else POPULAR
        return Draft(person, source, tuple(_told(entry, locale) for entry in made), chance=chance)

    def _arranged(self, sources: Sequence[Source], rules: PlacementRules, person: Person) -> list[Entry]:
        return arrange(
            sources=sources,
            rules=rules,
            facts=self.facts,
            person=_of_rules(person),
            consumed=consumed(rules, person, self.now),
            latest=self.common.of_kind(LATEST.key),
            likeness=self._likeness,
            now=self.now,
            limit=MAX_ITEMS,
            trace=self.trace,
        )

    def _filled(self, made: list[Entry], rules: PlacementRules, person: Person) -> list[Entry]:
        """A list of which the rules left little, with what is popular and new as far as they let it in."""
        listed = {entry.item_id for entry in made}
        pools = ((kind.key, self.common.of_kind(kind.key)) for kind in (POPULAR_KIND, LATEST))
        sources = [
            Source(KindShare(kind), [entry for entry in pool if entry.item_id not in listed]) for kind, pool in pools
        ]
        more = self._arranged(sources, replace(rules, diversity=None, caps=(), fresh=None), person)
        return [*made, *more][:MAX_ITEMS]

    def _entries(
        self, kind: KindShare, own: Sequence[Entry], because: Recommendations | None, locale: str
    ) -> Sequence[Entry]:
        if kind.kind == FOR_YOU.key:
            return own
        if kind.kind == BECAUSE.key:
            if because is None:
                return ()
            return lists.entries_of(
                loaded=self.loaded, proposals=because, facts=self.facts, locale=locale, spoken=BECAUSE.key
            )
        return self.common.of_kind(kind.kind)

    def _for_nobody_known(self, rules: PlacementRules, person: Person) -> tuple[list[Entry], Chance]:
        """Of whom nothing is known gets what their segment likes, then everybody, and now and then something new.

        What may not be in the list goes before anything is drawn, so that the probabilities are those of its places.
        """
        own = segment_subjects(rules.segment_by, segments=person.segments, attributes=person.attributes)
        known = {**self.common.by_kind, SEGMENT.key: self.common.of_segments(own)}
        order = [name for name in rules.fallback if name in known and name != LATEST.key] or [LATEST.key]
        first: dict[str, Entry] = {}
        for entry in (entry for name in order for entry in known[name]):
            first.setdefault(entry.item_id, entry)
        if self.trace is not None:
            self.trace.propose(list(first.values()))
        allowed = allowed_by(
            rules,
            facts=self.facts,
            person=_of_rules(person),
            consumed=consumed(rules, person, self.now),
            now=self.now,
            trace=self.trace,
        )
        main = allowed(first.values())
        listed = {entry.item_id for entry in main[:HEAD]}
        new = [entry for entry in allowed(self.common.of_kind(LATEST.key)) if entry.item_id not in listed]
        found, chance = exploration.draw(
            known=main, new=new, share=rules.exploration, user_id=person.user_id, day=self.now.date()
        )
        return found, chance if chance == CERTAIN or exploration.told(rules) else Chance(told=False)

    def _likeness(self, item_ids: Sequence[str]) -> NDArray[np.float64]:
        """Cosine of the items' rows in the matrix that answers "similar items"; 0 for items without one."""
        artefact = self.loaded.recommender.artefact
        part = artefact.fitted[artefact.chosen["similar_from"]]
        assert isinstance(part, ItemMatrix)
        places = [self.loaded.index(item_id) for item_id in item_ids]
        rows = sparse.csr_array(part.values[[place if place is not None else 0 for place in places]])
        known = np.array([place is not None for place in places], dtype=float)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        scale = np.divide(known, lengths, out=np.zeros_like(known), where=lengths > 0)
        unit = sparse.diags_array(scale) @ rows
        return np.asarray(np.clip((unit @ unit.T).toarray(), 0.0, 1.0))


def consumed(rules: PlacementRules, person: Person, now: datetime) -> set[str]:
    """Return what of the person's own the rules keep out of their lists; nothing where it may always come again."""
    away = return_moment(rules.consumed, now)
    if away == float("inf"):
        return set()
    return {item_id for item_id, at in person.events if away is None or at > away} | {
        item_id for item_id, *_ in person.against
    }


def _of_rules(person: Person) -> filter_language.Person:
    """The person as conditions see them."""
    return filter_language.Person(person.user_id, person.locale, person.segments, person.attributes)


def _told(entry: Entry, locale: str) -> Entry:
    """A common entry with its reason in the person's language; the others have theirs."""
    common = entry.part in _COMMON and not entry.evidence
    return replace(entry, reason=lists.reason_of(entry.part, (), locale)) if common else entry


def _returning(
    loaded: Loaded,
    people: Sequence[Person],
    rules: Mapping[Key, PlacementRules],
    whose: Mapping[Key, Sequence[int]],
    withheld: Sequence[str],
    now: datetime,
) -> dict[Key, dict[int, Recommendations]]:
    """Proposals by the rules under which consumed items may come again."""
    found: dict[Key, dict[int, Recommendations]] = {}
    with lists.one_thread():
        for key, each in rules.items():
            away = return_moment(each.consumed, now)
            if away is None:
                continue
            asked = [people[index] for index in whose[key]]
            known = [loaded.history(person.events, person.weights, person.against, person.said) for person in asked]
            barred = [
                loaded.indices(
                    [item_id for item_id, at in person.events if at > away]
                    + [item_id for item_id, *_ in person.against]
                )
                for person in asked
            ]
            proposed = loaded.recommender.recommend(
                known,
                DEEP,
                filter_items=loaded.indices(list(withheld)),
                filter_user_items=barred,
                filter_already_liked_items=False,
            )
            found[key] = dict(zip(whose[key], proposed, strict=True))
    return found


def _because(
    loaded: Loaded,
    people: Sequence[Person],
    rules: Mapping[Key, PlacementRules],
    whose: Mapping[Key, Sequence[int]],
    withheld: Sequence[str],
) -> dict[int, Recommendations]:
    """Neighbours of the newest choice that has some, by the person's place."""
    wanted = {
        index
        for key, each in rules.items()
        if any(kind.kind == BECAUSE.key for kind in each.kinds)
        for index in whose[key]
    }
    if not wanted:
        return {}
    barred = loaded.indices(list(withheld))
    found: dict[int, Recommendations] = {}
    for index in sorted(wanted):
        person = people[index]
        own = loaded.indices([item_id for item_id, _ in person.events])
        liked = [item_id for item_id, _ in reversed(person.events) if item_id not in person.lukewarm]
        for item_id in list(dict.fromkeys(liked))[:RECENT_CHOICES]:
            place = loaded.index(item_id)
            if place is None:
                continue
            near = loaded.recommender.similar_items(place, MAX_ITEMS, filter_items=np.concatenate([barred, own]))
            if len(near.items):
                found[index] = near
                break
    return found


def _named(rules: Mapping[Key, PlacementRules], common: Pools) -> set[str]:
    named = {entry.item_id for pool in common.by_kind.values() for entry in pool}
    named |= {entry.item_id for pool in common.segments.values() for entry in pool}
    return named | {pin.item_id for each in rules.values() for pin in each.pins}
