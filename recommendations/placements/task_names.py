"""Names of the tasks that placements enqueue; `workers/tasks/` implements them."""

APPLY_RULES = "build.apply_rules"
FORGET_PLACES = "placements.forget"
