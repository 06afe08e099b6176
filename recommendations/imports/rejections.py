"""Groups of rejected rows: ten thousand rows with the same error are one thing to fix."""

from dataclasses import dataclass

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import CharField, Count, F, Func, Value

from accounts.tenancy import scope
from recommendations.imports.models import Import, ImportRowError

SHOWN_LINES = 5
# Details differ by the values of their rows, most of which are numbers.
_KIND_OF_DETAIL = Func(
    F("detail"), Value(r"\d+([.,]\d+)*"), Value("0"), Value("g"), function="regexp_replace", output_field=CharField()
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An error, the number of stored rows with it, and their first lines.

    The detail is the first row's; with `varies`, that of other rows has other numbers.
    """

    field: str
    code: str
    detail: str
    count: int
    lines: tuple[int, ...]
    varies: bool = False


def group_rejections(job: Import, *, limit: int = 10) -> list[Rejection]:
    """The most frequent errors first. Details within a group differ at most in their numbers."""
    if not job.rejected:
        return []
    with scope.tenant(job.tenant_id):
        groups = (
            ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job)
            .order_by()
            .values("field", "code", kind=_KIND_OF_DETAIL)
            .annotate(
                count=Count("id"),
                lines=ArrayAgg("line", order_by=("line", "id")),
                details=ArrayAgg("detail", order_by=("line", "id")),
                distinct_details=Count("detail", distinct=True),
            )
            .order_by("-count", "field", "code", "kind")[:limit]
        )
        return [
            Rejection(
                field=row["field"],
                code=row["code"],
                detail=row["details"][0],
                count=row["count"],
                lines=tuple(row["lines"][:SHOWN_LINES]),
                varies=row["distinct_details"] > 1,
            )
            for row in groups
        ]
