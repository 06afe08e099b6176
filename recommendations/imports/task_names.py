"""Names of the tasks that imports ask for; `workers/tasks/` implements each once."""

RUN = "imports.run"
RESUME = "imports.resume"
