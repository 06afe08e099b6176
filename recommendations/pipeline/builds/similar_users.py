"""Similar users, computed by each training from the window that it read.

They depend on histories alone: neither the quality gate nor a placement's rules apply, and a build without training
leaves them unchanged. Near line does not update them: they are as old as the last training.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import numpy as np
from django.conf import settings
from django.db import connection

from accounts.tenancy import scope
from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.models.user_knn import SimilarUsers, similar_users
from recommendations.catalog.models import EndUser
from recommendations.pipeline.models import RelatedPeople

BATCH = 2_000
SCALE = 10_000
# A user that is being erased is waited for and left out. A slow worker does not replace the rows of a newer training.
_WRITE = """
    INSERT INTO recommendations_relatedpeople AS stored (tenant_id, end_user_id, people, scores, generated_at)
    SELECT %(tenant)s, there.id, made.people::bigint[], made.scores::smallint[], %(now)s
    FROM (
        SELECT id FROM recommendations_enduser WHERE tenant_id = %(tenant)s AND id = ANY (%(persons)s)
        ORDER BY id FOR KEY SHARE
    ) AS there
    JOIN unnest(%(persons)s::bigint[], %(people)s::text[], %(scores)s::text[]) AS made (id, people, scores) USING (id)
    ORDER BY there.id
    ON CONFLICT (end_user_id) DO UPDATE SET
        people = excluded.people, scores = excluded.scores, generated_at = excluded.generated_at
    WHERE stored.generated_at <= excluded.generated_at
"""


def write(*, tenant_id: int, interactions: Interactions, now: datetime, checkpoint: Callable[[], None]) -> int:
    """Replaces the rows of all users in the window and deletes the others; returns how many rows it wrote.

    `checkpoint` is called between batches and may raise to stop the work; repeating it does no harm.
    """
    keep = settings.RELATED_PEOPLE
    made = similar_users(interactions, keep=keep) if keep else iter(())
    keys = _keys(tenant_id, interactions)
    written = 0
    while batch := list(islice(made, BATCH)):
        checkpoint()
        with scope.tenant(tenant_id), connection.cursor() as cursor:
            cursor.execute(_WRITE, {"tenant": tenant_id, "now": now, **_columns(batch, keys)})
            written += cursor.rowcount
    checkpoint()
    with scope.tenant(tenant_id):
        RelatedPeople.objects.filter(tenant_id=tenant_id, generated_at__lt=now).delete()
    return written


def _keys(tenant_id: int, interactions: Interactions) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Primary keys by code; 0 for users that were erased since the window was read."""
    with scope.tenant(tenant_id):
        known = dict(EndUser.objects.filter(tenant_id=tenant_id).order_by().values_list("user_id", "pk").iterator())
    return np.array([known.get(user_id, 0) for user_id in interactions.user_ids], dtype=np.int64)


def _columns(batch: list[SimilarUsers], keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Mapping[str, list[object]]:
    persons: list[object] = []
    people: list[object] = []
    scores: list[object] = []
    for alike in batch:
        others = keys[alike.others]
        there = others > 0
        persons.append(int(keys[alike.person]))
        people.append(_literal(others[there].tolist()))
        scores.append(_literal(np.rint(alike.scores[there] * SCALE).astype(int).tolist()))
    return {"persons": persons, "people": people, "scores": scores}


def _literal(values: Sequence[int]) -> str:
    """An array as PostgreSQL writes it."""
    return "{" + ",".join(map(str, values)) + "}"
