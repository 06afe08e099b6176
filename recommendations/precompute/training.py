"""The first step of a build: learn from the interaction window, store the artefact, cut the rest into chunks."""

import time

import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from accounts import scope
from core.queue import enqueue
from recommendations.algorithms.artefact import Artefact as Fitted
from recommendations.algorithms.dataset import Interactions
from recommendations.algorithms.training import NothingToLearn, TrainingOptions, train
from recommendations.interactions.matrix import training_window
from recommendations.metrics import BUILD_SECONDS
from recommendations.precompute import artefacts, leases, lifecycle
from recommendations.precompute.jobs import SCORE_CHUNK
from recommendations.precompute.models import Artefact, Build, Chunk

THREADS = 2
SIMILAR_CHUNK_SIZE = 500
_RANGES = """
    SELECT min(id), max(id), count(*) FROM (
        SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(size)s AS part
        FROM recommendations_enduser WHERE tenant_id = %(tenant)s
    ) AS numbered GROUP BY part ORDER BY part
"""
_log = structlog.get_logger(__name__)


def train_step(*, tenant_id: int, build_id: int) -> None:
    """Does the step unless somebody else does or has done it. Fails the build when there is nothing to learn from."""
    lease = leases.claim_step(tenant_id=tenant_id, build_id=build_id, status=Build.Status.TRAINING)
    if lease is None:
        return
    started = time.monotonic()
    with leases.holding(lease) as heartbeat:
        with scope.tenant(tenant_id):
            cutoff = Build.objects.values_list("cutoff", flat=True).get(tenant_id=tenant_id, pk=build_id)
        window = training_window(tenant_id=tenant_id, until=cutoff, max_rows=settings.TRAIN_MAX_ROWS)
        heartbeat.check()
        try:
            fitted = train(window, TrainingOptions(threads=THREADS), lambda _message, _share: heartbeat.check())
        except NothingToLearn as nothing:
            lifecycle.fail(tenant_id=tenant_id, build_id=build_id, error=str(nothing))
            return
        file, size = artefacts.store(fitted, tenant_id=tenant_id)
        row = _row(tenant_id, fitted, window, file, size, time.monotonic() - started)
        heartbeat.check()
        with scope.tenant(tenant_id):
            row.save(force_insert=True)
            people = _cut(tenant_id, build_id, items=fitted.item_count)
            leases.finish(
                lease,
                status=Build.Status.SCORING,
                artefact=row,
                people=people,
                attempts=0,
                error="",
                trained_at=Now(),
                enqueued_at=Now(),
            )
            for _ in range(lifecycle.LANES):
                enqueue(SCORE_CHUNK, tenant_id=tenant_id, build_id=build_id)
    BUILD_SECONDS.labels("train").observe(time.monotonic() - started)
    _log.info("build_trained", build_id=build_id, items=row.items, people=people, interactions=row.interactions)


def _row(tenant_id: int, fitted: Fitted, window: Interactions, file: str, size: int, seconds: float) -> Artefact:
    return Artefact(
        tenant_id=tenant_id,
        file=file,
        items=fitted.item_count,
        people=window.user_count,
        interactions=window.row_count,
        size_bytes=size,
        chosen=fitted.chosen,
        train_seconds=seconds,
    )


def _cut(tenant_id: int, build_id: int, *, items: int) -> int:
    """Writes the chunks: the popular list, all people, all items. Returns the number of people."""
    with connection.cursor() as cursor:
        cursor.execute(_RANGES, {"tenant": tenant_id, "size": settings.BUILD_CHUNK_SIZE})
        ranges = cursor.fetchall()
    parts: list[tuple[Chunk.Kind, int, int]] = [(Chunk.Kind.POPULAR, 0, 0)]
    parts += [(Chunk.Kind.PEOPLE, first, last) for first, last, _ in ranges]
    parts += [
        (Chunk.Kind.SIMILAR, first, min(first + SIMILAR_CHUNK_SIZE, items) - 1)
        for first in range(0, items, SIMILAR_CHUNK_SIZE)
    ]
    Chunk.objects.bulk_create(
        (
            Chunk(tenant_id=tenant_id, build_id=build_id, number=number, kind=kind, first=first, last=last)
            for number, (kind, first, last) in enumerate(parts)
        ),
        batch_size=1000,
    )
    return sum(count for *_, count in ranges)
