"""Items that are bought together, as lists: from baskets in the training window, stronger events first."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy import sparse

from accounts.tenancy import scope
from core import process_caches
from recommendations.algorithms.models.association import basket_associations
from recommendations.cache.list_codec import Entry, Provenance
from recommendations.catalog import availability
from recommendations.explanations.templates import explain
from recommendations.interactions.training_window import read_window
from recommendations.list_kinds import TOGETHER
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Build, Chunk, ReferenceList

LIMIT = 50
# Where a tenant sends carts and purchases, views say nothing about what is bought together.
BOUGHT = 2.0


@dataclass(frozen=True, eq=False)
class Together:
    """The matrix and the ids of its items, for one build."""

    build_id: int
    matrix: sparse.csr_array
    item_ids: list[str]
    place: dict[str, int]


_held: list[Together] = []


def make_lists(*, build: Build, chunk: Chunk, loaded: Loaded, now: datetime, locale: str) -> list[ReferenceList]:
    """A list for each item of the chunk that was bought with others, not saved yet."""
    found = _of_build(build)
    rows: dict[str, list[tuple[str, float]]] = {}
    for index in range(chunk.first, chunk.last + 1):
        item_id = loaded.item_ids[index]
        if (place := found.place.get(item_id)) is not None:
            start, end = found.matrix.indptr[place], found.matrix.indptr[place + 1]
            near = zip(found.matrix.indices[start:end].tolist(), found.matrix.data[start:end].tolist(), strict=True)
            rows[item_id] = sorted(((found.item_ids[at], score) for at, score in near), key=lambda each: -each[1])
    named = {item_id for near in rows.values() for item_id, _ in near} | rows.keys()
    with scope.tenant(build.tenant_id):
        facts = item_facts.facts(tenant_id=build.tenant_id, item_ids=named)
        withheld = set(availability.withdrawn_ids(tenant_id=build.tenant_id, now=now))
    provenance = Provenance(build.pk, 1, lists.MODEL, lists.stamp(now), build.artefact_id)
    made = []
    for item_id, others in rows.items():
        titles = (facts[item_id].title,) if item_id in facts else ()
        said = explain(part=TOGETHER.key, evidence=titles, locale=locale)
        entries = [
            Entry(other, round(score, 6), said, (item_id,), TOGETHER.key)
            for other, score in others
            if other in facts and other not in withheld
        ][:LIMIT]
        if entries:
            made.append(
                ReferenceList(
                    tenant_id=build.tenant_id,
                    build=build,
                    kind=TOGETHER.key,
                    subject=item_id,
                    body=lists.body(
                        owner="", entries=entries, facts=facts, provenance=provenance, locale=locale, titles=titles
                    ),
                    generated_at=now,
                )
            )
    return made


@process_caches.register
def forget() -> None:
    """Forgets what the process has computed."""
    _held.clear()


def _of_build(build: Build) -> Together:
    if not _held or _held[0].build_id != build.pk:
        window = read_window(tenant_id=build.tenant_id, until=build.cutoff)
        bought = window.weights >= BOUGHT
        rows = np.flatnonzero(bought) if bought.any() else np.flatnonzero(window.weights > 0)
        matrix = basket_associations(
            window.users[rows],
            window.items[rows],
            window.times[rows],
            item_count=len(window.item_ids),
            neighbours=LIMIT + lists.SPARE,
        )
        place = {item_id: index for index, item_id in enumerate(window.item_ids)}
        _held[:] = [Together(build.pk, matrix, window.item_ids, place)]
    return _held[0]
