"""The names of the tasks that privacy asks for; `workers/tasks/` implements each once."""

COPY_LOG = "privacy.copy_log"
PRUNE = "privacy.prune"
PRUNE_TENANT = "privacy.prune_tenant"
