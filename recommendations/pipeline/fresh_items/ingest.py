"""Ingests new and changed items: finds the neighbours of their texts with the active artefact, and writes them to rows.

The rows alone say which items are pending: those that changed after the artefact's catalogue was read and whose change
(`updated_at`) or availability is not the recorded one. So a lost message loses nothing, and a killed step is repeated.
Of two processes at once one writes: revisions are unique.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError

from accounts.tenancy import scope
from recommendations.pipeline.artefacts import live
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.fresh_items import changed_items, text_neighbours
from recommendations.pipeline.fresh_items.changed_items import ChangedItem, IngestedItem
from recommendations.pipeline.models import Artefact, Build

BATCH = 200
_ATTEMPTS = 5
# Changes carry the time at which their requests began, and become visible when they commit.
SLACK = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


def ingest_for_build(*, build: Build, artefact: Artefact, loaded: Loaded, now: datetime) -> int:
    """Ingests what came since the artefact's training, for lists that the build is about to make.

    Call it in the transaction in which the build's training ends. Returns the number of indices that the artefact and
    its fresh items have together.
    """
    changed_items.note_withdrawn(build, now=now)
    try:
        since = artefact.catalogue_at or artefact.created_at
        while changed := changed_items.read_changed(build, since=since, now=now, limit=BATCH):
            rows = _ingested(build, loaded, changed, in_lists=True)
            changed_items.write_rows(build, rows, after=changed_items.newest_revision(build))
        fresh = live.fresh_rows(tenant_id=build.tenant_id, build_id=build.pk)
        return max([len(loaded.item_ids), *(index + 1 for index in fresh)])
    finally:  # rows of a transaction that may yet fail must not stay in the cache
        live.clear(build.pk)


def ingest_next(*, build: Build, loaded: Loaded, now: datetime) -> int:
    """Ingests the next items, BATCH at most; returns how many. `loaded` is the build's artefact without fresh items."""
    assert build.artefact is not None
    since = (build.artefact.catalogue_at or build.artefact.created_at) - SLACK
    for _ in range(_ATTEMPTS):
        with scope.tenant(build.tenant_id):
            revision = changed_items.newest_revision(build)
            changed = changed_items.read_changed(build, since=since, now=now, limit=BATCH)
        if not changed:
            return 0
        rows = _ingested(build, loaded, changed, in_lists=False)
        try:
            with scope.tenant(build.tenant_id):
                changed_items.write_rows(build, rows, after=revision)
        except IntegrityError:  # another process was quicker; its rows must be read first
            continue
        return len(changed)
    _log.warning("items_ingested_elsewhere", build_id=build.pk)
    return 0


def _ingested(build: Build, loaded: Loaded, items: Sequence[ChangedItem], *, in_lists: bool) -> list[IngestedItem]:
    """The rows of these items. `in_lists` says that lists are still to be made, and will contain them."""
    fresh = live.fresh_rows(tenant_id=build.tenant_id, build_id=build.pk)
    neighbours = text_neighbours.find_neighbours(loaded, fresh, items)
    rows = []
    for item in items:
        now = neighbours.get(item.item_id)
        returned = item.was_available is False
        is_new = item.available and (returned or (now is not None and now.text_changed))
        former = b"" if in_lists else item.former_neighbours + text_neighbours.former_neighbours(loaded, item, now)
        rows.append(
            IngestedItem(
                item_id=item.item_id,
                index=now.index if now else item.index,
                seen_at=item.updated_at,
                available=item.available,
                waiting=not in_lists and (is_new or (item.was_waiting and item.available)),
                terms=now.terms if now else item.terms,
                near=now.near if now else item.near,
                former_neighbours=former,
            )
        )
    return rows
