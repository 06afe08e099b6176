"""Similar-item lists: the model of users' lists, asked about one item."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from accounts.tenancy import scope
from recommendations.catalog import availability
from recommendations.list_kinds import SIMILAR
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import MODEL, SPARE, mentioned_ids, single_threaded, to_entries
from recommendations.pipeline.lists.reference_lists import reference_list
from recommendations.pipeline.models import Build, Chunk, ReferenceList

LIMIT = 50


def make_lists(*, build: Build, chunk: Chunk, loaded: Loaded, now: datetime, locale: str) -> list[ReferenceList]:
    """Makes a list for each item of the chunk that has neighbours, not saved yet."""
    present = _with_list(build, chunk, loaded)
    indices = [index for index in range(chunk.first, chunk.last + 1) if loaded.item_ids[index] not in present]
    return make_lists_at(build=build, indices=indices, loaded=loaded, now=now, locale=locale)


def make_lists_at(
    *,
    build: Build,
    indices: Sequence[int],
    loaded: Loaded,
    now: datetime,
    locale: str,
    versions: Mapping[str, int] | None = None,
) -> list[ReferenceList]:
    """Makes the lists of the items with these indices, not saved yet; `versions` by item id, 1 by default."""
    versions = versions or {}
    with scope.tenant(build.tenant_id):
        withdrawn = loaded.indices(availability.withdrawn_ids(tenant_id=build.tenant_id, now=now))
    with single_threaded():
        similar = list(loaded.recommender.iter_similar_items(indices, LIMIT + SPARE, filter_items=withdrawn))
    neighbours = list(zip([loaded.item_ids[index] for index in indices], similar, strict=True))
    with scope.tenant(build.tenant_id):
        item_ids = mentioned_ids(loaded, (proposals for _, proposals in neighbours))
        facts = item_facts.load_facts(tenant_id=build.tenant_id, item_ids=item_ids)
    lists = []
    for subject, proposals in neighbours:
        entries = to_entries(loaded=loaded, proposals=proposals, facts=facts, locale=locale, reason_kind=SIMILAR.key)
        if entries:
            lists.append(
                reference_list(
                    SIMILAR,
                    build=build,
                    entries=entries[:LIMIT],
                    facts=facts,
                    source=MODEL,
                    now=now,
                    locale=locale,
                    subject=subject,
                    version=versions.get(subject, 1),
                    reason_kind=SIMILAR.key,
                    titles=(facts[subject].title,) if subject in facts else (),
                )
            )
    return lists


def _with_list(build: Build, chunk: Chunk, loaded: Loaded) -> set[str]:
    """Items without interactions that have a list by their embeddings: it is better than one by shared words."""
    indices = range(chunk.first, chunk.last + 1)
    cold = [loaded.item_ids[index] for index in indices if loaded.recommender.is_cold(index)]
    if not cold:
        return set()
    with scope.tenant(build.tenant_id):
        rows = ReferenceList.objects.filter(tenant_id=build.tenant_id, build=build, kind=SIMILAR.key, subject__in=cold)
        return set(rows.values_list("subject", flat=True))
