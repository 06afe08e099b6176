"""The name of the task that keeps AI's records tidy; `workers/tasks/` implements it once."""

TIDY = "ai.tidy"
