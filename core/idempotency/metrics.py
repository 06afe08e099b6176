"""The metrics of idempotency. No labels: a key, a client or a tenant never becomes one."""

from prometheus_client import Counter

REPLAYED = Counter("idempotency_replayed_total", "Writes answered with the stored answer of their first time.")
CONFLICTS = Counter("idempotency_conflicts_total", "Writes refused because one with the same key was still running.")
MISMATCHES = Counter("idempotency_mismatches_total", "Writes refused because their key belongs to another request.")
