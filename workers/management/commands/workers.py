"""manage.py workers: which queue is taken by whom, and what waits in it."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.redis import RedisUnavailable
from workers import presence

_POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Lists the queues with their waiting messages and their workers. The status is 1 if a queue has no worker, "
        "if its worker consumes nothing, or if beat does not run: after a deployment, `manage.py workers --wait 60`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument(
            "--wait", type=float, default=0.0, metavar="SECONDS", help="wait up to this long for all workers"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """One table, and what is missing."""
        ends = time.monotonic() + options["wait"]
        while (missing := self._missing(found := self._look())) and time.monotonic() < ends:
            time.sleep(_POLL_SECONDS)
        width = max(len(each.name) for each in found.queues)
        self.stdout.write(f"{'QUEUE':{width}}  WAITING  OLDEST  HEARTBEAT  WORKERS")
        for each in found.queues:
            takers = ", ".join(f"{taker.name} ({taker.processes} processes)" for taker in each.takers) or "none"
            heartbeat = "never" if each.heartbeat_seconds is None else f"{each.heartbeat_seconds:.0f} s ago"
            oldest = f"{each.oldest_seconds:.0f} s"
            self.stdout.write(f"{each.name:{width}}  {each.waiting:7}  {oldest:>6}  {heartbeat:>9}  {takers}")
        self.stdout.write(f"beat: {'running' if found.beat else 'not running'}")
        if missing:
            raise CommandError(missing)

    def _look(self) -> presence.Presence:
        try:
            return presence.look()
        except RedisUnavailable as error:
            raise CommandError(f"Redis does not answer: {error}") from None

    def _missing(self, found: presence.Presence) -> str:
        said = []
        if found.untaken:
            names = ",".join(found.untaken)
            said.append(f"No worker consumes {names}. Start one: celery -A workers worker --queues={names}")
        if found.stalled:
            said.append(
                f"{', '.join(found.stalled)}: the worker is there, but consumes nothing. Restart it; no task is lost."
            )
        if not found.beat:
            said.append("Beat does not run: nothing is scheduled. Start it: celery -A workers beat")
        return "\n".join(said)
