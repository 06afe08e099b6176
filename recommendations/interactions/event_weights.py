"""Event types and their weights: what an event says about an item, per type and tenant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection

from accounts.tenancy import scope
from recommendations.interactions.event_schema import TYPE_PATTERN
from recommendations.interactions.models import EventType, Interaction

# Weights by type name, unless the tenant sets its own. A rating counts whatever its value, since users rate what they
# chose; a tenant that wants low ratings to count against items sets `negative_below`.
DEFAULTS = {
    "view": 1.0,
    "click": 1.0,
    "rating": 1.0,
    "consume": 2.0,
    "cart": 2.0,
    "like": 2.0,
    "purchase": 3.0,
    "impression": 0.0,
    "dislike": -2.0,
}
# The weight of types that neither the defaults nor the tenant know.
DEFAULT_WEIGHT = 1.0
# Types without a positive default weight.
NEVER_POSITIVE = frozenset(name for name, weight in DEFAULTS.items() if weight <= 0)
# A type is a category, not a value; a client that puts ids into it would fill the table.
MAX_TYPES = 200
# Every near-line update asks for it, and the ORM takes longer than PostgreSQL.
_WEIGHTS = """
    SELECT id, name, weight, negative_below, half_life_days, value_as_strength FROM recommendations_eventtype
    WHERE tenant_id = %s ORDER BY name
"""
# Events of one type that are counted for a warning, which needs no more digits.
_MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class EventTypeWeight:
    """One type's settings with defaults filled in. `has_weight` is false if only DEFAULT_WEIGHT is known."""

    type_id: int
    name: str
    weight: float
    negative_below: float | None
    half_life_days: float | None
    has_weight: bool
    value_as_strength: str = EventType.ValueAsStrength.AUTO.value


@dataclass(frozen=True, slots=True)
class EventWeights:
    """The settings of all of a tenant's event types."""

    types: tuple[EventTypeWeight, ...]

    @property
    def type_ids(self) -> list[int]:
        """The primary keys of the types, ascending."""
        return sorted(event_type.type_id for event_type in self.types)

    @property
    def ignored(self) -> list[int]:
        """Primary keys of types with weight 0."""
        return [event_type.type_id for event_type in self.types if event_type.weight == 0]

    @property
    def never_positive(self) -> list[int]:
        """Primary keys of types whose events never speak for an item."""
        return [event_type.type_id for event_type in self.types if event_type.weight <= 0]

    @property
    def decays(self) -> bool:
        """True if events of any type lose weight with age."""
        return any(event_type.half_life_days is not None for event_type in self.types)

    @property
    def without_weight(self) -> list[str]:
        """Names of types that neither the defaults nor the tenant give a weight."""
        return [event_type.name for event_type in self.types if not event_type.has_weight]

    def described(self) -> str:
        """The weights in one sentence."""
        return describe_weights({event_type.name: event_type.weight for event_type in self.types})


def load_event_weights(*, tenant_id: int) -> EventWeights:
    """Reads the tenant's current weights."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_WEIGHTS, [tenant_id])
        return EventWeights(tuple(_event_type_weight(*row) for row in cursor.fetchall()))


def count_events_without_weight(*, tenant_id: int, names: Iterable[str]) -> dict[str, int]:
    """Counts the events of each type, up to 10,000. Call it in the tenant's scope."""
    types = EventType.objects.filter(tenant_id=tenant_id, name__in=list(names)).order_by("name")
    return {
        event_type.name: Interaction.objects.filter(tenant_id=tenant_id, type=event_type)
        .order_by()[:_MAX_COUNTED]
        .count()
        for event_type in types
    }


def describe_weights(weights: Mapping[str, float]) -> str:
    """A sentence such as "purchase 3, view 1; against: dislike; ignored: impression"."""
    positive = sorted(
        ((name, weight) for name, weight in weights.items() if weight > 0), key=lambda pair: (-pair[1], pair[0])
    )
    parts = [", ".join(f"{name} {weight:g}" for name, weight in positive)] if positive else []
    parts += _names_after("against", [name for name, weight in weights.items() if weight < 0])
    parts += _names_after("ignored", [name for name, weight in weights.items() if weight == 0])
    return "; ".join(parts) or "no events"


def resolve_event_types(*, tenant_id: int, names: Iterable[str]) -> dict[str, int]:
    """The primary key of each type, creating new types while the tenant has fewer than MAX_TYPES."""
    types = _type_ids_by_name(tenant_id)
    missing = sorted(set(names) - types.keys())[: max(0, MAX_TYPES - len(types))]
    if not missing:
        return types
    EventType.objects.bulk_create(
        [EventType(tenant_id=tenant_id, name=name) for name in missing], ignore_conflicts=True
    )
    return _type_ids_by_name(tenant_id)


def change_event_type(*, tenant_id: int, name: str, changed: Mapping[str, Any]) -> tuple[EventType, bool]:
    """Changes a type's settings from the next training on; creates the type if no event of it has arrived yet.

    Returns:
        The type, and True if any value differs from before.

    Raises:
        ValidationError: A value that a field does not accept, or an invalid type name.
    """
    with scope.tenant(tenant_id):
        row = EventType.objects.filter(tenant_id=tenant_id, name=name).first()
        if row is None:
            if not TYPE_PATTERN.match(name):
                raise ValidationError(f"{name!r} is not a valid type: use 1 to 64 of a-z 0-9 _ . : -")
            row = EventType.objects.get(pk=resolve_event_types(tenant_id=tenant_id, names=[name])[name])
        before = [getattr(row, field) for field in changed]
        for field, value in changed.items():
            setattr(row, field, value)
        row.full_clean(exclude=["tenant", "name"], validate_unique=False)
        row.save(update_fields=list(changed))
    return row, before != list(changed.values())


def _names_after(label: str, names: Sequence[str]) -> list[str]:
    return [f"{label}: {', '.join(sorted(names))}"] if names else []


def _event_type_weight(
    type_id: int,
    name: str,
    own_weight: float | None,
    negative_below: float | None,
    half_life_days: float | None,
    value_as_strength: str,
) -> EventTypeWeight:
    has_weight = own_weight is not None or name in DEFAULTS
    weight = DEFAULTS.get(name, DEFAULT_WEIGHT) if own_weight is None else own_weight
    return EventTypeWeight(type_id, name, weight, negative_below, half_life_days, has_weight, value_as_strength)


def _type_ids_by_name(tenant_id: int) -> dict[str, int]:
    return dict(EventType.objects.filter(tenant_id=tenant_id).order_by().values_list("name", "id"))
