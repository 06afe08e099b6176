"""The names of the tasks that idempotency asks for; `workers/tasks/` implements each once."""

PURGE = "idempotency.purge"
