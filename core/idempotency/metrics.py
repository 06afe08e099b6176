"""The metrics of idempotency."""

from core.metrics.families import counter

REPLAYED = counter("idempotency_replayed_total", "Writes answered with the stored answer of their first time.")
CONFLICTS = counter("idempotency_conflicts_total", "Writes refused because one with the same key was still running.")
MISMATCHES = counter("idempotency_mismatches_total", "Writes refused because their key belongs to another request.")
