"""The neighbours of items, as lists: the same model that makes people's lists, asked about one item."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from accounts.tenancy import scope
from recommendations.cache.list_codec import Provenance
from recommendations.catalog import availability
from recommendations.list_kinds import SIMILAR
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Build, Chunk, ReferenceList

LIMIT = 50


def make_lists(*, build: Build, chunk: Chunk, loaded: Loaded, now: datetime, locale: str) -> list[ReferenceList]:
    """A list for each item of the chunk that has neighbours, not saved yet."""
    made = _made_already(build, chunk, loaded)
    places = [place for place in range(chunk.first, chunk.last + 1) if loaded.item_ids[place] not in made]
    return of_places(build=build, places=places, loaded=loaded, now=now, locale=locale)


def of_places(
    *,
    build: Build,
    places: Sequence[int],
    loaded: Loaded,
    now: datetime,
    locale: str,
    versions: Mapping[str, int] | None = None,
) -> list[ReferenceList]:
    """The same for the items at these places; `versions` by item id where they are not the first ones.

    Withheld items are shown in none.
    """
    with scope.tenant(build.tenant_id):
        withheld = loaded.indices(availability.withdrawn_ids(tenant_id=build.tenant_id, now=now))
    found = [
        (place, loaded.recommender.similar_items(place, LIMIT + lists.SPARE, filter_items=withheld)) for place in places
    ]
    named = lists.mentioned(loaded, (proposals for _, proposals in found))
    with scope.tenant(build.tenant_id):
        facts = item_facts.facts(tenant_id=build.tenant_id, item_ids=named)
    rows = []
    for place, proposals in found:
        version = (versions or {}).get(loaded.item_ids[place], 1)
        provenance = Provenance(build.pk, version, lists.MODEL, lists.stamp(now), build.artefact_id)
        entries = lists.entries_of(loaded=loaded, proposals=proposals, facts=facts, locale=locale, spoken=SIMILAR.key)
        if entries:
            subject = loaded.item_ids[place]
            body = lists.body(
                owner="",
                entries=entries[:LIMIT],
                facts=facts,
                provenance=provenance,
                locale=locale,
                spoken=SIMILAR.key,
                titles=(facts[subject].title,) if subject in facts else (),
            )
            rows.append(
                ReferenceList(
                    tenant_id=build.tenant_id,
                    build=build,
                    kind=SIMILAR.key,
                    subject=subject,
                    body=body,
                    generated_at=now,
                )
            )
    return rows


def _made_already(build: Build, chunk: Chunk, loaded: Loaded) -> set[str]:
    """Items without interactions that another chunk of the build found neighbours for: what it knew, it knew better."""
    places = range(chunk.first, chunk.last + 1)
    cold = [loaded.item_ids[place] for place in places if loaded.recommender.is_cold(place)]
    if not cold:
        return set()
    with scope.tenant(build.tenant_id):
        rows = ReferenceList.objects.filter(tenant_id=build.tenant_id, build=build, kind=SIMILAR.key, subject__in=cold)
        return set(rows.values_list("subject", flat=True))
