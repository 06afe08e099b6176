"""Writes a snapshot of the service level indicators: availability, latencies, burn rates, budgets, AI, Redis, queues.

Two files in --out: sli-<end>.json, and a self-contained page sli-<end>.html. Without --prometheus the built-in time
series are read.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core import clock
from core.slo import page, snapshot
from core.slo.objectives import InvalidRules, load_objectives, seconds_of
from core.slo.prometheus import PrometheusSource, PrometheusUnavailable
from core.slo.sources import MINUTE, BuiltInSource, Source, Window

_WINDOW = re.compile(r"[1-9][0-9]*[mhd]")
SETTLED_SECONDS = 30
"""Until so long after its end a minute may still grow: processes send, and a task stores, every few seconds."""


class Command(BaseCommand):
    """The snapshot."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """The window, its source, and where to write."""
        parser.add_argument("--window", default="48h", help="such as 48h, 7d or 90m (48h)")
        parser.add_argument("--until", metavar="TIME", help="its end in ISO 8601, such as 2026-11-30T12:00Z (now)")
        parser.add_argument("--prometheus", metavar="URL", help="read Prometheus at this URL, such as http://host:9090")
        parser.add_argument("--matchers", default="", help="label matchers for the service's series in Prometheus")
        parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder for the files (this one)")
        parser.add_argument("--simulated", action="store_true", help="a load generator made the requests")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measures, writes both files and names them."""
        now = clock.now()
        window = _window(options["window"], options["until"], now)
        source: Source = BuiltInSource()
        if options["prometheus"]:
            source = PrometheusSource(options["prometheus"], matchers=options["matchers"])
        try:
            objectives = load_objectives(Path(settings.BASE_DIR) / "config/slo.toml")
            document = snapshot.take(source, objectives, window, now=now, simulated=options["simulated"])
        except (InvalidRules, PrometheusUnavailable, DatabaseError) as error:
            raise CommandError(str(error)) from error
        name = f"sli-{datetime.fromtimestamp(window.end, UTC):%Y%m%dT%H%MZ}"
        written = {
            options["out"] / f"{name}.json": json.dumps(document, indent=1) + "\n",
            options["out"] / f"{name}.html": page.render(document),
        }
        try:
            options["out"].mkdir(parents=True, exist_ok=True)
            for path, text in written.items():
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written: {error}") from error
        covered = document["window"]
        self.stdout.write(
            f"{document['kind']}: {covered['covered_minutes']} of {covered['minutes']} minutes covered. Written: "
            + ", ".join(str(path) for path in written)
        )


def _window(length: str, until: str | None, now: datetime) -> Window:
    if not _WINDOW.fullmatch(length):
        raise CommandError(f"--window is a number of minutes, hours or days, such as 90m, 48h or 7d, not {length!r}.")
    if until is None:
        end = int(now.timestamp()) - SETTLED_SECONDS
    else:
        try:
            given = datetime.fromisoformat(until)
        except ValueError as error:
            raise CommandError(f"--until is a time such as 2026-11-30T12:00Z, not {until!r}.") from error
        end = int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp())
    end = end // MINUTE * MINUTE
    return Window(end - seconds_of(length), end)
