"""Builds: plan, train, score, publish, resume."""

from typing import Any

from celery import shared_task
from django.conf import settings

from core import clock
from recommendations.ai.config.settings import AIConfiguration
from recommendations.interactions.task_names import PLAN_FIRST
from recommendations.pipeline import task_names
from recommendations.pipeline.builds import ai_batches as batching
from recommendations.pipeline.builds import publish, republish, resume, schedule, score
from recommendations.pipeline.builds import refresh_popular as refreshing
from recommendations.pipeline.builds import train as training
from recommendations.placements.task_names import APPLY_RULES
from recommendations.privacy.reapply_erasures import apply_erasures


@shared_task(name=task_names.PLAN_NIGHTLY)
def plan_nightly(**_: Any) -> None:
    """Starts the nightly builds."""
    schedule.plan_nightly(now=clock.now())


@shared_task(name=PLAN_FIRST)
def plan_first(*, tenant_id: int, **_: Any) -> None:
    """Starts a tenant's first build."""
    schedule.plan_first(tenant_id=tenant_id, now=clock.now())


@shared_task(name=APPLY_RULES)
def apply_rules(*, tenant_id: int | None = None, **_: Any) -> None:
    """Applies published rules to the lists of one tenant, or of all tenants whose message was lost."""
    if tenant_id is None:
        republish.republish_all(now=clock.now())
    else:
        republish.republish(tenant_id=tenant_id, now=clock.now())


@shared_task(name=task_names.TRAIN)
def train(*, tenant_id: int, build_id: int, **_: Any) -> None:
    """The first step of a build. Erased users are never trained on, even after a restore."""
    apply_erasures(tenant_id=tenant_id, now=clock.now())
    training.train_step(tenant_id=tenant_id, build_id=build_id)


@shared_task(name=task_names.SCORE_CHUNK)
def score_chunk(*, tenant_id: int, build_id: int, **_: Any) -> None:
    """Scores the next free chunk of a build."""
    score.score_chunk(tenant_id=tenant_id, build_id=build_id)


@shared_task(name=task_names.PUBLISH)
def publish_build(*, tenant_id: int, build_id: int, **_: Any) -> None:
    """The last step of a build."""
    publish.publish_step(tenant_id=tenant_id, build_id=build_id)


@shared_task(name=task_names.RESUME_BUILDS)
def resume_builds(**_: Any) -> None:
    """Resumes builds that stopped."""
    resume.resume_builds()


@shared_task(name=task_names.AI_BATCHES)
def ai_batches(**_: Any) -> None:
    """Advances AI batches and starts follow-up builds."""
    batching.step(AIConfiguration.from_settings(settings), now=clock.now())


@shared_task(name=task_names.REFRESH_POPULAR)
def refresh_popular(**_: Any) -> None:
    """Enqueues the refresh of every tenant's shared lists."""
    refreshing.refresh_all()


@shared_task(name=task_names.REFRESH_TENANT_POPULAR)
def refresh_tenant_popular(*, tenant_id: int, **_: Any) -> None:
    """Refreshes the shared lists of one tenant."""
    refreshing.refresh(tenant_id=tenant_id, now=clock.now())
