"""Metrics of builds."""

from core.metrics.families import counter

AI_ELIGIBLE = counter(
    "ai_eligible_lists_total", "Lists eligible for AI that were published; those of ai_fallback_total went without it."
)
