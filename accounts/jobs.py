"""The names of the tasks that accounts asks for; `workers/tasks/` implements each once."""

FLUSH_USAGE = "accounts.flush_usage"
