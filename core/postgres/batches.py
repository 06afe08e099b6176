"""Deletion of many rows in short transactions, for retention jobs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db.models import QuerySet

BATCH_ROWS = 1000


def delete_in_batches(
    rows: QuerySet[Any],
    *,
    scope: Callable[[], AbstractContextManager[None]],
    batch_rows: int = BATCH_ROWS,
    max_batches: int | None = None,
) -> int:
    """Delete the rows of a queryset, each batch in a transaction of its own.

    Rows that another transaction has locked are skipped: two runs at once are safe, and the next run takes the rest.
    Order the queryset by what an index serves; without an order the batches come as PostgreSQL finds them.

    Args:
        rows: an unevaluated queryset of one table, without slices or aggregates.
        scope: opens each batch's transaction, such as `partial(scope.tenant, tenant_id)`.
        batch_rows: the most rows that one transaction deletes.
        max_batches: stop after this many; None deletes all rows.

    Returns:
        The number of rows deleted, cascades not counted.
    """
    unlocked = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:batch_rows]
    deleted = batches = 0
    while max_batches is None or batches < max_batches:
        with scope():
            batch = list(unlocked.all())
            rows.model._base_manager.filter(pk__in=batch).delete()  # noqa: SLF001  # Django's documented name
        deleted += len(batch)
        batches += 1
        if len(batch) < batch_rows:
            break
    return deleted
