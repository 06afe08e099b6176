"""Queues by kind of work, and the workers that consume them, so that no fresh event waits for a build.

Each queue has an exchange and a key of its own: queues that Celery puts on its default exchange share one key, and
every message would go to all of them.
"""

from dataclasses import dataclass

from kombu import Exchange, Queue

NEARLINE = "docent.nearline"
"""Users' lists after their events: fractions of a second each."""
QUICK = "docent.quick"
"""Tasks that beat sends every few seconds or that start other work: milliseconds each, for all tenants together."""
DEFAULT = "docent.default"
"""Everything else: seconds each, partly spent waiting for remote servers."""
BUILD, IMPORTS = "docent.build", "docent.imports"
"""Minutes of computing, and of reading files."""

QUEUES = [
    Queue(name, Exchange(name, type="direct"), routing_key=name) for name in (NEARLINE, QUICK, DEFAULT, BUILD, IMPORTS)
]
_QUICK_TASKS = (
    "attribution.gather",
    "build.apply_rules",
    "build.plan_first",
    "build.plan_nightly",
    "build.refresh_popular",
    "build.resume",
    "imports.resume",
    "items.sweep",
    "metrics.measure",
    "nearline.sweep",
    "series.store",
    "webhooks.sweep",
)
# Full names take precedence over patterns.
ROUTES = {
    **{task: {"queue": QUICK} for task in _QUICK_TASKS},
    "build.ai_batches": {"queue": DEFAULT},
    "build.refresh_tenant_popular": {"queue": DEFAULT},
    "build.*": {"queue": BUILD},
    "imports.*": {"queue": IMPORTS},
    "nearline.*": {"queue": NEARLINE},
}


@dataclass(frozen=True, slots=True)
class Worker:
    """One Celery worker of the default layout, with this many processes."""

    name: str
    queues: tuple[str, ...]
    processes: int = 2

    @property
    def options(self) -> tuple[str, ...]:
        """The options for `celery -A workers worker`."""
        return (f"--queues={','.join(self.queues)}", f"--concurrency={self.processes}", f"--hostname={self.name}@%h")


WORKERS = (
    Worker("quick", (NEARLINE, QUICK)),
    Worker("general", (DEFAULT,)),
    Worker("builds", (BUILD, IMPORTS)),
)
HEAVY = frozenset({BUILD, IMPORTS})
"""A worker that consumes nothing else runs at a lower priority (workers.starting)."""
