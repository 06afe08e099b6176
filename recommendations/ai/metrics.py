"""Metrics of AI calls, their costs and guards."""

from core.metrics.families import Named, counter, histogram, measured
from recommendations.metrics import AI_REQUESTS, FALLBACKS

__all__ = [
    "AI_BATCH_SKIPPED",
    "AI_BREAKER_STATE",
    "AI_BUDGET_ALERTS",
    "AI_COST",
    "AI_FALLBACK_RATIO",
    "AI_REQUESTS",
    "AI_REQUEST_SECONDS",
    "AI_TOKENS",
]

AI_TOKENS = counter(
    "ai_tokens_total",
    "Tokens used; cached is part of input, reasoning part of output.",
    {"kind": ("input", "cached", "output", "reasoning")},
)
AI_COST = counter(
    "ai_cost_usd_total",
    "Costs of calls by the price table; simulated money is none.",
    {"simulated": ("true", "false")},
)
AI_REQUEST_SECONDS = histogram(
    "ai_request_duration_seconds",
    "Time of each request to the provider.",
    {"outcome": ("ok", "invalid", "timeout", "throttled", "error")},
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120),
)
AI_BATCH_SKIPPED = counter(
    "ai_batch_calls_skipped_total", "Calls of the batch interface that a gate put off.", {"reason": FALLBACKS}
)
AI_BREAKER_STATE = measured(
    "ai_breaker_state", "0 closed, 1 half-open, 2 open.", {"model": Named("the configured model", r"[\w./:@+-]{1,200}")}
)
AI_BUDGET_ALERTS = counter(
    "ai_budget_alerts_total",
    "Budgets that came to 80 % (soft) or refused (hard).",
    {"level": ("soft", "hard"), "cap": ("tenant_day", "tenant_month", "global_month")},
    from_zero=True,
)
AI_FALLBACK_RATIO = measured(
    "ai_fallback_ratio",
    "Share of the lists eligible for AI that were published without it; 0 below 20 lists.",
    {"window": ("5m", "24h")},
)
