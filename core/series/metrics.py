"""Metrics of the built-in time series themselves."""

from prometheus_client import Counter

from core.metrics import start_at_zero

SERIES_DROPPED = Counter(
    "docent_series_rows_dropped_total", "Rows of the built-in time series that were lost, by reason.", ["reason"]
)

start_at_zero(SERIES_DROPPED, ("buffer_full", "stream_full", "stopped", "unreadable", "too_old"))
