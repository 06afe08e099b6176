"""The metrics of imports."""

from collections.abc import Mapping

from core.metrics.families import counter
from recommendations.imports.models import Import

IMPORT_ROWS = counter(
    "docent_import_rows_total",
    "Rows of imported files.",
    {
        "kind": ("items", "users", "events"),
        "outcome": ("created", "updated", "unchanged", "duplicate", "rejected", "skipped"),
    },
)


def count_rows(job: Import, counts: Mapping[str, int]) -> None:
    """Counts the rows of a chunk that was committed, by outcome; those of a dry run are none."""
    if not job.dry_run:
        for outcome, rows in counts.items():
            IMPORT_ROWS.labels(job.kind, outcome).inc(rows)
