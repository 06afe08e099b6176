"""The schedule of beat. Each entry expires before its next run, so that a stalled broker accumulates nothing."""

from typing import Any

from celery.schedules import crontab
from django.conf import settings

from accounts.task_names import FLUSH_USAGE, PURGE_TOKENS, TEND_KEYS
from core.idempotency.task_names import PURGE
from core.metrics.task_names import MEASURE
from core.series import task_names as series
from core.webhooks.task_names import SWEEP as SWEEP_WEBHOOKS
from recommendations.ai.task_names import TIDY
from recommendations.attribution import task_names as attribution
from recommendations.catalog.task_names import SWEEP_ITEMS
from recommendations.imports.task_names import RESUME
from recommendations.interactions.task_names import SWEEP_DIRTY
from recommendations.pipeline import task_names
from recommendations.placements.task_names import APPLY_RULES
from recommendations.privacy.task_names import COPY_LOG, PRUNE
from workers import heartbeats
from workers.queues import QUEUES
from workers.synthetic import task_names as synthetic


def schedule() -> dict[str, dict[str, Any]]:
    """Beat's table: nightly builds, hourly popularity, cleanup, and the sweeps that make up for lost messages."""
    return {
        "nightly-builds": {
            "task": task_names.PLAN_NIGHTLY,
            "schedule": crontab(hour=settings.NIGHTLY_BUILD_HOUR, minute=0),
            "options": {"expires": 3600},
        },
        "hourly-popularity": {
            "task": task_names.REFRESH_POPULAR,
            "schedule": crontab(minute=10),
            "options": {"expires": 3000},
        },
        "idempotency-keys": {"task": PURGE, "schedule": crontab(minute=40), "options": {"expires": 3000}},
        "ai-batches": {"task": task_names.AI_BATCHES, "schedule": 60.0, "options": {"expires": 50}},
        "ai-tidy": {"task": TIDY, "schedule": 120.0, "options": {"expires": 110}},
        "erasures": {"task": COPY_LOG, "schedule": 60.0, "options": {"expires": 50}},
        "attribution": {"task": attribution.GATHER, "schedule": 2.0, "options": {"expires": 2}},
        "experiments": {"task": attribution.JUDGE, "schedule": 600.0, "options": {"expires": 590}},
        "attribution-tidy": {"task": attribution.TIDY, "schedule": crontab(minute=20), "options": {"expires": 3000}},
        "webhooks": {"task": SWEEP_WEBHOOKS, "schedule": 10.0, "options": {"expires": 9}},
        "resume-imports": {"task": RESUME, "schedule": 5.0, "options": {"expires": 4}},
        "retention": {"task": PRUNE, "schedule": crontab(minute=50), "options": {"expires": 3000}},
        "published-rules": {"task": APPLY_RULES, "schedule": 60.0, "options": {"expires": 50}},
        "resume-builds": {"task": task_names.RESUME_BUILDS, "schedule": 5.0, "options": {"expires": 4}},
        "series": {"task": series.STORE, "schedule": 10.0, "options": {"expires": 9}},
        "series-retention": {"task": series.PURGE, "schedule": crontab(minute=30), "options": {"expires": 3000}},
        "tokens": {"task": PURGE_TOKENS, "schedule": crontab(minute=50), "options": {"expires": 3000}},
        "signing-keys": {"task": TEND_KEYS, "schedule": crontab(minute=20), "options": {"expires": 3000}},
        "monthly-usage": {"task": FLUSH_USAGE, "schedule": 60.0, "options": {"expires": 50}},
        "fresh-items": {"task": SWEEP_ITEMS, "schedule": 30.0, "options": {"expires": 25}},
        "nearline-sweep": {"task": SWEEP_DIRTY, "schedule": 60.0, "options": {"expires": 50}},
        "measures": {"task": MEASURE, "schedule": 15.0, "options": {"expires": 14}},
        **{f"heartbeat-{queue.name}": heartbeats.entry(queue.name) for queue in QUEUES},
        **_synthetic_checks(),
    }


def _synthetic_checks() -> dict[str, dict[str, Any]]:
    """The checks of the region that is configured, and the collection from runners elsewhere."""
    entries: dict[str, dict[str, Any]] = {}
    if settings.SYNTHETIC_REGION:
        every = settings.SYNTHETIC_SECONDS
        entries["synthetic-checks"] = {"task": synthetic.RUN, "schedule": every, "options": {"expires": every - 1}}
    if settings.SYNTHETIC_REGION or settings.SYNTHETIC_RUNNERS:
        entries["synthetic-outcomes"] = {"task": synthetic.COLLECT, "schedule": 60.0, "options": {"expires": 50}}
    return entries
