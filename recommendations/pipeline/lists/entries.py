"""From what the algorithms propose to lists as they are stored: shown items only, each with a true reason."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from accounts.tenancy import tenant_cache
from recommendations.algorithms.inference.recommender import Recommendations
from recommendations.cache.list_codec import CERTAIN, MAX_ITEMS, Chance, Entry, Provenance, Voice, encode
from recommendations.explanations.templates import FALLBACK_LOCALE, PARTS, explain, language
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import Person

# Proposed beyond the limit, for items that vanish from the catalogue while a list is made.
SPARE = 10
MODEL, POPULAR, AI, STATIC = "model", "popular", "ai", "static"
# Ends the part of an entry whose reason AI wrote, so that near line can keep the reason.
BY_AI = ":ai"
_OF_EVERYBODY = frozenset({"popularity", "recent_popularity"})


@dataclass(frozen=True, slots=True)
class Draft:
    """One person's list before it is stored. `degraded` says why AI, which was meant to, did not touch it."""

    person: Person
    source: str
    entries: tuple[Entry, ...]
    degraded: str | None = None
    simulated: bool = False
    arm: str = ""
    chance: Chance = CERTAIN

    def reranked(self, entries: Iterable[Entry], *, simulated: bool) -> "Draft":
        """The list in AI's order and words. Where explored places stood is not known of it any more."""
        chance = self.chance
        if chance.exploration is not None:
            chance = replace(chance, exploration=None, told=False)
        return replace(self, source=AI, entries=tuple(entries), simulated=simulated, chance=chance)

    def in_arm(self, arm: str, share: float) -> "Draft":
        """The list of an arm that the person is in with this probability."""
        return replace(self, arm=arm, chance=replace(self.chance, share=share))


def one_thread() -> AbstractContextManager[None]:
    """Inside, numerical libraries use one thread. Which there are is looked up once: it takes milliseconds."""
    limited: AbstractContextManager[None] = _controller().limit(limits=1)
    return limited


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def propose(
    *, loaded: Loaded, people: Sequence[Person], withheld: Collection[str], limit: int = MAX_ITEMS + SPARE
) -> list[Recommendations]:
    """One list per person, without the withheld items, a little longer than it will be shown. On one thread."""
    known = [loaded.history(person.events, person.weights, person.against, person.said) for person in people]
    with one_thread():
        return loaded.recommender.recommend(known, limit, filter_items=loaded.indices(list(withheld)))


def mentioned(loaded: Loaded, proposals: Iterable[Recommendations]) -> set[str]:
    """The ids of all items that these lists hold or give as evidence."""
    places = {place for each in proposals for place in (*each.items.tolist(), *each.evidence.ravel().tolist())}
    return {loaded.item_ids[place] for place in places if place >= 0}


def entries_of(
    *,
    loaded: Loaded,
    proposals: Recommendations,
    facts: Mapping[str, ItemFacts],
    locale: str,
    spoken: str = "",
    lukewarm: Collection[str] = (),
) -> list[Entry]:
    """Proposals as entries. `spoken` names the kind of reason where it is not that of the part.

    Of `lukewarm` items it is never said that they were liked: a reason rests on the others or, where there are none,
    says that the item is similar.
    """
    entries, item_ids = [], loaded.item_ids
    columns = (proposals.items.tolist(), proposals.scores.tolist(), proposals.evidence.tolist(), proposals.families)
    for place, score, places, part in zip(*columns, strict=True):
        item_id = item_ids[place]
        if item_id not in facts:
            continue
        spoke = () if part in _OF_EVERYBODY else tuple([item_ids[each] for each in places if each >= 0])
        said = spoken or part
        if spoke and PARTS.get(said, "liked") == "liked":
            spoke, said = (liked, said) if (liked := _without(spoke, lukewarm)) else (spoke, "similar")
        titles = tuple([facts[each].title for each in spoke if each in facts])
        reason = reason_of(said, titles, locale)
        entries.append(Entry(item_id, round(score, 6), reason, spoke, part))
    return entries


def _without(spoke: tuple[str, ...], lukewarm: Collection[str]) -> tuple[str, ...]:
    return tuple(each for each in spoke if each not in lukewarm)


@lru_cache(maxsize=10_000)
def reason_of(part: str, titles: tuple[str, ...], locale: str) -> str:
    """`explain`, remembered: lists of many people and items give the same reason many times."""
    return explain(part=part, evidence=titles, locale=locale)


def body(
    *,
    owner: str,
    entries: Sequence[Entry],
    facts: Mapping[str, ItemFacts],
    provenance: Provenance,
    locale: str,
    spoken: str = "",
    titles: tuple[str, ...] = (),
    reading: Mapping[str, Any] | None = None,
    chance: Chance = CERTAIN,
) -> bytes:
    """The stored form of a list; `reading` is what its reader has to do (recommendations.pipeline.ranking.pins).

    Its reasons are in the language of `locale`; of `spoken` and `titles`, where all rest on the same, as in `Voice`.
    """
    dated = {entry.item_id: facts[entry.item_id].until for entry in entries if entry.item_id in facts}
    until = {item_id: moment for item_id, moment in dated.items() if moment is not None}
    voice = Voice(language(locale), spoken, titles)
    return encode(
        provenance=provenance,
        owner=owner,
        entries=entries,
        until=until,
        reading=reading,
        voice=voice,
        chance=chance,
    )


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def tenant_locale(tenant_id: int) -> str:
    """The language of the tenant's people who have none of their own."""
    facts = tenant_cache.tenant(tenant_id)
    return facts.locale if facts else FALLBACK_LOCALE
