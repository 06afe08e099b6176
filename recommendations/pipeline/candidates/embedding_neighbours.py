"""Similar items for those that nobody has chosen yet: neighbours by what their texts say.

One chunk of a build, where AI_EMBEDDING_MODEL is set. The vectors are paid for once per text (`ai.vectors`), and the
neighbours are computed here with the same sparse top-K code as every matrix. The next training takes the same
neighbours as a part of its own, so that they count in people's lists as well.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from django.conf import settings

from accounts.tenancy import scope
from core import clock, process_caches
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.embeddings import store
from recommendations.ai.factory import build_embedder
from recommendations.ai.gateway.gateway import AIGateway
from recommendations.ai.privacy.consent import SharingConsent, sharing_consent
from recommendations.algorithms.data.dataset import Matrix
from recommendations.algorithms.data.topk import LARGEST_ENTRY, scatter
from recommendations.algorithms.models.embedding_knn import cosine_neighbours
from recommendations.cache.list_codec import Entry, Provenance
from recommendations.catalog import availability
from recommendations.catalog.models import Item
from recommendations.explanations.templates import explain
from recommendations.list_kinds import SIMILAR
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates.similar_items import LIMIT
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Build, ReferenceList

PART = "semantic"


@lru_cache(maxsize=1)
def embedder() -> AIGateway:
    """The process's gateway to the model that makes vectors; made after the fork."""
    return build_embedder(AIConfiguration.from_settings(settings), today=clock.now().date())


@process_caches.register
def forget() -> None:
    """Closes the process's embedder and forgets it; the next question makes one by the settings then."""
    if embedder.cache_info().currsize:
        embedder().close()
    embedder.cache_clear()


def wanted(build: Build) -> bool:
    """Whether a build makes vectors."""
    config = AIConfiguration.from_settings(settings)
    return bool(config.configured and config.embedding_model and build.ai_calls_limit)


def of_cold_items(
    *, build: Build, loaded: Loaded, now: datetime, locale: str, between: Callable[[], None]
) -> list[ReferenceList]:
    """A list for each shown item that the artefact does not know and that has a vector, not saved yet."""
    choice = sharing_consent(build.tenant_id)
    if not wanted(build) or not choice.enabled:
        return []
    items = _items(build.tenant_id, now)
    if all(loaded.index(item_id) is not None for item_id in items):
        return []
    texts = _texts(items, choice)
    found = store.embed_texts(
        embedder(),
        tenant_id=build.tenant_id,
        texts=texts,
        dimensions=settings.AI_EMBEDDING_DIMENSIONS,
        now=clock.now(),
        build_id=build.pk,
        between=between,
    )
    if not found:
        return []
    ids = sorted(found)
    matrix = cosine_neighbours(np.stack([found[each] for each in ids]), LIMIT)
    with scope.tenant(build.tenant_id):
        facts = item_facts.facts(tenant_id=build.tenant_id, item_ids=ids)
    provenance = Provenance(build.pk, 1, lists.MODEL, lists.stamp(now), build.artefact_id)
    rows = []
    for place, item_id in enumerate(ids):
        near = _nearest(matrix, place)
        if loaded.index(item_id) is not None or item_id not in facts or not near:
            continue
        titles = (facts[item_id].title,)
        reason = explain(part=PART, evidence=titles, locale=locale)
        entries = [
            Entry(ids[other], round(score, 6), reason, (item_id,), PART) for other, score in near if ids[other] in facts
        ]
        body = lists.body(owner="", entries=entries, facts=facts, provenance=provenance, locale=locale, titles=titles)
        rows.append(
            ReferenceList(
                tenant_id=build.tenant_id,
                build=build,
                kind=SIMILAR.key,
                subject=item_id,
                body=body,
                generated_at=now,
            )
        )
    return rows


def known_neighbours(*, tenant_id: int, item_ids: Sequence[str], now: datetime) -> Matrix | None:
    """The neighbours of these items by the vectors that earlier builds paid for, for a training; None without any."""
    config, choice = AIConfiguration.from_settings(settings), sharing_consent(tenant_id)
    if not (config.configured and config.embedding_model and choice.enabled):
        return None
    found = store.stored(
        tenant_id=tenant_id,
        model=config.embedding_model,
        dimensions=settings.AI_EMBEDDING_DIMENSIONS,
        texts=_texts(_items(tenant_id, now), choice),
        now=now,
    )
    place = {item_id: index for index, item_id in enumerate(item_ids)}
    ids = sorted(item_id for item_id in found if item_id in place)
    if len(ids) < 2:
        return None
    near = cosine_neighbours(np.stack([found[each] for each in ids]), LIMIT)
    return scatter(near, np.array([place[each] for each in ids], dtype=np.int32), len(item_ids))


def _texts(items: Mapping[str, Mapping[str, Any]], choice: SharingConsent) -> dict[str, str]:
    return {
        item_id: store.item_text(
            title=row["title"],
            description=row["description"],
            categories=row["categories"],
            attributes=choice.of_item(row["attributes"]),
        )
        for item_id, row in items.items()
    }


def _items(tenant_id: int, now: datetime) -> dict[str, dict[str, Any]]:
    """The latest AI_EMBEDDING_ITEMS items that may be shown."""
    with scope.tenant(tenant_id):
        rows = Item.objects.filter(availability.available(now), tenant_id=tenant_id).order_by("-created_at", "pk")
        names = ("item_id", "title", "description", "categories", "attributes")
        return {row["item_id"]: dict(row) for row in rows.values(*names)[: settings.AI_EMBEDDING_ITEMS]}


def _nearest(matrix: Any, place: int) -> list[tuple[int, float]]:
    """The neighbours of a row, nearest first; the nearest two items of all have 1."""
    start, end = matrix.indptr[place], matrix.indptr[place + 1]
    pairs = zip(matrix.indices[start:end].tolist(), (matrix.data[start:end] / LARGEST_ENTRY).tolist(), strict=True)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
