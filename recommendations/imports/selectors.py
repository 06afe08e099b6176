"""Reads of imports and rejected rows."""

from django.db.models import Q

from accounts.tenancy import scope
from core.errors import NotFound
from recommendations.imports.models import Import, ImportRowError

Position = tuple[str, ...]


def get_import(*, tenant_id: int, import_id: str) -> Import:
    """An import started over the API.

    Raises: NotFound.
    """
    number = int(import_id) if import_id.isascii() and import_id.isdigit() and len(import_id) < 19 else 0
    with scope.tenant(tenant_id):
        job = Import.objects.filter(tenant_id=tenant_id, pk=number).exclude(format="").first()
    if job is None:
        raise NotFound("Unknown import.")
    return job


def list_errors(*, job: Import, after: Position | None, limit: int) -> list[ImportRowError]:
    """At most `limit` errors after a position, by line."""
    with scope.tenant(job.tenant_id):
        errors = ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job).order_by("line", "id")
        if after is not None:
            line, number = int(after[0]), int(after[1])
            errors = errors.filter(Q(line__gt=line) | Q(line=line, id__gt=number))
        return list(errors[:limit])


def position(error: ImportRowError) -> Position:
    """The position after this error."""
    return str(error.line), str(error.pk)
