"""Metrics of implied impressions, and of events that name a recommendation."""

from prometheus_client import Counter, Gauge

IMPRESSIONS_SENT = Counter("docent_impressions_sent_total", "Implied impressions handed to the stream.")
IMPRESSIONS_DROPPED = Counter("docent_impressions_dropped_total", "Implied impressions that were not kept.", ["reason"])
IMPRESSIONS_STORED = Counter("docent_impressions_stored_total", "Implied impressions counted in PostgreSQL.")
IMPRESSION_STREAM = Gauge(
    "docent_impression_stream_batches", "Batches that wait in the stream.", multiprocess_mode="mostrecent"
)
FEEDBACK = Counter("docent_feedback_total", "Events that name a recommendation, by what became of them.", ["outcome"])
