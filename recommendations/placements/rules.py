"""The rules of a placement's version: which items its lists contain, and in which order.

All rules are optional; `{}` is the user's own list, best first, without consumed items.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from recommendations.filter_language import Node
from recommendations.list_kinds import FOR_YOU

SEGMENTS = "segments"
HEAD = 20
MAX_PINS, MAX_HIDES, MAX_BOOSTS, MAX_CAPS = 20, 1000, 20, 5
MAX_FACTOR = 100.0


@dataclass(frozen=True, slots=True)
class KindShare:
    """One kind of items in a mixed list. `take` items of it come in each round; 0 fills the remaining positions."""

    kind: str
    take: int = 0


@dataclass(frozen=True, slots=True)
class Boost:
    """Multiplies the scores of items that match `when`; a factor below 1 demotes them."""

    when: Node
    factor: float


@dataclass(frozen=True, slots=True)
class Pin:
    """Places an item at a position (from 1) while the pin is valid."""

    item_id: str
    position: int
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def dated(self) -> bool:
        """True if the pin depends on the time of reading."""
        return self.valid_from is not None or self.valid_until is not None


@dataclass(frozen=True, slots=True)
class Diversity:
    """Maximal marginal relevance: `relevance` 1 keeps the order, 0 maximises diversity.

    Items are similar if they share categories, or if the same users choose them (`vectors`).
    """

    relevance: float
    over: str = "categories"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` of the first `within` items share a value of the attribute, or a category."""

    attribute: str
    most: int
    within: int = HEAD


@dataclass(frozen=True, slots=True)
class FreshShare:
    """At least `share` of the list is newer than `days`, if there are enough such items."""

    share: float
    days: int = 30


@dataclass(frozen=True, slots=True)
class Consumed:
    """Exclusion of items that the user has consumed: for ever, never, or for some days."""

    exclude: bool = True
    return_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class PlacementRules:
    """The checked rules of a version.

    A user sees the same order for `rotate_minutes`; 0 never rotates. `segment_by` names the user field that defines
    segments. `prompt` is the version of the AI prompt for reranking; empty is the default version.
    """

    kinds: tuple[KindShare, ...] = (KindShare(FOR_YOU.key),)
    fallback: tuple[str, ...] = FOR_YOU.fallback
    segment_by: str = SEGMENTS
    filter: Node | None = None
    boosts: tuple[Boost, ...] = ()
    pins: tuple[Pin, ...] = ()
    hide: frozenset[str] = frozenset()
    diversity: Diversity | None = None
    caps: tuple[Cap, ...] = ()
    fresh: FreshShare | None = None
    exploration: float = 0.1
    rotate_minutes: int = 0
    consumed: Consumed = field(default_factory=Consumed)
    ai: bool = True
    prompt: str = ""

    @property
    def plain(self) -> bool:
        """True if users with a history get exactly the lists that the algorithms propose."""
        comparable = replace(self, ai=True, prompt="", fallback=FOR_YOU.fallback, segment_by=SEGMENTS)
        return comparable == PLAIN


PLAIN = PlacementRules()


def return_moment(consumed: Consumed, now: datetime) -> float | None:
    """Items consumed after this Unix second are excluded; None: all consumed items are."""
    if not consumed.exclude:
        return float("inf")
    days = consumed.return_after_days
    return None if days is None else (now - timedelta(days=days)).timestamp()
