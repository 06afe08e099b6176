"""Metrics of webhook deliveries."""

from prometheus_client import Counter

WEBHOOK_ATTEMPTS = Counter("docent_webhook_attempts_total", "Attempts to deliver a message, by outcome.", ["outcome"])
