"""The names of the tasks that placements ask for; `workers/tasks/` implements each once."""

APPLY_RULES = "build.apply_rules"
FORGET_PLACES = "placements.forget"
