"""manage.py workers: which queue is taken by whom, and what waits in it."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.redis import RedisUnavailable
from workers import presence

_POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Lists the queues with the messages that wait and the workers that take them. The status is 1 when nobody takes"
        " a queue, or beat is not there: after a deployment, `manage.py workers --wait 60`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="at most, until all is well")

    def handle(self, *_args: Any, **options: Any) -> None:
        """One table, and what is missing."""
        ends = time.monotonic() + options["wait"]
        while (missing := self._missing(found := self._look())) and time.monotonic() < ends:
            time.sleep(_POLL_SECONDS)
        width = max(len(each.name) for each in found.queues)
        self.stdout.write(f"{'QUEUE':{width}}  WAITING  TAKEN BY")
        for each in found.queues:
            takers = ", ".join(f"{taker.name} ({taker.processes} processes)" for taker in each.takers) or "nobody"
            self.stdout.write(f"{each.name:{width}}  {each.waiting:7}  {takers}")
        self.stdout.write(f"beat: {'there' if found.beat else 'not there'}")
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
            said.append(f"Nobody takes {names}. Start a worker: celery -A workers worker --queues={names}")
        if not found.beat:
            said.append("Beat is not there: nothing is done at its time. Start it: celery -A workers beat")
        return "\n".join(said)
