"""The names of the tasks that beat asks for; `workers/tasks/synthetic.py` implements each once."""

RUN = "synthetic.run"
COLLECT = "synthetic.collect"
