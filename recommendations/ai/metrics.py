"""Prometheus metrics of AI. Labels are bounded: outcomes, kinds, configured models."""

from prometheus_client import Counter, Gauge, Histogram

from core.metrics import start_at_zero
from recommendations.metrics import AI_REQUESTS

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

AI_TOKENS = Counter("ai_tokens_total", "Tokens used; cached is part of input, reasoning part of output.", ["kind"])
AI_COST = Counter("ai_cost_usd_total", "What calls cost by the price table; simulated money is none.", ["simulated"])
AI_REQUEST_SECONDS = Histogram(
    "ai_request_duration_seconds",
    "Time of each request to the provider, by outcome.",
    ["outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120),
)
AI_BATCH_SKIPPED = Counter(
    "ai_batch_calls_skipped_total", "Calls of the batch interface that a gate put off, by gate.", ["reason"]
)
AI_BREAKER_STATE = Gauge(
    "ai_breaker_state", "0 closed, 1 half-open, 2 open.", ["model"], multiprocess_mode="mostrecent"
)
AI_BUDGET_ALERTS = Counter("ai_budget_alerts_total", "Budgets that came to 80 % or refused.", ["level", "cap"])
AI_FALLBACK_RATIO = Gauge(
    "ai_fallback_ratio",
    "Share of the lists eligible for AI that were published without it; 0 below 20 lists.",
    ["window"],
    multiprocess_mode="mostrecent",
)

start_at_zero(AI_BUDGET_ALERTS, ("soft", "hard"), ("tenant_day", "tenant_month", "global_month"))
