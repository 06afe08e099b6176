"""The names of attribution's tasks; `workers/tasks/` implements each once."""

GATHER = "attribution.gather"
JUDGE = "attribution.judge"
TIDY = "attribution.tidy"
