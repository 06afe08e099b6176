"""`manage.py audit_cors`: the origins that may call the API, and the changes since the last report."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.cors import audit
from core import clock


class Command(BaseCommand):
    """Writes a report and prints its summary."""

    help = "Writes a report of the CORS policy, with the changes since the last report."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds the folder of the reports, and the option that makes a change a failure."""
        parser.add_argument(
            "--folder", type=Path, default=settings.VAR_DIR / "reports" / "cors", help="for the reports"
        )
        parser.add_argument("--unchanged", action="store_true", help="fail if anything has changed")

    def handle(self, *, folder: Path, unchanged: bool, **_: Any) -> None:
        """Fails if a list has an invalid origin."""
        written = audit.write(folder=folder, now=clock.now())
        report = written.report
        for name, listed in report["origins"].items():
            self.stdout.write(f"{name}: {', '.join(listed) or 'none'}")
        for change in report["changes"]:
            self.stdout.write(_line(change))
        if report["compared_with"] is None:
            self.stdout.write("There is no earlier report to compare with.")
        elif not report["changes"]:
            self.stdout.write(f"Nothing has changed since {report['compared_with']}.")
        self.stdout.write(f"Written: {written.path}")
        if report["refused"]:
            wrong = "; ".join(f"{each['list']}: {each['origin']!r} {each['reason']}" for each in report["refused"])
            raise CommandError(f"Invalid origins, which are ignored: {wrong}.")
        if unchanged and report["changes"]:
            raise CommandError(f"{len(report['changes'])} changes since {report['compared_with']}.")


def _line(change: dict[str, Any]) -> str:
    if change["change"] == "policy":
        return f"changed: {change['name']}, from {change['before']!r} to {change['after']!r}"
    return f"{change['change']}: {change['origin']} ({change['list']})"
