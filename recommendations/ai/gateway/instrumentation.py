"""Metrics and logs for breaker and calls; the domain objects only call hooks."""

import structlog

from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.metrics import AI_COST, AI_REQUEST_SECONDS, AI_TOKENS
from recommendations.ai.models import AICall
from recommendations.ai.money import NANO_PER_USD
from recommendations.ai.resilience.circuit_breaker import BreakerEvent, CircuitBreaker

_log = structlog.get_logger(__name__)


def instrumented_breaker(config: AIConfiguration) -> CircuitBreaker:
    """Return the circuit breaker of the configured model, shared by calls and staff."""
    return CircuitBreaker(
        provider=config.origin,
        model=config.model,
        policy=config.breaker,
        hooks=(log_breaker,),
    )


def log_breaker(event: BreakerEvent) -> None:
    """Log a change of the breaker's state."""
    log = _log.warning if event.after == "open" else _log.info
    log(
        "ai_breaker",
        model=event.model,
        before=event.before,
        after=event.after,
        why=event.why,
        error=event.error,
        probe_at=event.probe_at,
    )


def count_call(call: AICall) -> None:
    """Count a ledger row."""
    AI_REQUEST_SECONDS.labels(call.outcome).observe(call.latency_ms / 1000)
    for kind in ("input", "cached", "output", "reasoning"):
        AI_TOKENS.labels(kind).inc(getattr(call, f"{kind}_tokens"))
    AI_COST.labels(str(call.simulated).lower()).inc(call.cost_nano_usd / NANO_PER_USD)
