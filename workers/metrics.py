"""The metrics of workers, of their queues and of beat."""

from core.metrics import TASKS as TASK_NAMES
from core.metrics.families import counter, histogram, measured
from workers.queues import QUEUES

NAMES = tuple(queue.name for queue in QUEUES)

TASKS = counter(
    "docent_tasks_total",
    "Tasks that ended, or will be tried again.",
    {"task": TASK_NAMES, "outcome": ("success", "retry", "failure")},
)
TASK_SECONDS = histogram(
    "docent_task_duration_seconds",
    "How long tasks ran.",
    {"task": TASK_NAMES},
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300, 1800),
)
QUEUE_SECONDS = histogram(
    "docent_queue_wait_seconds",
    "Time from the sending of a task, or from when it is due, until it began.",
    {"queue": NAMES},
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
QUEUE_MESSAGES = measured("docent_queue_messages", "Messages that wait in a queue.", {"queue": NAMES})
QUEUE_AGE = measured(
    "docent_queue_oldest_message_seconds", "Time since the oldest message in a queue was sent.", {"queue": NAMES}
)
QUEUE_PROCESSES = measured("docent_queue_processes", "Processes that take a queue's messages.", {"queue": NAMES})
QUEUE_BUSY = measured(
    "docent_queue_busy", "1 if every process that takes a queue's messages runs a task.", {"queue": NAMES}
)
HEARTBEAT_AGE = measured(
    "docent_queue_heartbeat_age_seconds",
    "Time since a worker ran a task that beat had sent through the queue for this purpose.",
    {"queue": NAMES},
)
BEAT_ALIVE = measured("docent_beat_alive", "1 if beat has sent something within 30 s.")
