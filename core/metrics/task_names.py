"""Names of the tasks that metrics ask for."""

MEASURE = "metrics.measure"
HEARTBEAT = "metrics.heartbeat"
