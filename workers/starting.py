"""The start of a worker: it rejects unknown queues, lowers its priority for builds, and limits its threads.

A worker that takes nothing but builds and imports (workers.queues.HEAVY) runs at a lower priority, so that tasks
with waiting users get the processors first. It uses what the others leave, all of it when they are idle.
"""

import gc
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import structlog
from celery.signals import celeryd_after_setup, worker_process_init, worker_process_shutdown
from django.conf import settings
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from core import tracing
from core.series import recorder
from workers import presence
from workers.queues import HEAVY, QUEUES

_AUTOGROUP = Path("/proc/self/autogroup")
_threads = {"most": 1}
_log = structlog.get_logger(__name__)


def give_way(nice: int) -> None:
    """Lowers the priority of this process and its children by `nice` (0 to 19), as far as the system allows it.

    Linux with autogroups shares the processors between sessions first, and niceness counts within one session only. So
    a process that leads a session of its own lowers that as well; a worker in a shared terminal must not.
    """
    if nice:
        os.nice(nice)
        if os.getsid(0) == os.getpid() and _AUTOGROUP.exists():
            try:
                _AUTOGROUP.write_text(str(nice), encoding="ascii")
            except OSError as error:
                _log.info("session_priority_not_lowered", error=str(error))


def refuse_unknown(names: Collection[str]) -> None:
    """Rejects queues that no task is sent to: Celery would create them and wait for ever.

    Raises:
        SystemExit: There is such a queue.
    """
    known = [queue.name for queue in QUEUES]
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"Not started: no task is sent to {', '.join(unknown)}. There are {', '.join(known)}.")


@celeryd_after_setup.connect
def _before_the_pool(instance: Any, **_: Any) -> None:
    names = set(instance.app.amqp.queues.consume_from)
    refuse_unknown(names)
    presence.describe(instance.hostname, names, instance.concurrency)
    if names & HEAVY:
        _threads["most"] = settings.TRAIN_THREADS
    if names <= HEAVY:
        give_way(settings.BUILD_NICE)
    gc.freeze()  # collections in the pool's processes leave alone what they share with this one


@worker_process_init.connect
def _in_the_pool(**_: Any) -> None:
    """Limits numerical libraries, which would start a thread per processor in each process; collects metrics."""
    threadpool_limits(limits=_threads["most"])
    recorder.start_worker()


@worker_process_shutdown.connect
def _out_of_the_pool(**_: Any) -> None:
    recorder.stop()
    tracing.flush()
