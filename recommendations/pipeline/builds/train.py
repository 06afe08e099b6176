"""The first step of a build: trains on the interaction window, stores the artefact, divides the rest into chunks.

The new artefact serves only if it is not worse than the active one beyond noise
(recommendations.algorithms.validation.quality_gate). Otherwise the lists are made with the active one, and the refused
one is kept with the reason.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from accounts.tenancy import scope
from core import clock
from core.leases import Heartbeat
from core.queue import enqueue
from recommendations.algorithms.inference.artefact import Artefact as Fitted
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.training.parameter_search import SelectedHyperparameters
from recommendations.algorithms.training.train import NoInteractions, train
from recommendations.algorithms.validation.folds import make_fold
from recommendations.algorithms.validation.quality_gate import GateDecision, compare
from recommendations.algorithms.validation.report import describe_fold
from recommendations.interactions.training_window import Window, read_window
from recommendations.metrics import ARTEFACTS_REFUSED, BUILD_ROWS, BUILD_SECONDS
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.builds import ai_uplift, claims, lifecycle, similar_users
from recommendations.pipeline.builds.catalogue import read_catalogue
from recommendations.pipeline.builds.lifecycle import active_artefact
from recommendations.pipeline.builds.training_options import load_options
from recommendations.pipeline.candidates import bought_together
from recommendations.pipeline.fresh_items import ingest
from recommendations.pipeline.models import Artefact, Build, Chunk
from recommendations.pipeline.task_names import SCORE_CHUNK

# With fewer rows a training is faster on one thread, and costs a third: a second one mostly waits.
ROWS_FOR_THREADS = 20_000
SIMILAR_CHUNK_SIZE = 500
# Of a build with AI: its calls take longer than all else, and should be shared among workers.
AI_CHUNK_SIZE = 64
_RANGES = """
    SELECT min(id), max(id), count(*) FROM (
        SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(size)s AS part
        FROM recommendations_enduser WHERE tenant_id = %(tenant)s
    ) AS numbered GROUP BY part ORDER BY part
"""
_log = structlog.get_logger(__name__)


def train_step(*, tenant_id: int, build_id: int) -> None:
    """Runs the step unless another worker runs it or has run it. Fails the build if there is nothing to learn from."""
    lease = claims.claim_step(tenant_id=tenant_id, build_id=build_id, status=Build.Status.TRAINING)
    if lease is None:
        return
    started = time.monotonic()
    with claims.holding(lease, tenant_id=tenant_id, build_id=build_id) as heartbeat:
        with scope.tenant(tenant_id):
            build = Build.objects.select_related("artefact").get(tenant_id=tenant_id, pk=build_id)
            active = active_artefact(tenant_id=tenant_id)
        try:
            trained = None if build.artefact else _train(build, active, heartbeat)
        except NoInteractions as nothing:
            lifecycle.fail(tenant_id=tenant_id, build_id=build_id, error=str(nothing))
            return
        ai_uplift.update_gate(tenant_id=tenant_id, now=clock.database_now())
        heartbeat.check()
        loaded = _loaded(build, trained, active)
        with scope.tenant(tenant_id):
            if trained is not None:
                trained.row.save(force_insert=True)
            serving = build.artefact or _serving(trained, active)
            item_count = ingest.ingest_for_build(build=build, artefact=serving, loaded=loaded, now=clock.database_now())
            user_count = _create_chunks(build, items=item_count)
            lease.finish(
                status=Build.Status.SCORING,
                artefact=serving,
                notes=_notes(trained),
                people=user_count,
                attempts=0,
                error="",
                trained_at=Now(),
                enqueued_at=Now(),
            )
            for _ in range(lifecycle.LANES):
                enqueue(SCORE_CHUNK, tenant_id=tenant_id, build_id=build_id)
    BUILD_SECONDS.labels("train").observe(time.monotonic() - started)
    if trained is not None:
        BUILD_ROWS.inc(trained.row.interactions)
        ARTEFACTS_REFUSED.inc(trained.row.refused)
    _log.info("build_trained", build_id=build_id, artefact=serving.pk, users=user_count, notes=_notes(trained))


@dataclass(frozen=True, slots=True)
class Trained:
    """A new artefact whose row is not saved yet, the gate's verdict, and notes for staff about its data."""

    row: Artefact
    fitted: Fitted
    verdict: GateDecision
    notes: tuple[str, ...]


def _train(build: Build, active: Artefact | None, heartbeat: Heartbeat) -> Trained:
    """Trains and stores an artefact.

    Raises:
        NoInteractions: The window has too little data.
    """
    started = time.monotonic()
    window = read_window(tenant_id=build.tenant_id, until=build.cutoff, max_rows=settings.TRAIN_MAX_ROWS)
    heartbeat.check()
    catalogue_at = clock.database_now()
    catalogue = read_catalogue(tenant_id=build.tenant_id)
    heartbeat.check()
    options = load_options(tenant_id=build.tenant_id, validation=build.validation)
    if len(window.users) < ROWS_FOR_THREADS:
        options = replace(options, threads=1)
    weighed = window.weighed(lambda interactions: make_fold(interactions, options))
    heartbeat.check()
    interactions = weighed.interactions
    known = SelectedHyperparameters.from_chosen(active.chosen) if active else None
    fitted = train(interactions, options, lambda _message, _share: heartbeat.check(), catalogue=catalogue, known=known)
    fitted = replace(fitted, chosen=fitted.chosen | {"order": window.order.as_json(), "values": weighed.as_json()})
    verdict = _judge(build, fitted, active)
    similar_users.write(
        tenant_id=build.tenant_id, interactions=interactions, now=clock.database_now(), checkpoint=heartbeat.check
    )
    bought_together.prepare(build=build, window=window)
    heartbeat.check()
    file, size = store.save(fitted, tenant_id=build.tenant_id)
    row = Artefact(
        tenant_id=build.tenant_id,
        file=file,
        items=fitted.item_count,
        people=interactions.user_count,
        interactions=interactions.row_count,
        size_bytes=size,
        chosen=fitted.chosen,
        train_seconds=time.monotonic() - started,
        catalogue_at=catalogue_at,
        ndcg=float(fitted.validation_scores.ndcg.mean()) if len(fitted.validation_scores.ndcg) else None,
        refused=not verdict.publish,
        verdict=verdict.reason,
    )
    return Trained(row, fitted, verdict, _window_notes(window))


def _judge(build: Build, fitted: Fitted, active: Artefact | None) -> GateDecision:
    """The gate's verdict; an active artefact that cannot be read does not hold the new one back."""
    if active is None:
        return GateDecision(publish=True, reason="The first artefact.")
    try:
        before = store.load(artefact_id=active.pk, file=active.file).recommender.artefact
    except (OSError, UnreadableArtefact) as error:
        return GateDecision(publish=True, reason=f"Not compared: artefact #{active.pk} cannot be read ({error}).")
    verdict = compare(fitted.validation_scores, before.validation_scores)
    if not verdict.publish and not build.gated:
        return replace(verdict, publish=True, reason=f"Published on request. {verdict.reason}")
    return verdict


def _serving(trained: Trained | None, active: Artefact | None) -> Artefact:
    assert trained is not None
    if trained.verdict.publish:
        return trained.row
    assert active is not None
    return active


def _loaded(build: Build, trained: Trained | None, active: Artefact | None) -> Loaded:
    """The artefact of the build's lists, loaded."""
    if trained is not None and trained.verdict.publish:
        return Loaded(0, Recommender(trained.fitted))
    serving = build.artefact or _serving(trained, active)
    return store.load(artefact_id=serving.pk, file=serving.file)


def _notes(trained: Trained | None) -> str:
    """The notes for staff about the build."""
    if trained is None:
        return ""
    chosen = trained.row.chosen
    notes = [] if trained.verdict.publish else [f"Artefact #{trained.row.pk} was refused. {trained.verdict.reason}"]
    if trained.verdict.other_fold:
        notes.append(f"{trained.verdict.reason} Weights are chosen by another fold now. {describe_fold(chosen)}")
    notes += trained.notes
    notes += [_value_note(name, choice) for name, choice in chosen["values"].items()]
    if skipped := ", ".join(chosen.get("skipped", ())):
        notes.append(f"No time was left to train {skipped} (TRAIN_SECONDS).")
    if stale := ", ".join(chosen.get("not_refitted", ())):
        notes.append(f"No time was left to train {stale} on everybody's last events too (TRAIN_SECONDS).")
    return "\n".join(notes)


def _window_notes(window: Window) -> tuple[str, ...]:
    notes = [str(each) for each in (window.limit, window.ratings) if each]
    return (*notes, window.order.why) if window.order.why else tuple(notes)


def _value_note(name: str, chosen: Mapping[str, Any]) -> str:
    """The strength transformation of an event type's values, with the measurement behind it."""
    note = f"Values of {name} as strength: {chosen['way']}"
    if measured := chosen.get("ndcg@10"):
        return f"{note} (on the fold: " + ", ".join(f"{way} {ndcg:.4f}" for way, ndcg in measured.items()) + ")."
    return f"{note}."


def _create_chunks(build: Build, *, items: int) -> int:
    """Creates the chunks of shared lists, of all users, and of all items. Returns the number of users."""
    size = min(settings.BUILD_CHUNK_SIZE, AI_CHUNK_SIZE if build.ai_calls_limit else settings.BUILD_CHUNK_SIZE)
    with connection.cursor() as cursor:
        cursor.execute(_RANGES, {"tenant": build.tenant_id, "size": size})
        ranges = cursor.fetchall()
    parts: list[tuple[Chunk.Kind, int, int]] = [(Chunk.Kind.POPULAR, 0, 0)]
    if settings.AI_EMBEDDING_MODEL:
        parts.append((Chunk.Kind.SEMANTIC, 0, 0))
    parts += [(Chunk.Kind.PEOPLE, first, last) for first, last, _ in ranges]
    parts += [
        (Chunk.Kind.SIMILAR, first, min(first + SIMILAR_CHUNK_SIZE, items) - 1)
        for first in range(0, items, SIMILAR_CHUNK_SIZE)
    ]
    Chunk.objects.bulk_create(
        (
            Chunk(tenant_id=build.tenant_id, build=build, number=number, kind=kind, first=first, last=last)
            for number, (kind, first, last) in enumerate(parts)
        ),
        batch_size=1000,
    )
    return sum(count for *_, count in ranges)
