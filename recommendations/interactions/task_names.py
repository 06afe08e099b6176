"""The names of the tasks that interactions and imports ask for; `workers/tasks/` implements each once."""

PLAN_FIRST = "build.plan_first"
RESCORE = "nearline.rescore"
SWEEP_DIRTY = "nearline.sweep"
