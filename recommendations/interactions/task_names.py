"""Names of the tasks that interactions and imports enqueue; `workers/tasks/` implements them."""

PLAN_FIRST = "build.plan_first"
RESCORE = "nearline.rescore"
SWEEP_DIRTY = "nearline.sweep"
