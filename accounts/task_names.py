"""The names of the tasks that accounts asks for; `workers/tasks/` implements each once."""

FLUSH_USAGE = "accounts.flush_usage"
TEND_KEYS = "accounts.tend_keys"
PURGE_TOKENS = "accounts.purge_tokens"
