"""The built-in time series: the process's own metrics, minute by minute, in PostgreSQL. No Prometheus is needed."""
