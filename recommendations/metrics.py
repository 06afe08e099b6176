"""The metrics of recommendations; those of AI and of attribution have their own modules."""

from core.metrics.families import counter, histogram, measured

SOURCES = ("ai", "model", "popular", "static")
# `none` is a list as intended; the rest are those of recommendations.degradation, which a test compares.
DEGRADED = [
    "none",
    "flag",
    "quota",
    "no_build",
    "no_items",
    "unknown_user",
    "database",
    "artefact",
    "busy",
    "breaker",
    "budget",
    "timeout",
    "throttled",
    "error",
    "invalid",
]
FALLBACKS = ("breaker", "budget", "timeout", "throttled", "error", "invalid")
STEPS = ("train", "score_people", "score_similar", "score_popular", "score_semantic", "publish")
LIST_KINDS = ("users", "items")

CACHE_READS = counter("docent_list_cache_reads_total", "Lists read from Redis.", {"outcome": ("hit", "miss")})
AVAILABILITY_PUSH_FAILURES = counter(
    "docent_availability_push_failures_total", "Withdrawn items that could not be written to Redis at once."
)
LISTS_SERVED = counter(
    "docent_lists_served_total",
    "Answers with a list, by the step that made it and the reason why it is not the intended one.",
    {"source": SOURCES, "degraded": DEGRADED},
)
LIST_AGE = measured(
    "docent_list_age_seconds",
    "Time since the data of the lists that a placement serves were read, of the placement with the oldest.",
)
BUILDS = counter("docent_builds_total", "Builds that ended.", {"outcome": ("published", "failed")}, from_zero=True)
ARTEFACTS_REFUSED = counter("docent_artefacts_refused_total", "Artefacts that the quality gate rejected.")
BUILD_SECONDS = histogram(
    "docent_build_step_duration_seconds",
    "Steps of a build; scoring by chunk.",
    {"step": STEPS},
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
BUILD_ROWS = counter(
    "docent_build_rows_total",
    "Interactions trained on; divided by the `_sum` of the step `train`, rows per second.",
)
BUILD_LISTS = counter(
    "docent_build_lists_total",
    "Lists written by builds; divided by the `_sum` of the scoring steps, users (or items) per second.",
    {"kind": LIST_KINDS},
)
NEARLINE_WAIT_SECONDS = histogram(
    "docent_nearline_wait_seconds",
    "Time from a user's first unseen event until a worker takes it up.",
    buckets=(0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300),
)
NEARLINE_WAITING = measured("docent_nearline_waiting_users", "Users whose lists do not know their last events yet.")
NEARLINE_LAG = measured(
    "docent_nearline_lag_seconds", "Time for which the user has waited who waits longest for near line."
)
AI_REQUESTS = counter(
    "ai_requests_total",
    "Calls to the AI provider; `cached` ones were answered before.",
    {"outcome": ("ok", "cached", *FALLBACKS)},
)
AI_FALLBACKS = counter(
    "ai_fallback_total", "Lists eligible for AI that were published without it.", {"reason": FALLBACKS}
)
AI_SKIPPED = counter(
    "ai_skipped_total", "Lists not eligible for AI.", {"reason": ("off", "no_key", "gate", "control", "batch", "cap")}
)
