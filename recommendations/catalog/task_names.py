"""Names of the tasks that the catalogue asks for; `workers/tasks/` implements each once."""

TAKE_IN = "items.take_in"
SWEEP_ITEMS = "items.sweep"
