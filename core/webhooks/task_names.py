"""The names of the webhooks' tasks; `workers/tasks/` implements each once."""

DELIVER = "webhooks.deliver"
SWEEP = "webhooks.sweep"
