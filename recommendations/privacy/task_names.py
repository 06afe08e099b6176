"""Names of the tasks that privacy enqueues; `workers/tasks/` implements them."""

COPY_LOG = "privacy.copy_log"
PRUNE = "privacy.prune"
PRUNE_TENANT = "privacy.prune_tenant"
