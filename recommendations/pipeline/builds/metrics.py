"""Metrics of builds."""

from prometheus_client import Counter

AI_ELIGIBLE = Counter(
    "ai_eligible_lists_total", "Lists eligible for AI that were published; those of ai_fallback_total went without it."
)
