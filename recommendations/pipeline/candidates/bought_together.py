"""Bought-together lists: from baskets in the training window, by purchases and carts if there are any."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy import sparse

from accounts.tenancy import scope
from core import process_caches
from recommendations.algorithms.models.association import basket_associations
from recommendations.cache.list_codec import Entry
from recommendations.catalog import availability
from recommendations.interactions.training_window import Window, read_window
from recommendations.list_kinds import TOGETHER
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import MODEL, SPARE, cached_reason
from recommendations.pipeline.lists.reference_lists import reference_list
from recommendations.pipeline.models import Build, Chunk, ReferenceList

LIMIT = 50
# Events of this weight or more are purchases. Where a tenant sends them, views say nothing about baskets.
PURCHASE_WEIGHT = 2.0


@dataclass(frozen=True, eq=False)
class CoPurchases:
    """The association matrix of one build, and the ids of its items."""

    build_id: int
    matrix: sparse.csr_array
    item_ids: list[str]
    index_of: dict[str, int]

    def of_item(self, item_id: str) -> list[tuple[str, float]]:
        """The items bought together with this one and their scores, best first."""
        if (index := self.index_of.get(item_id)) is None:
            return []
        row = slice(self.matrix.indptr[index], self.matrix.indptr[index + 1])
        scores = zip(self.matrix.indices[row].tolist(), self.matrix.data[row].tolist(), strict=True)
        return sorted(((self.item_ids[other], score) for other, score in scores), key=lambda pair: -pair[1])


_cached: list[CoPurchases] = []


def make_lists(*, build: Build, chunk: Chunk, loaded: Loaded, now: datetime, locale: str) -> list[ReferenceList]:
    """Makes a list for each item of the chunk that was bought with others, not saved yet."""
    purchases = _co_purchases(build)
    item_ids = [loaded.item_ids[index] for index in range(chunk.first, chunk.last + 1)]
    others_of = {item_id: purchases.of_item(item_id) for item_id in item_ids if item_id in purchases.index_of}
    with scope.tenant(build.tenant_id):
        mentioned = {other for others in others_of.values() for other, _ in others} | others_of.keys()
        facts = item_facts.load_facts(tenant_id=build.tenant_id, item_ids=mentioned)
        withdrawn = set(availability.withdrawn_ids(tenant_id=build.tenant_id, now=now))
    lists = []
    for item_id, others in others_of.items():
        titles = (facts[item_id].title,) if item_id in facts else ()
        reason = cached_reason(TOGETHER.key, titles, locale)
        entries = [
            Entry(other, round(score, 6), reason, (item_id,), TOGETHER.key)
            for other, score in others
            if other in facts and other not in withdrawn
        ][:LIMIT]
        if entries:
            lists.append(
                reference_list(
                    TOGETHER,
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


process_caches.register(_cached.clear)


def prepare(*, build: Build, window: Window) -> None:
    """Computes the associations of a build whose window has been read: this process need not read it again."""
    is_purchase = window.weights >= PURCHASE_WEIGHT
    rows = np.flatnonzero(is_purchase) if is_purchase.any() else np.flatnonzero(window.weights > 0)
    matrix = basket_associations(
        window.users[rows],
        window.items[rows],
        window.times[rows],
        item_count=len(window.item_ids),
        neighbours=LIMIT + SPARE,
    )
    index_of = {item_id: index for index, item_id in enumerate(window.item_ids)}
    _cached[:] = [CoPurchases(build.pk, matrix, window.item_ids, index_of)]


def _co_purchases(build: Build) -> CoPurchases:
    if not _cached or _cached[0].build_id != build.pk:
        prepare(build=build, window=read_window(tenant_id=build.tenant_id, until=build.cutoff))
    return _cached[0]
