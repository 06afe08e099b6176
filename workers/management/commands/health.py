"""manage.py health: a probe for the containers of workers and of beat."""

import socket
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.redis import RedisUnavailable
from workers import presence
from workers.presence import Presence, Taker

STUCK_SECONDS = 60
"""A worker without a task for so long consumes nothing: beat sends a heartbeat through each queue every ten seconds."""


class Command(BaseCommand):
    help = (
        "Exits with 1 if the workers of this host do not run or consume nothing, or if beat sends nothing. While Redis "
        "is away nothing is known and the status is 0: a restart would not help."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The process in question."""
        parser.add_argument("process", choices=("worker", "beat"))
        parser.add_argument(
            "--name", default="", help="the worker's name, such as celery@host; default: all of this host"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Says one line."""
        try:
            found = presence.look()
        except RedisUnavailable as error:
            self.stdout.write(f"Unknown, since Redis does not answer: {error}")
            return
        if options["process"] == "beat":
            if not found.beat:
                raise CommandError(f"Beat has sent nothing for {presence.FRESH_SECONDS} s.")
            self.stdout.write("Beat sends.")
            return
        own = _workers(found, options["name"])
        if faults := [fault for worker in own if (fault := _fault(worker, found))]:
            raise CommandError(" ".join(faults))
        self.stdout.write(f"{', '.join(each.name for each in own)}: consuming.")


def _workers(found: Presence, name: str) -> Sequence[Taker]:
    here = f"@{socket.gethostname()}"
    own = [each for each in found.workers if (each.name == name if name else each.name.endswith(here))]
    if not own:
        raise CommandError(f"No worker {name or here} has said anything for {presence.FRESH_SECONDS} s.")
    return own


def _fault(worker: Taker, found: Presence) -> str:
    """Returns the worker's fault; empty if there is none, or if nothing is known because beat is away."""
    if worker.busy or not found.beat:
        return ""
    # Workers of one queue share its heartbeats.
    sharing = min(len(each.takers) for each in found.queues if each.name in worker.queues)
    if worker.idle_seconds <= STUCK_SECONDS * sharing:
        return ""
    return f"{worker.name} has taken nothing for {worker.idle_seconds:.0f} s, and is not busy."
