"""Generates docs/operations/metrics.md from the families that the code declares.

With --check nothing is written; the exit status is 1 where the page differs from what would be generated.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.ops import declarations
from core.ops import metrics_catalogue as catalogue
from core.slo import objectives
from core.slo.objectives import InvalidRules

PAGE = "docs/operations/metrics.md"


class Command(BaseCommand):
    """The generator."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Only compare, or write."""
        parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes the page if it differs, or fails."""
        root = Path(settings.BASE_DIR)
        path = root / PAGE
        try:
            text = generate(root)
        except InvalidRules as error:
            raise CommandError(str(error)) from error
        if path.exists() and path.read_text(encoding="utf-8") == text:
            self.stdout.write("Everything is up to date.")
            return
        if options["check"]:
            raise CommandError(f"Out of date: {PAGE}. Run manage.py metrics_catalogue.")
        path.write_text(text, encoding="utf-8")
        self.stdout.write(f"Written: {PAGE}.")


def generate(root: Path) -> str:
    """The text of the page.

    Raises: InvalidRules.
    """
    return catalogue.page(
        declarations.load(),
        alerts=objectives.load_alerts(root / "config/alerts.toml"),
        objectives=objectives.load_objectives(root / "config/slo.toml"),
    )
