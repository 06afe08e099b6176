"""`manage.py import_data`: files with items, people and events into a tenant."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import scope
from accounts.models import Tenant
from core import clock
from recommendations.imports import job as imports
from recommendations.imports.files import UnreadableFile
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.readers import READERS
from recommendations.precompute.models import Build

SHOWN_ERRORS = 20
COUNTS = ("created", "updated", "unchanged", "duplicate", "rejected")
BAR_WIDTH = 30


class Bar:
    """Progress on a stream: one line that grows on a terminal, a line for each quarter elsewhere."""

    def __init__(self, stream: Any, label: str) -> None:
        self.stream, self.label, self.quarter = stream, label, 0
        self.terminal = bool(getattr(stream, "isatty", bool)())

    def __call__(self, done: int, total: int) -> None:
        """Shows how far it is."""
        share = min(1.0, done / total) if total else 1.0
        if self.terminal:
            filled = round(share * BAR_WIDTH)
            line = f"\r{self.label:8}[{'#' * filled:{BAR_WIDTH}}] {share:4.0%}"
            self.stream.write(line, style_func=str, ending="\n" if share == 1.0 else "")
            self.stream.flush()
        elif int(share * 4) > self.quarter:
            self.quarter = int(share * 4)
            self.stream.write(f"{self.label}: {share:.0%}", style_func=str)


class Command(BaseCommand):
    """Rows that are refused are reported and never stop the good ones; importing a file twice changes nothing."""

    help = "Imports items, people and events from CSV or NDJSON files (.gz allowed; columns: docs/api.md, Shapes)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files, one of each kind at most."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        for kind in READERS:
            parser.add_argument(f"--{kind.value}", type=Path, metavar="FILE")
        parser.add_argument("--no-build", action="store_true", help="Do not ask for the tenant's first build.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Imports the files: items first, then people, then events."""
        files = {kind: options[kind.value] for kind in READERS if options[kind.value]}
        if not files:
            raise CommandError("Name at least one file: --items, --users or --events.")
        with scope.all_tenants("import_data: find the tenant by its slug"):
            tenant = Tenant.objects.filter(slug=options["tenant"], active=True).first()
        if tenant is None:
            raise CommandError(f"There is no active tenant {options['tenant']!r}.")
        jobs = [self._import(tenant.pk, kind, path) for kind, path in files.items()]
        for job in jobs:
            self._report(job)
        if not options["no_build"]:
            with scope.tenant(tenant.pk):
                has_build = Build.objects.filter(tenant_id=tenant.pk).exists()
            if not has_build:
                imports.plan_first_build(tenant.pk)
                self.stdout.write("The first build was asked for; a worker makes it.")

    def _import(self, tenant_id: int, kind: Import.Kind, path: Path) -> Import:
        started = time.perf_counter()
        try:
            job = imports.run(
                tenant_id=tenant_id, kind=kind, path=path, clock=clock.now, progress=Bar(self.stderr, kind.value)
            )
        except UnreadableFile as error:
            raise CommandError(f"{path}: {error}") from error
        counts = ", ".join(f"{getattr(job, name):,} {name}" for name in COUNTS if getattr(job, name))
        self.stdout.write(f"{kind.value}: {counts or 'no rows'} in {time.perf_counter() - started:.1f} s")
        return job

    def _report(self, job: Import) -> None:
        if not job.rejected:
            return
        with scope.tenant(job.tenant_id):
            rows = ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job).order_by("line", "id")
            errors = list(rows[:SHOWN_ERRORS])
        self.stdout.write(f"\nRejected rows of {job.filename}:")
        for error in errors:
            self.stdout.write(f"  line {error.line}  {error.field or '(row)'}  {error.code}: {error.detail}")
        if job.rejected > len({error.line for error in errors}):
            self.stdout.write(f"  ... {job.rejected:,} rows in all; import {job.pk} in the admin lists them.")
