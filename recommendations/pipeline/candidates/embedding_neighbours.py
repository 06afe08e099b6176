"""Similar-item lists for items without interactions: neighbours by embeddings of their texts.

One chunk of a build, if AI_EMBEDDING_MODEL is set. Each text is embedded once (`ai.embeddings`), and the neighbours are
computed here with the sparse top-K code of every matrix. The next training takes the same neighbours as a part of its
own, so that they count in users' lists as well.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from django.conf import settings
from scipy import sparse

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
from recommendations.cache.list_codec import Entry
from recommendations.list_kinds import SIMILAR
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates.pools import latest_items
from recommendations.pipeline.candidates.similar_items import LIMIT
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import MODEL, cached_reason
from recommendations.pipeline.lists.reference_lists import reference_list
from recommendations.pipeline.models import Build, ReferenceList

PART = "semantic"


@lru_cache(maxsize=1)
def embedder() -> AIGateway:
    """The process's gateway to the embedding model; created after the fork."""
    return build_embedder(AIConfiguration.from_settings(settings), today=clock.now().date())


@process_caches.register
def close() -> None:
    """Closes the process's embedder; the next call creates one from the settings."""
    if embedder.cache_info().currsize:
        embedder().close()
    embedder.cache_clear()


def make_lists(
    *, build: Build, loaded: Loaded, now: datetime, locale: str, checkpoint: Callable[[], None]
) -> list[ReferenceList]:
    """Makes a list for each available item that the artefact does not know and that has an embedding, not saved yet."""
    config, consent = AIConfiguration.from_settings(settings), sharing_consent(build.tenant_id)
    if not (config.configured and config.embedding_model and build.ai_calls_limit and consent.enabled):
        return []
    items = _latest(build.tenant_id, now)
    if all(loaded.trained_index(item_id) is not None for item_id in items):
        return []
    vectors = store.embed_texts(
        embedder(),
        tenant_id=build.tenant_id,
        texts=_texts(items, consent),
        dimensions=settings.AI_EMBEDDING_DIMENSIONS,
        now=clock.now(),
        build_id=build.pk,
        between=checkpoint,
    )
    if not vectors:
        return []
    ids = sorted(vectors)
    matrix = cosine_neighbours(np.stack([vectors[item_id] for item_id in ids]), LIMIT)
    with scope.tenant(build.tenant_id):
        facts = item_facts.load_facts(tenant_id=build.tenant_id, item_ids=ids)
    lists = []
    for row, item_id in enumerate(ids):
        near = _nearest(matrix, row)
        if loaded.trained_index(item_id) is not None or item_id not in facts or not near:
            continue
        titles = (facts[item_id].title,)
        reason = cached_reason(PART, titles, locale)
        entries = [
            Entry(ids[other], round(score, 6), reason, (item_id,), PART) for other, score in near if ids[other] in facts
        ]
        lists.append(
            reference_list(
                SIMILAR,
                build=build,
                entries=entries,
                facts=facts,
                source=MODEL,
                now=now,
                locale=locale,
                subject=item_id,
                titles=titles,
            )
        )
    return lists


def stored_neighbours(*, tenant_id: int, item_ids: Sequence[str], now: datetime) -> Matrix | None:
    """The neighbours of these items by the embeddings that earlier builds made, for a training; None without any."""
    config, consent = AIConfiguration.from_settings(settings), sharing_consent(tenant_id)
    if not (config.configured and config.embedding_model and consent.enabled):
        return None
    vectors = store.stored(
        tenant_id=tenant_id,
        model=config.embedding_model,
        dimensions=settings.AI_EMBEDDING_DIMENSIONS,
        texts=_texts(_latest(tenant_id, now), consent),
        now=now,
    )
    index_of = {item_id: index for index, item_id in enumerate(item_ids)}
    ids = sorted(item_id for item_id in vectors if item_id in index_of)
    if len(ids) < 2:
        return None
    near = cosine_neighbours(np.stack([vectors[item_id] for item_id in ids]), LIMIT)
    return scatter(near, np.array([index_of[item_id] for item_id in ids], dtype=np.int32), len(item_ids))


def _texts(items: Mapping[str, Mapping[str, Any]], consent: SharingConsent) -> dict[str, str]:
    return {
        item_id: store.item_text(
            title=row["title"],
            description=row["description"],
            categories=row["categories"],
            attributes=consent.of_item(row["attributes"]),
        )
        for item_id, row in items.items()
    }


def _latest(tenant_id: int, now: datetime) -> dict[str, dict[str, Any]]:
    """The newest AI_EMBEDDING_ITEMS available items."""
    columns = ("item_id", "title", "description", "categories", "attributes")
    with scope.tenant(tenant_id):
        rows = latest_items(tenant_id=tenant_id, now=now).values(*columns)[: settings.AI_EMBEDDING_ITEMS]
        return {row["item_id"]: dict(row) for row in rows}


def _nearest(matrix: sparse.csr_array, row: int) -> list[tuple[int, float]]:
    """The neighbours of a row, nearest first; the nearest pair of all has 1."""
    part = slice(matrix.indptr[row], matrix.indptr[row + 1])
    pairs = zip(matrix.indices[part].tolist(), (matrix.data[part] / LARGEST_ENTRY).tolist(), strict=True)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
