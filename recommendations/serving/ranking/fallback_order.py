"""An order without the artefact: the person's own list, what is popular in their segment and with everybody, and last
the order in which the items were given.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from msgspec import structs

from recommendations.algorithms.models.protocol import ItemVector
from recommendations.cache.list_codec import Entry, StoredList
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.placements.fallback_policy import FallbackPolicy
from recommendations.serving.lists import fallback
from recommendations.serving.lists.fallback import FallbackResolver
from recommendations.serving.read.resolved import DATABASE_AWAY


@dataclass(frozen=True, slots=True)
class FallbackOrder:
    """The entries, best first, with scores that fall evenly from 1; the source is that of the first step that knew any
    of the items. `of_list`: it was the person's own list."""

    entries: Sequence[Entry]
    source: str
    of_list: bool = False


def order(
    item_ids: Sequence[str],
    *,
    own: StoredList | None,
    fallbacks: Sequence[StoredList],
    loaded: Loaded | None,
    locale: str,
) -> FallbackOrder:
    """These items, of which each step takes those that it knows in its own order."""
    wanted, source = set(item_ids), ""
    found: dict[str, Entry] = {}
    steps = [*_told(own, fallbacks, locale), _by_popularity(item_ids, loaded, locale)]
    of_list = False
    for number, (made_by, entries) in enumerate(steps):
        new = [entry for entry in entries if entry.item_id in wanted and entry.item_id not in found]
        if new and not source:
            source, of_list = made_by, own is not None and number == 0
        found |= {entry.item_id: entry for entry in new}
    general = lists.cached_reason("", (), locale)
    ranked = [*found.values(), *(Entry(item_id, 0.0, general) for item_id in item_ids if item_id not in found)]
    falling = [_at(entry, 1 - place / len(ranked)) for place, entry in enumerate(ranked)]
    return FallbackOrder(falling, source or lists.STATIC, of_list)


def fallback_lists(resolver: FallbackResolver, policy: FallbackPolicy, tenant_id: int) -> list[StoredList]:
    """Return the lists of the build that the policy names, best first; without a server the last known popular list."""
    with suppress(*DATABASE_AWAY):
        resolver.load([policy])
    last_known = fallback.last_known_popular(tenant_id)
    return resolver.stored_lists(policy) or ([] if last_known is None else [last_known])


def _told(
    own: StoredList | None, fallbacks: Sequence[StoredList], locale: str
) -> Iterator[tuple[str, Sequence[Entry]]]:
    """The steps' sources and entries: those of the person's own list with its reasons, others told anew."""
    if own is not None:
        yield (
            own.provenance.source,
            [structs.replace(entry, score=0.0) for entry in own.typed_entries()],
        )
    for stored in fallbacks:
        yield (
            stored.provenance.source,
            [
                Entry(entry.item_id, 0.0, lists.cached_reason(entry.part, (), locale), (), entry.part)
                for entry in stored.typed_entries()
            ],
        )


def _by_popularity(item_ids: Sequence[str], loaded: Loaded | None, locale: str) -> tuple[str, Sequence[Entry]]:
    """Those that anybody has chosen, by how many people; equals in the order given."""
    if loaded is None:
        return lists.POPULAR, ()
    counts = loaded.recommender.artefact.fitted["popularity"]
    assert isinstance(counts, ItemVector)
    chosen = {
        item_id: float(counts.values[place]) for item_id in item_ids if (place := loaded.index_of(item_id)) is not None
    }
    said = lists.cached_reason("popularity", (), locale)
    ranked = sorted((item_id for item_id in chosen if chosen[item_id] > 0), key=lambda item_id: -chosen[item_id])
    return lists.POPULAR, [Entry(item_id, 0.0, said, (), "popularity") for item_id in ranked]


def _at(entry: Entry, score: float) -> Entry:
    return Entry(entry.item_id, round(score, 6), entry.reason, entry.evidence, entry.part)
