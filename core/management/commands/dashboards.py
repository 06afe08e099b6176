"""Generates Grafana's dashboards in config/grafana from config/dashboards.toml, config/slo.toml and config/alerts.toml.

With --check nothing is written; the exit status is 1 where a file differs from what would be generated.
"""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.slo import dashboards, objectives
from core.slo.objectives import InvalidRules

FOLDER = "config/grafana/dashboards"


class Command(BaseCommand):
    """The generator."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Only compare, or write."""
        parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes each file that differs, and deletes those that nothing describes; or fails."""
        root = Path(settings.BASE_DIR)
        try:
            files = generate(root)
        except InvalidRules as error:
            raise CommandError(str(error)) from error
        stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        unknown = sorted(set((root / FOLDER).glob("*.json")) - files.keys())
        names = ", ".join(str(path.relative_to(root)) for path in [*stale, *unknown])
        if options["check"] and names:
            raise CommandError(f"Out of date: {names}. Run manage.py dashboards.")
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        for path in unknown:
            path.unlink()
        self.stdout.write(f"Written: {names}." if names else "Everything is up to date.")


def generate(root: Path) -> dict[Path, str]:
    """The text of each dashboard, by path.

    Raises: InvalidRules.
    """
    alerts = objectives.load_alerts(root / "config/alerts.toml")
    slo = objectives.load_objectives(root / "config/slo.toml")
    described = dashboards.load_dashboards(root / "config/dashboards.toml", slo)
    return {
        root / FOLDER / f"{each.uid}.json": json.dumps(dashboards.model(each, alerts), indent=1) + "\n"
        for each in described
    }
