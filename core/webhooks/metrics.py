"""Metrics of webhook deliveries."""

from core.metrics.families import counter

WEBHOOK_ATTEMPTS = counter(
    "docent_webhook_attempts_total",
    "Attempts to deliver a message.",
    {"outcome": ("delivered", "failed")},
    from_zero=True,
)
