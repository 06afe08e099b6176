"""The names of attribution's tasks; `workers/tasks/` implements each once."""

GATHER = "attribution.gather"
TIDY = "attribution.tidy"
