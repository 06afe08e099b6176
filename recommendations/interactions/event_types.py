"""A tenant's words for kinds of events, as numbers."""

from collections.abc import Iterable

from recommendations.interactions.models import EventType

# A type is a kind, not a value; a client that puts ids into it would fill the table.
MAX_TYPES = 200
# Unless the tenant says otherwise (recommendations.interactions.meaning), nothing learns from these as a choice.
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
