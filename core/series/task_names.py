"""The names of the tasks of the built-in time series; `workers/tasks/` implements each once."""

STORE = "series.store"
PURGE = "series.purge"
