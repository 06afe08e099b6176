"""Settings of the built-in time series. Read by base.py."""

from config import env

# Which metrics are kept, under which name and with which of their labels (core.series.families).
SERIES_FAMILIES = {
    "requests": ("core.metrics.REQUEST_SECONDS", ("route", "method", "status")),
    "redis": ("core.metrics.REDIS_SECONDS", ()),
    "lists": ("recommendations.metrics.LISTS_SERVED", ("source", "degraded")),
    "ai_calls": ("recommendations.metrics.AI_REQUESTS", ("outcome",)),
    "ai_eligible": ("recommendations.pipeline.builds.metrics.AI_ELIGIBLE", ()),
    "ai_fallbacks": ("recommendations.metrics.AI_FALLBACKS", ("reason",)),
    "ai_cost": ("recommendations.ai.metrics.AI_COST", ("simulated",)),
}
SERIES_FLUSH_SECONDS = env.seconds("SERIES_FLUSH_SECONDS", 5.0, minimum=0.0, maximum=30.0)  # 0: nothing is kept
SERIES_DAYS = env.integer("SERIES_DAYS", 35, minimum=1, maximum=400)
SERIES_STREAM_BATCHES = env.integer("SERIES_STREAM_BATCHES", 20_000, minimum=10)
