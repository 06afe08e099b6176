"""Turns the algorithms' proposals into lists as they are stored: available items only, each with a true reason."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from msgspec import structs
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from accounts.tenancy import tenant_cache
from recommendations.algorithms.inference.recommender import Recommendations
from recommendations.cache.list_codec import CERTAIN, MAX_ITEMS, Chance, Entry, Provenance, StoredList, Voice, encode
from recommendations.explanations.templates import FALLBACK_LOCALE, PARTS, explain, language
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile

# Proposed beyond the limit, for items that vanish from the catalogue while a list is made.
SPARE = 10
MODEL, POPULAR, AI, STATIC = "model", "popular", "ai", "static"
# Suffix of the part of an entry whose reason AI wrote, so that near line can keep the reason.
BY_AI = ":ai"
_UNPERSONALISED = frozenset({"popularity", "recent_popularity"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A user's list before it is stored. `degraded` is the reason why an eligible list went without AI."""

    user: UserProfile
    source: str
    entries: tuple[Entry, ...]
    degraded: str | None = None
    simulated: bool = False
    arm: str = ""
    chance: Chance = CERTAIN

    def reranked(self, entries: Iterable[Entry], *, simulated: bool) -> "Draft":
        """The list in AI's order, with AI's reasons. The positions of explored items are no longer known."""
        chance = self.chance
        if chance.exploration is not None:
            chance = replace(chance, exploration=None, told=False)
        return replace(self, source=AI, entries=tuple(entries), simulated=simulated, chance=chance)

    def in_arm(self, arm: str, share: float) -> "Draft":
        """The list of an arm that the user is in with this probability."""
        return replace(self, arm=arm, chance=replace(self.chance, share=share))

    def with_ai_reasons_of(self, stored: StoredList) -> "Draft":
        """The list with the reasons that AI wrote in `stored` for the items that stay."""
        if not any(part.endswith(BY_AI) for part in stored.parts):
            return self
        written = {
            entry["item_id"]: (entry["reason"], tuple(item["item_id"] for item in entry["evidence"]), part)
            for entry, part in zip(stored.entries(), stored.parts, strict=True)
            if part.endswith(BY_AI)
        }
        entries = []
        for entry in self.entries:
            if entry.item_id in written:
                reason, evidence, part = written[entry.item_id]
                entries.append(structs.replace(entry, reason=reason, evidence=evidence, part=part))
            else:
                entries.append(entry)
        keeps_any = any(entry.item_id in written for entry in entries)
        return replace(self, entries=tuple(entries), simulated=keeps_any and stored.provenance.simulated)


def single_threaded() -> AbstractContextManager[None]:
    """Limits numerical libraries to one thread. They are looked up once: it takes milliseconds."""
    limited: AbstractContextManager[None] = _controller().limit(limits=1)
    return limited


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def propose(
    *, loaded: Loaded, users: Sequence[UserProfile], withdrawn: Collection[str], limit: int = MAX_ITEMS + SPARE
) -> list[Recommendations]:
    """Recommendations for each user, without withdrawn items, a little longer than the list. On one thread."""
    histories = [user.history_in(loaded) for user in users]
    with single_threaded():
        return loaded.recommender.recommend(histories, limit, filter_items=loaded.indices(list(withdrawn)))


def mentioned_ids(loaded: Loaded, proposals: Iterable[Recommendations]) -> set[str]:
    """The ids of all items that are proposed or given as evidence."""
    parts = [part for each in proposals for part in (each.items, each.evidence.ravel())]
    indices = np.unique(np.concatenate([*parts, np.empty(0, dtype=np.int32)]))
    return {loaded.item_ids[index] for index in indices[indices >= 0].tolist()}


def to_entries(
    *,
    loaded: Loaded,
    proposals: Recommendations,
    facts: Mapping[str, ItemFacts],
    locale: str,
    reason_kind: str = "",
    rated_below_mean: Collection[str] = (),
) -> list[Entry]:
    """Recommendations as entries. `reason_kind` overrides the kind of reason that follows from an entry's part.

    A reason never says that the user liked a `rated_below_mean` item: it rests on the others or, if there are none,
    says that the item is similar.
    """
    entries, item_ids = [], loaded.item_ids
    # Rounded as Python rounds, all at once.
    scores = np.round(proposals.scores.astype(np.float64), 6).tolist()
    columns = (proposals.items.tolist(), scores, proposals.evidence.tolist(), proposals.families)
    for index, score, places, part in zip(*columns, strict=True):
        item_id = item_ids[index]
        if item_id not in facts:
            continue
        kind = reason_kind or part
        evidence: tuple[str, ...] = ()
        titles: tuple[str, ...] = ()
        if places[0] >= 0 and part not in _UNPERSONALISED:
            evidence = tuple([item_ids[each] for each in places if each >= 0])
            if rated_below_mean and PARTS.get(kind, "liked") == "liked":
                liked = tuple([each for each in evidence if each not in rated_below_mean])
                evidence, kind = (liked, kind) if liked else (evidence, "similar")
            titles = tuple([facts[each].title for each in evidence if each in facts])
        entries.append(Entry(item_id, score, cached_reason(kind, titles, locale), evidence, part))
    return entries


@lru_cache(maxsize=20_000)
def cached_reason(part: str, titles: tuple[str, ...], locale: str) -> str:
    """`explain`, cached: lists of many users and items give the same reason many times."""
    return explain(part=part, evidence=titles, locale=locale)


def encode_list(
    *,
    owner: str,
    entries: Sequence[Entry],
    facts: Mapping[str, ItemFacts],
    provenance: Provenance,
    locale: str,
    reason_kind: str = "",
    titles: tuple[str, ...] = (),
    reading: Mapping[str, Any] | None = None,
    chance: Chance = CERTAIN,
) -> bytes:
    """The stored form of a list; `reading` holds the rules that its reader applies.

    Its reasons are in the language of `locale`. `reason_kind` and `titles` are what all of them rest on, as in `Voice`.
    """
    until = {
        entry.item_id: moment
        for entry in entries
        if (known := facts.get(entry.item_id)) is not None and (moment := known.until) is not None
    }
    return encode(
        provenance=provenance,
        owner=owner,
        entries=entries,
        until=until,
        reading=reading,
        voice=Voice(language(locale), reason_kind, titles),
        chance=chance,
    )


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def tenant_locale(tenant_id: int) -> str:
    """The language for the tenant's users that have none of their own."""
    facts = tenant_cache.tenant(tenant_id)
    return facts.locale if facts else FALLBACK_LOCALE
