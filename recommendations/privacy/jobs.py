"""The names of the tasks that privacy asks for; `workers/tasks/` implements each once."""

COPY_LOG = "privacy.copy_log"
