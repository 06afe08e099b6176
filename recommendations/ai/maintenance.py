"""Periodic maintenance of AI's records. Safe to run at any time, also twice at once."""

from dataclasses import dataclass
from datetime import datetime

from recommendations.ai.budget import ledger
from recommendations.ai.budget.reservations import release_expired
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.embeddings import store
from recommendations.ai.gateway import response_cache
from recommendations.ai.gateway.instrumentation import instrumented_breaker
from recommendations.ai.privacy import request_log
from recommendations.ai.uplift import fallback_stats


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceReport:
    """Numbers of released reservations and deleted rows."""

    reservations: int
    calls: int
    answers: int
    statistics: int
    sent: int
    vectors: int


def run_maintenance(config: AIConfiguration, *, now: datetime) -> MaintenanceReport:
    """Release reservations of dead processes, delete expired rows, and update the gauges."""
    released = release_expired(limits=config.budget, now=now)
    fallback_stats.update_gauges(now=now)
    if config.in_use:
        instrumented_breaker(config).state()
    return MaintenanceReport(
        reservations=released,
        calls=ledger.purge(now=now, keep_days=config.ledger_days),
        answers=response_cache.purge(now=now, keep_days=config.answer_days),
        statistics=fallback_stats.purge(now=now, keep_days=config.ledger_days),
        sent=request_log.purge(now=now, keep_days=config.sent_days),
        vectors=store.purge(now=now, keep_days=config.answer_days),
    )
