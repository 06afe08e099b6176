"""Generates Prometheus rules and the tables of docs/operations/slo.md from config/slo.toml and config/alerts.toml.

With --check nothing is written; the exit status is 1 where a file differs from what would be generated.
"""

from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.slo import document, objectives, prometheus_rules
from core.slo.objectives import InvalidRules

HEADER = "# Generated from {source} by manage.py slo_rules; edit that file.\n"


class Command(BaseCommand):
    """The generator."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Only compare, or write."""
        parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes each file that differs, or fails."""
        try:
            files = generate(Path(settings.BASE_DIR))
        except InvalidRules as error:
            raise CommandError(str(error)) from error
        stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        names = ", ".join(str(path.relative_to(settings.BASE_DIR)) for path in stale)
        if options["check"] and stale:
            raise CommandError(f"Out of date: {names}. Run manage.py slo_rules.")
        for path in stale:
            path.write_text(files[path], encoding="utf-8")
        self.stdout.write(f"Written: {names}." if stale else "Everything is up to date.")


def generate(root: Path) -> dict[Path, str]:
    """The text of each generated file, by path.

    Raises: InvalidRules.
    """
    slo = objectives.load_objectives(root / "config/slo.toml")
    alerts = objectives.load_alerts(root / "config/alerts.toml")
    page = root / "docs/operations/slo.md"
    return {
        root / "config/prometheus/slo.rules.yml": _yaml(prometheus_rules.slo_rules(slo), "config/slo.toml"),
        root / "config/prometheus/alerts.rules.yml": _yaml(prometheus_rules.alert_rules(alerts), "config/alerts.toml"),
        page: document.with_tables(page.read_text(encoding="utf-8"), slo, alerts),
    }


def _yaml(content: dict[str, Any], source: str) -> str:
    return HEADER.format(source=source) + yaml.safe_dump(content, sort_keys=False, width=1000, allow_unicode=True)
