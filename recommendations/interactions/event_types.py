"""A tenant's words for kinds of events, as numbers."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from accounts.tenancy import scope
from recommendations.interactions.event_schema import TYPE
from recommendations.interactions.models import EventType

# A type is a kind, not a value; a client that puts ids into it would fill the table.
MAX_TYPES = 200
# Unless the tenant says otherwise (recommendations.interactions.event_weights), nothing learns from these as a choice.
NOT_POSITIVE = ("dislike", "impression")


def resolve(*, tenant_id: int, names: Iterable[str]) -> dict[str, int]:
    """The number of each name; new names are added while the tenant has fewer than MAX_TYPES, and missing after."""
    known = _known(tenant_id)
    missing = sorted(set(names) - known.keys())[: max(0, MAX_TYPES - len(known))]
    if not missing:
        return known
    EventType.objects.bulk_create(
        [EventType(tenant_id=tenant_id, name=name) for name in missing], ignore_conflicts=True
    )
    return _known(tenant_id)


def _known(tenant_id: int) -> dict[str, int]:
    return dict(EventType.objects.filter(tenant_id=tenant_id).order_by().values_list("name", "id"))


def explain(*, tenant_id: int, name: str, changed: Mapping[str, Any]) -> tuple[EventType, bool]:
    """Changes what one event of a type says, from the next training on; a type that has not arrived yet is added.

    Returns the type, and whether anything is another than before.
    Raises: ValidationError for a value that a field does not take, or a name that is no type's.
    """
    with scope.tenant(tenant_id):
        row = EventType.objects.filter(tenant_id=tenant_id, name=name).first()
        if row is None:
            if not TYPE.match(name):
                raise ValidationError(f"{name!r} is no type: 1 to 64 of a-z 0-9 _ . : - are.")
            row = EventType.objects.get(pk=resolve(tenant_id=tenant_id, names=[name])[name])
        before = [getattr(row, field) for field in changed]
        for field, value in changed.items():
            setattr(row, field, value)
        row.full_clean(exclude=["tenant", "name"], validate_unique=False)
        row.save(update_fields=list(changed))
    return row, before != list(changed.values())
