"""Metrics of implied impressions, and of events that name a recommendation."""

from core.metrics.families import counter, measured

IMPRESSIONS_SENT = counter("docent_impressions_sent_total", "Implied impressions handed to the stream.")
IMPRESSIONS_DROPPED = counter(
    "docent_impressions_dropped_total",
    "Implied impressions that were not kept.",
    {"reason": ("unreadable", "too_old", "stopped", "buffer_full", "stream_full")},
    from_zero=True,
)
IMPRESSIONS_STORED = counter("docent_impressions_stored_total", "Implied impressions counted in PostgreSQL.")
IMPRESSION_STREAM = measured("docent_impression_stream_batches", "Batches that wait in the stream.")
FEEDBACK = counter(
    "docent_feedback_total",
    "Events that name a recommendation, by their result.",
    {"outcome": ("clicks", "conversions", "impressions", "unattributed", "unknown_id")},
)
