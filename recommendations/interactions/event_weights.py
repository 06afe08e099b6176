"""What an event says about an item: how much, for or against, and for how long. Per type and tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from accounts.tenancy import scope
from recommendations.interactions.models import EventType, Interaction

# What a name says where the tenant has not said otherwise. A rating counts whatever its value, since people rate what
# they chose; a tenant who wants low ones to count against sets `negative_below`.
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
# What a name that nobody has explained says.
UNMAPPED = 1.0
# Events of one type that are counted for a warning; nobody needs more digits.
_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class TypeMeaning:
    """One type's meaning, its defaults filled in. `mapped` is false where only UNMAPPED is known."""

    type_id: int
    name: str
    weight: float
    negative_below: float | None
    half_life_days: float | None
    mapped: bool
    value_as_strength: str = EventType.ValueAsStrength.AUTO.value


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meanings of all of a tenant's types."""

    types: tuple[TypeMeaning, ...]

    @property
    def ignored(self) -> list[int]:
        """Types whose events say nothing."""
        return [each.type_id for each in self.types if each.weight == 0]

    @property
    def never_positive(self) -> list[int]:
        """Types of which no event speaks for an item."""
        return [each.type_id for each in self.types if each.weight <= 0]

    @property
    def fades(self) -> bool:
        """Whether what some type's events say depends on their age."""
        return any(each.half_life_days is not None for each in self.types)

    @property
    def unmapped(self) -> list[str]:
        """Names that neither the defaults nor the tenant explain."""
        return [each.name for each in self.types if not each.mapped]

    def described(self) -> str:
        """The meaning in one sentence."""
        return describe({each.name: each.weight for each in self.types})


def of_tenant(*, tenant_id: int) -> Meaning:
    """The tenant's meaning as it stands."""
    with scope.tenant(tenant_id):
        rows = EventType.objects.filter(tenant_id=tenant_id).order_by("name")
        columns = rows.values_list("id", "name", "weight", "negative_below", "half_life_days", "value_as_strength")
        return Meaning(tuple(_meaning(*row) for row in columns))


def unmapped_counts(*, tenant_id: int, names: Iterable[str]) -> dict[str, int]:
    """How many events there are of each of these types, counted to ten thousand. Call it in the tenant's scope."""
    types = EventType.objects.filter(tenant_id=tenant_id, name__in=list(names)).order_by("name")
    return {
        each.name: Interaction.objects.filter(tenant_id=tenant_id, type=each).order_by()[:_COUNTED].count()
        for each in types
    }


def describe(weights: dict[str, float]) -> str:
    """Such as "purchase 3, view 1; against: dislike; ignored: impression"."""
    positive = sorted(
        ((name, said) for name, said in weights.items() if said > 0), key=lambda each: (-each[1], each[0])
    )
    parts = [", ".join(f"{name} {said:g}" for name, said in positive)] if positive else []
    parts += _listed("against", [name for name, said in weights.items() if said < 0])
    parts += _listed("ignored", [name for name, said in weights.items() if said == 0])
    return "; ".join(parts) or "no events"


def _listed(word: str, names: Sequence[str]) -> list[str]:
    return [f"{word}: {', '.join(sorted(names))}"] if names else []


def _meaning(
    type_id: int,
    name: str,
    weight: float | None,
    negative_below: float | None,
    half_life_days: float | None,
    value_as_strength: str,
) -> TypeMeaning:
    mapped = weight is not None or name in DEFAULTS
    said = DEFAULTS.get(name, UNMAPPED) if weight is None else weight
    return TypeMeaning(type_id, name, said, negative_below, half_life_days, mapped, value_as_strength)
