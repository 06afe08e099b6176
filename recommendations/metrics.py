"""The metrics of recommendations. Labels are bounded: sources, reasons, kinds; never a tenant or a person."""

from prometheus_client import Counter, Gauge, Histogram

from core.metrics import start_at_zero

CACHE_READS = Counter("docent_list_cache_reads_total", "Lists read from Redis.", ["outcome"])
AVAILABILITY_PUSH_FAILURES = Counter(
    "docent_availability_push_failures_total", "Withdrawn items that could not be written to Redis at once."
)
LISTS_SERVED = Counter(
    "docent_lists_served_total", "Answers with a list, by source and degradation.", ["source", "degraded"]
)
BUILDS = Counter("docent_builds_total", "Builds that ended.", ["outcome"])
ARTEFACTS_REFUSED = Counter("docent_artefacts_refused_total", "Artefacts that the quality gate rejected.")
BUILD_SECONDS = Histogram(
    "docent_build_step_duration_seconds",
    "Steps of a build.",
    ["step"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
AI_REQUESTS = Counter("ai_requests_total", "Calls to the AI provider, by outcome.", ["outcome"])
AI_FALLBACKS = Counter("ai_fallback_total", "Lists eligible for AI that were published without it.", ["reason"])
AI_SKIPPED = Counter("ai_skipped_total", "Lists not eligible for AI.", ["reason"])
DIRTY_PEOPLE = Gauge("docent_dirty_people", "Users waiting for near line at the last sweep.", multiprocess_mode="max")

start_at_zero(BUILDS, ("published", "failed"))
