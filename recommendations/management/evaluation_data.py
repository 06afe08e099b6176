"""Data for evaluate and tune: a tenant's interactions and catalogue, or files."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.algorithms.data.timestamp_check import EventOrder, detect_order
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.validation.splitting import Rows
from recommendations.imports.evaluation_rows import read_catalogue, read_events
from recommendations.interactions import event_weights, training_window
from recommendations.interactions.event_weights import NEVER_POSITIVE
from recommendations.interactions.low_ratings import RATING, LowRatings, low_ratings
from recommendations.pipeline.builds import catalogue as build_catalogue

OF_FILES = (
    "Every row is a positive, whatever its value, except those of the types impression and dislike. "
    "Types weigh as by default."
)
OF_TENANTS = "Every row that is not against an item or ignored is a positive. What the tenant's events say: {}."


class NoSuchTenant(Exception):
    """There is no tenant of this slug."""


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """Raw rows in file order, the catalogue, the meaning of events in a sentence, and notes about the source."""

    rows: Rows
    catalogue: Catalogue | None
    meaning: str
    notes: dict[str, Any]


def of_file(events: Path, items: Path | None, *, now: datetime, not_positive: Collection[str] = ()) -> EvaluationData:
    """Files as import_data takes them; events of `not_positive` and of the usual such types are no choices.

    Raises: UnreadableFile.
    """
    read = read_events(events, now=now, not_positive_types={*NEVER_POSITIVE, *not_positive})
    catalogue = read_catalogue(items) if items else None
    notes: dict[str, Any] = {
        "file": events.name,
        "rejected": read.rejected,
        "duplicate": read.duplicate,
        "not_positive": read.not_positive,
    }
    if catalogue is not None:
        notes["catalogue_items"] = len(catalogue.item_ids)
    order = detect_order(read.rows.users, read.rows.times)
    rows = _told(replace(read.rows, times=order.times), order, None, notes)
    return EvaluationData(rows, catalogue, OF_FILES, notes)


def tenant_of(slug: str) -> int:
    """The tenant's key. Raises: NoSuchTenant."""
    with scope.all_tenants("evaluation: find the tenant by its slug"):
        tenant_id = Tenant.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if tenant_id is None:
        raise NoSuchTenant(f"There is no tenant {slug!r}.")
    return tenant_id


def of_tenant(slug: str) -> EvaluationData:
    """Training data that a build of the tenant would use. Raises: NoSuchTenant."""
    tenant_id = tenant_of(slug)
    window = training_window.read_window(tenant_id=tenant_id)
    users = np.array(window.user_ids, dtype=np.str_)[window.users]
    items = np.array(window.item_ids, dtype=np.str_)[window.items]
    notes: dict[str, Any] = {"tenant": slug}
    if window.limit:
        notes["bound"] = str(window.limit)
    said = event_weights.load_event_weights(tenant_id=tenant_id).described()
    rows = Rows(users, items, window.order.times, window.weights, window.values)
    rows = _told(rows, window.order, window.ratings, notes)
    return EvaluationData(rows, build_catalogue.read_catalogue(tenant_id=tenant_id), OF_TENANTS.format(said), notes)


def _told(rows: Rows, order: EventOrder, ratings: LowRatings | None, notes: dict[str, Any]) -> Rows:
    """The rows, of which those that were rated low are marked; `notes` say what is missing in them."""
    if order.why:
        notes["order"] = order.why
    values = rows.values
    if values is None or RATING not in values.names:
        return rows
    rated = (values.kinds == values.names.index(RATING)) & np.isfinite(values.values)
    if ratings is None:
        distinct, counts = np.unique(values.values[rated], return_counts=True)
        ratings = low_ratings(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))
    if ratings is None:
        return rows
    notes["ratings"] = str(ratings)
    if ratings.count_against:  # they are not among the rows
        return rows
    return replace(rows, low=rated & (values.values < ratings.below))
