"""The metrics of core: requests by route, Redis, PostgreSQL's pool, enqueued work."""

from core.metrics.families import Named, counter, gauge, histogram, measured

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER")
TASKS = Named("names of tasks", r"[a-z_]+\.[a-z_]+")
ROUTES = Named("names of routes; `admin`, `unmatched`", r"[A-Za-z0-9_.:-]{1,120}")
# Calls to Redis, by what they are for.
PURPOSES = [
    "address_limit",
    "ai_breaker",
    "ai_throttle",
    "availability",
    "forget_lists",
    "forget_places",
    "forget_user",
    "heartbeat",
    "impressions",
    "limiter",
    "lists",
    "measures",
    "nearline_enter",
    "nearline_leave",
    "once",
    "places",
    "put_lists",
    "quota_add",
    "quota_drain",
    "quota_restore",
    "quota_settle",
    "revocation",
    "scan_lists",
    "series",
    "synthetic",
    "unlink_lists",
    "warm_up",
    "workers",
]

REQUEST_SECONDS = histogram(
    "docent_http_request_duration_seconds",
    "Time to answer a request; its `_count` is the number of requests.",
    {"route": ROUTES, "method": METHODS, "status": Named("HTTP statuses", r"[1-5][0-9]{2}")},
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.078, 0.1, 0.15, 0.22, 0.5, 1.0, 2.5, 5.0, 10.0),
)
REDIS_SECONDS = histogram(
    "redis_command_duration_seconds",
    "Time of each call to Redis; a pipeline or a script is one call.",
    {"purpose": PURPOSES},
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2, 0.5),
)
REDIS_ERRORS = counter("docent_redis_errors_total", "Calls to Redis that failed.", {"purpose": PURPOSES})
REDIS_BREAKER_OPENED = counter(
    "docent_redis_breaker_opened_total", "Times a process stopped asking Redis for a moment."
)
DATABASE_BREAKER_OPENED = counter(
    "docent_database_breaker_opened_total", "Times a process stopped asking PostgreSQL for a moment."
)
DATABASE_REFUSED = counter(
    "docent_database_refused_total",
    "Requests rejected before PostgreSQL: all waiting slots taken, or the breaker open.",
    {"reason": ("breaker", "places")},
    from_zero=True,
)
POOL_UTILIZATION = gauge(
    "db_pool_utilization",
    "Share of the connections to PostgreSQL that are in use, in the process with the highest.",
    over_processes="livemax",
)
POOL_WAITING = gauge(
    "db_pool_requests_waiting", "Threads that wait for a connection to PostgreSQL.", over_processes="livesum"
)
POOL_WAIT_SECONDS = histogram(
    "db_pool_wait_seconds",
    "Time until a thread got a connection from the pool, or gave up.",
    buckets=(0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)
SECRETS = [
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "SECRET_KEY",
    "ERASURE_KEY",
    "KEY_ENCRYPTION_KEYS",
    "JWT_PRIVATE_KEY",
    "OPENAI_API_KEY",
    "METRICS_TOKEN",
    "STORAGE_S3_ACCESS_KEY",
    "STORAGE_S3_SECRET_KEY",
    "REDIS_SENTINEL_PASSWORD",
]
SECRET_AGE = measured(
    "docent_secret_age_seconds",
    "Time since the file of a secret (`NAME_FILE`) was written, as the workers see it.",
    {"secret": SECRETS},
)
ENQUEUE_FAILURES = counter(
    "docent_enqueue_failures_total", "Tasks that could not be handed to the broker.", {"task": TASKS}
)
