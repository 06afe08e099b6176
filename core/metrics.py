"""The metrics of core: requests by route, Redis, enqueued work. Labels are bounded: never a tenant, never a path."""

from collections.abc import Iterable
from itertools import product

from prometheus_client import Counter, Histogram

REQUEST_SECONDS = Histogram(
    "docent_http_request_duration_seconds",
    "Time to answer a request, by route name, method and status.",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.078, 0.1, 0.15, 0.22, 0.5, 1.0, 2.5, 5.0, 10.0),
)
REDIS_SECONDS = Histogram(
    "redis_command_duration_seconds",
    "Time of each call to Redis, by purpose; a pipeline or a script is one call.",
    ["purpose"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2, 0.5),
)
REDIS_ERRORS = Counter("docent_redis_errors_total", "Redis commands that failed, by purpose.", ["purpose"])
REDIS_BREAKER_OPENED = Counter(
    "docent_redis_breaker_opened_total", "Times a process stopped asking Redis for a moment."
)
DATABASE_BREAKER_OPENED = Counter(
    "docent_database_breaker_opened_total", "Times a process stopped asking PostgreSQL for a moment."
)
DATABASE_REFUSED = Counter(
    "docent_database_refused_total",
    "Requests rejected before PostgreSQL: all waiting slots taken, or the breaker open.",
    ["reason"],
)
ENQUEUE_FAILURES = Counter("docent_enqueue_failures_total", "Tasks that could not be handed to the broker.", ["task"])


def start_at_zero(counter: Counter, *label_values: Iterable[str]) -> None:
    """Creates the series of these label values, so that Prometheus sees the first increase of each."""
    for values in product(*label_values):
        counter.labels(*values)
