"""Periodic maintenance of AI's records. Safe to run at any time, also twice at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from core.metrics.families import Value
from recommendations.ai.budget import ledger
from recommendations.ai.budget.reservations import release_expired
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.embeddings import store
from recommendations.ai.gateway import response_cache
from recommendations.ai.gateway.instrumentation import instrumented_breaker
from recommendations.ai.metrics import AI_BREAKER_STATE
from recommendations.ai.privacy import request_log
from recommendations.ai.resilience.circuit_state import BreakerMode
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


_LEVELS: dict[BreakerMode, int] = {"closed": 0, "half_open": 1, "open": 2}


def measure(*, now: datetime) -> Iterator[Value]:
    """Yield the share of fallbacks, and the state of the breaker if AI is in use."""
    yield from fallback_stats.measure(now=now)
    config = AIConfiguration.from_settings(settings)
    if config.in_use:
        yield AI_BREAKER_STATE, (config.model,), _LEVELS[instrumented_breaker(config).state().mode]


def run_maintenance(config: AIConfiguration, *, now: datetime) -> MaintenanceReport:
    """Release reservations of dead processes, and delete expired rows."""
    released = release_expired(limits=config.budget, now=now)
    return MaintenanceReport(
        reservations=released,
        calls=ledger.purge(now=now, keep_days=config.ledger_days),
        answers=response_cache.purge(now=now, keep_days=config.answer_days),
        statistics=fallback_stats.purge(now=now, keep_days=config.ledger_days),
        sent=request_log.purge(now=now, keep_days=config.sent_days),
        vectors=store.purge(now=now, keep_days=config.answer_days),
    )
