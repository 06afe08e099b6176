"""Metrics of the built-in time series themselves."""

from core.metrics.families import counter

SERIES_DROPPED = counter(
    "docent_series_rows_dropped_total",
    "Rows of the built-in time series that were lost.",
    {"reason": ("buffer_full", "stream_full", "stopped", "unreadable", "too_old")},
    from_zero=True,
)
