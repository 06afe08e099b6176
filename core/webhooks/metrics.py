"""Metrics of webhook deliveries."""

from prometheus_client import Counter

from core.metrics import start_at_zero

WEBHOOK_ATTEMPTS = Counter("docent_webhook_attempts_total", "Attempts to deliver a message, by outcome.", ["outcome"])

start_at_zero(WEBHOOK_ATTEMPTS, ("delivered", "failed"))
