"""The refusals of an import in groups: ten thousand rows with one fault are one thing to mend."""

from dataclasses import dataclass

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count

from accounts.tenancy import scope
from recommendations.imports.models import Import, ImportRowError

SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class Rejection:
    """A fault and how many rows have it, with the first of their lines. Rows beyond the stored ones are not counted."""

    field: str
    code: str
    detail: str
    count: int
    lines: tuple[int, ...]


def of(job: Import, *, limit: int = 10) -> list[Rejection]:
    """The most frequent faults first. Details may differ within a group, as by a position: the first one is told."""
    if not job.rejected:
        return []
    with scope.tenant(job.tenant_id):
        groups = (
            ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job)
            .order_by()
            .values("field", "code")
            .annotate(
                count=Count("id"),
                lines=ArrayAgg("line", order_by=("line", "id")),
                details=ArrayAgg("detail", order_by=("line", "id")),
            )
            .order_by("-count", "field", "code")[:limit]
        )
        return [
            Rejection(row["field"], row["code"], row["details"][0], row["count"], tuple(row["lines"][:SHOWN_LINES]))
            for row in groups
        ]
