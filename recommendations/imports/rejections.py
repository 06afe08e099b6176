"""Groups of rejected rows: ten thousand rows with the same error are one thing to fix."""

from dataclasses import dataclass

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count

from accounts.tenancy import scope
from recommendations.imports.models import Import, ImportRowError

SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class Rejection:
    """An error, the number of stored rows with it, and their first lines."""

    field: str
    code: str
    detail: str
    count: int
    lines: tuple[int, ...]


def group_rejections(job: Import, *, limit: int = 10) -> list[Rejection]:
    """The most frequent errors first. Details within a group may differ; the first is used."""
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
