"""`manage.py import_data`: files with items, people and events into a tenant."""

import signal
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.leases import LeaseLost
from core.quoting import quoted
from recommendations.catalog.validators import FieldRefused
from recommendations.imports import cli_import as imports
from recommendations.imports import rejections, summary
from recommendations.imports.formats import read_options
from recommendations.imports.formats.files import UnreadableFile
from recommendations.imports.lifecycle import ImportOptions
from recommendations.imports.mapping import column_mapping
from recommendations.imports.mapping.presets import PRESETS
from recommendations.imports.models import Import
from recommendations.imports.row_handlers import ROW_HANDLERS
from recommendations.pipeline.models import Build

SHOWN_GROUPS = 20
SHOWN_SLUGS = 10
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


def _wanted(files: Mapping[Import.Kind, Path], options: Mapping[str, Any]) -> dict[Import.Kind, ImportOptions]:
    """Read options of each file, all checked before a file is read."""
    if len(files) > 1 and (options["map"] or options["default"] or options["columns"]):
        raise CommandError("--map, --default and --columns apply to one file: import one at a time with them.")
    try:
        read = read_options.parse_read_options(
            columns=options["columns"],
            **{name: options[name] for name in ("delimiter", "encoding", "quote", "escape")},
        )
        return {
            kind: ImportOptions(
                kind,
                dry_run=options["dry_run"],
                meaning=column_mapping.parse_mapping(
                    kind=kind,
                    columns=options["map"],
                    defaults=options["default"],
                    **{name: options[name] for name in ("timezone", "time_unit", "extra", "preset")},
                ),
                reading=read,
            )
            for kind in files
        }
    except FieldRefused as refused:
        error = refused.errors[0]
        option = error.pointer.removeprefix("/").replace("_", "-")
        raise CommandError(f"--{option}: {error.detail}") from refused


class Command(BaseCommand):
    """Rows that are refused are reported and never stop the good ones; importing a file twice changes nothing."""

    help = (
        "Imports items, users and events from CSV, NDJSON or JSON files, plain or gzip. "
        "Columns, mapping and presets: docs/importing.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files, one of each kind at most."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        for kind in ROW_HANDLERS:
            parser.add_argument(f"--{kind.value}", type=Path, metavar="FILE")
        for name, metavar, text in (
            ("--map", "COLUMN=FIELD", "Maps a column to a field, such as id=item_id or price=attributes.price."),
            ("--default", "FIELD=VALUE", "Value for rows without the field, such as type=purchase."),
            ("--columns", "NAME", "The columns of a table without a header, in their order."),
        ):
            parser.add_argument(name, action="append", default=[], metavar=metavar, help=f"{text} May be repeated.")
        parser.add_argument(
            "--timezone", metavar="ZONE", help="Zone of times without a UTC offset, such as Europe/Berlin."
        )
        parser.add_argument(
            "--time-unit", choices=column_mapping.UNITS, help="Unit of numeric times (default: seconds)."
        )
        parser.add_argument("--delimiter", help="Character between cells, or tab, comma, semicolon, pipe, space.")
        parser.add_argument(
            "--encoding", help="Encoding of the text, such as windows-1252; UTF-8 and UTF-16 are recognised."
        )
        parser.add_argument(
            "--quote", metavar="SIGN", help='Around cells (default: "); none if quotation marks are plain text.'
        )
        parser.add_argument(
            "--escape", metavar="SIGN", help="Escape before a quotation mark in a cell, such as a backslash."
        )
        parser.add_argument("--extra", choices=column_mapping.EXTRA, help="Treatment of columns that are not fields.")
        parser.add_argument("--preset", choices=PRESETS, metavar="NAME", help=f"One of {', '.join(PRESETS)}.")
        parser.add_argument("--dry-run", action="store_true", help="Check everything and store nothing.")
        parser.add_argument("--no-build", action="store_true", help="Do not start the tenant's first build.")
        parser.add_argument(
            "--max-rejected",
            type=_share,
            default=1.0,
            metavar="SHARE",
            help="Exit with status 1 if more than this share of a file's rows is rejected, such as 0.01. "
            "A file whose rows are all rejected always fails.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Imports the files: items first, then people, then events."""
        files = {kind: options[kind.value] for kind in ROW_HANDLERS if options[kind.value]}
        if not files:
            raise CommandError("Name at least one file: --items, --users or --events.")
        wanted = _wanted(files, options)
        with scope.all_tenants("import_data: find the tenant by its slug"):
            tenant = Tenant.objects.filter(slug=options["tenant"], active=True).first()
            others = Tenant.objects.filter(active=True).order_by("slug").values_list("slug", flat=True)
            slugs = ", ".join(others[:SHOWN_SLUGS]) or "none; add one in the admin, under Tenants"
        if tenant is None:
            raise CommandError(f"There is no active tenant {options['tenant']!r}. There is: {slugs}.")
        with _stopped_by_signals():
            jobs = [self._import(tenant.pk, wanted[kind], path) for kind, path in files.items()]
        for job in jobs:
            self._report(job)
        if not options["no_build"] and not options["dry_run"] and any(_kept(job) for job in jobs):
            with scope.tenant(tenant.pk):
                has_build = Build.objects.filter(tenant_id=tenant.pk).exists()
            if not has_build:
                imports.plan_first_build(tenant.pk)
                self.stdout.write("The first build was requested; a worker runs it.")
        _check(jobs, options["max_rejected"])

    def _import(self, tenant_id: int, wanted: ImportOptions, path: Path) -> Import:
        started, kind = time.perf_counter(), wanted.kind
        try:
            job = imports.run(
                tenant_id=tenant_id, wanted=wanted, path=path, clock=clock.now, progress=Bar(self.stderr, kind.value)
            )
        except UnreadableFile as error:
            shown = quoted(path, 500)
            raise CommandError(str(error) if str(error).startswith(f"{shown}: ") else f"{shown}: {error}") from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped. Imported rows stay; run it again.", returncode=130) from error
        except LeaseLost as error:
            raise CommandError(f"{quoted(path, 500)}: the import was cancelled or abandoned meanwhile.") from error
        names = (*Import.COUNTS, "skipped")
        counts = ", ".join(f"{getattr(job, name):,} {name}" for name in names if getattr(job, name))
        dry = " (dry run: nothing is stored)" if job.dry_run else ""
        self.stdout.write(f"{kind.value}: {counts or 'no rows'} in {time.perf_counter() - started:.1f} s{dry}")
        for line in summary.summary_lines(job.summary, dry_run=job.dry_run):
            self.stdout.write(f"  {line}")
        return job

    def _report(self, job: Import) -> None:
        if not job.rejected:
            return
        rows = "1 row" if job.rejected == 1 else f"{job.rejected:,} rows"
        self.stdout.write(f"\n{rows} of {job.filename} {'was' if job.rejected == 1 else 'were'} rejected:")
        for group in rejections.group_rejections(job, limit=SHOWN_GROUPS):
            more = ", ..." if group.count > len(group.lines) else ""
            lines = ", ".join(map(str, group.lines)) + more
            where = f"line {lines}" if group.count == 1 else f"{group.count:,} rows, lines {lines}"
            detail = f"for example: {group.detail}" if group.varies else group.detail
            self.stdout.write(f"  {where}  {group.field or '(row)'}  {group.code}: {detail}")
        self.stdout.write(f"  Import {job.pk} in the admin lists them one by one.")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ArgumentTypeError("must be a share from 0 to 1")
    return share


def _kept(job: Import) -> int:
    return int(job.created + job.updated + job.unchanged + job.duplicate)


def _check(jobs: Sequence[Import], max_rejected: float) -> None:
    """Raises: CommandError where a file failed, or too large a share of it."""
    for job in jobs:
        if job.status == Import.Status.FAILED:
            raise CommandError(f"{job.filename}: {job.error}")
        rows = _kept(job) + job.rejected
        if job.rejected > max_rejected * rows:
            said = f"{job.rejected:,} of {rows:,} rows were rejected, more than --max-rejected {max_rejected:g}"
            raise CommandError(f"{job.filename}: {said}.")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """A command that is told to stop ends its import as failed before it goes, as on Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = (signal.SIGTERM, signal.SIGHUP)
    former = {name: signal.signal(name, _stop) for name in names}
    try:
        yield
    finally:
        for name, handler in former.items():
            signal.signal(name, handler)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
