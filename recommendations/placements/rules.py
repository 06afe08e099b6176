"""What a placement's version says: which lists, in which order, what is never or always in them. Read and checked here.

Everything is optional; `{}` is a list for the person, best first, without what they have consumed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from core.errors import FieldError
from recommendations.ai.reranking import prompts
from recommendations.catalog import validators
from recommendations.catalog.validators import FieldRefused, Reader
from recommendations.filter_language import FilterRefused, Node, cost, parse
from recommendations.filter_language.cost import MAX_COST
from recommendations.list_kinds import BLENDED, FALLBACKS, FOR_YOU

SEGMENTS = "segments"
HEAD = 20
MAX_PINS, MAX_HIDES, MAX_BOOSTS, MAX_CAPS = 20, 1000, 20, 5
MAX_FACTOR = 100.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One source of items. With `take`, so many of it come in each round; without, it fills what is left."""

    kind: str
    take: int = 0


@dataclass(frozen=True, slots=True)
class Boost:
    """The score of items that meet the condition is multiplied; a factor below 1 pushes them down."""

    when: Node
    factor: float


@dataclass(frozen=True, slots=True)
class Pin:
    """The item stands at this position (from 1) while it is valid."""

    item_id: str
    position: int
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def dated(self) -> bool:
        """Whether it depends on the moment of reading."""
        return self.valid_from is not None or self.valid_until is not None


@dataclass(frozen=True, slots=True)
class Diversity:
    """Maximal marginal relevance: `relevance` 1 is the plain order, 0 the most different items.

    Alike are items that share categories, or that the same people choose (`vectors`).
    """

    relevance: float
    over: str = "categories"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many of the first `within` items have the same value of the attribute, or share a category."""

    attribute: str
    most: int
    within: int = HEAD


@dataclass(frozen=True, slots=True)
class Fresh:
    """At least this share of the list is younger than so many days, as far as there are such items."""

    share: float
    days: int = 30


@dataclass(frozen=True, slots=True)
class Consumed:
    """Whether what the person has chosen already may come again: never, always, or after so many days."""

    exclude: bool = True
    return_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """A version's rules, checked. `rotate_minutes`: so long a person sees the same order; 0 is always.

    `segment_by` is what makes people's segments: their `segments`, or an attribute of theirs.
    `prompt` is the version of AI's prompt that the lists are reordered with; empty is the usual one.
    """

    kinds: tuple[Kind, ...] = (Kind(FOR_YOU.key),)
    fallback: tuple[str, ...] = FOR_YOU.fallback
    segment_by: str = SEGMENTS
    filter: Node | None = None
    boosts: tuple[Boost, ...] = ()
    pins: tuple[Pin, ...] = ()
    hide: frozenset[str] = frozenset()
    diversity: Diversity | None = None
    caps: tuple[Cap, ...] = ()
    fresh: Fresh | None = None
    exploration: float = 0.1
    rotate_minutes: int = 0
    consumed: Consumed = field(default_factory=Consumed)
    ai: bool = True
    prompt: str = ""

    @property
    def plain(self) -> bool:
        """Whether lists are what the algorithms propose, untouched, for somebody who has a history."""
        told = replace(self, ai=True, prompt="", fallback=FOR_YOU.fallback, segment_by=SEGMENTS)
        return told == PLAIN


def read_rules(raw: Any, pointer: str = "") -> Rules:
    """The rules that a JSON object says.

    Raises: FieldRefused with all that is wrong.
    """
    return Rules(**_object(_RULES)(raw, pointer))


def refuse_costly(rules: Rules, pointer: str = "") -> None:
    """For rules that are written now: those that serve already go on.

    Raises: FieldRefused where filter and boosts together are too much to ask of each item for each person.
    """
    conditions = [*([rules.filter] if rules.filter else []), *(boost.when for boost in rules.boosts)]
    if (found := sum(map(cost, conditions))) > MAX_COST:
        where = pointer if rules.boosts else f"{pointer}/filter"
        detail = (
            f"Filter and boosts cost {found:,} comparisons for each item; at most {MAX_COST:,} are made. A list counts "
            "as its values."
        )
        raise validators.refuse(where, "too_costly", detail)


def _object(readers: Mapping[str, Reader], *, required: tuple[str, ...] = ()) -> Reader:
    def read(raw: Any, pointer: str) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise validators.refuse(pointer, "not_an_object", "Must be a JSON object.")
        known = ", ".join(readers)
        errors = [FieldError(f"{pointer}/{name}", "required", "Is required.") for name in required if name not in raw]
        values = {}
        for name, value in raw.items():
            at = validators.child(pointer, str(name))
            if name not in readers:
                errors.append(FieldError(at, "unknown_field", f"Unknown; known are {known}."))
                continue
            try:
                values[name] = readers[name](value, at)
            except FieldRefused as refused:
                errors.extend(refused.errors)
        if errors:
            raise FieldRefused(*errors)
        return values

    return read


def _list(read: Callable[[Any, str], Any], most: int) -> Reader:
    def each(raw: Any, pointer: str) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise validators.refuse(pointer, "not_a_list", "Must be a list.")
        if len(raw) > most:
            raise validators.refuse(pointer, "too_many", f"At most {most} entries; this has {len(raw)}.")
        return tuple(read(value, f"{pointer}/{index}") for index, value in enumerate(raw))

    return each


def _made(make: Callable[..., Any], readers: Mapping[str, Reader], *required: str) -> Reader:
    read = _object(readers, required=required)
    return lambda raw, pointer: make(**read(raw, pointer))


def _maybe(read: Reader) -> Reader:
    return lambda raw, pointer: None if raw is None else read(raw, pointer)


def _one_of(*words: str) -> Reader:
    def read(raw: Any, pointer: str) -> str:
        if raw not in words:
            raise validators.refuse(pointer, "unknown_word", f"Must be one of {', '.join(words)}.")
        return str(raw)

    return read


def _number(low: float, high: float, *, whole: bool = False) -> Reader:
    def read(raw: Any, pointer: str) -> Any:
        value = validators.number(raw, pointer)
        if (whole and not isinstance(value, int)) or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            raise validators.refuse(pointer, "out_of_range", f"Must be {kind} from {low:g} to {high:g}.")
        return value

    return read


def _condition(raw: Any, pointer: str) -> Node:
    try:
        return parse(validators.text(2000, empty=False)(raw, pointer))
    except FilterRefused as refused:
        raise validators.refuse(pointer, "bad_filter", refused.detail) from None


def _pin(raw: Any, pointer: str) -> Pin:
    given = _PIN(raw, pointer)
    pin = Pin(given["item_id"], given["position"], given.get("from"), given.get("until"))
    if pin.valid_from and pin.valid_until and pin.valid_until <= pin.valid_from:
        raise validators.refuse(f"{pointer}/until", "bad_window", "Must be later than from.")
    return pin


def _pins(raw: Any, pointer: str) -> tuple[Pin, ...]:
    """Two pins may share a position while they never are valid at once: whoever reads would not know which."""
    pins: tuple[Pin, ...] = _list(_pin, MAX_PINS)(raw, pointer)
    for index, pin in enumerate(pins):
        for other in pins[:index]:
            if _overlap(pin, other) and (pin.position == other.position or pin.item_id == other.item_id):
                what = f"position {pin.position}" if pin.position == other.position else f"item {pin.item_id}"
                raise validators.refuse(
                    f"{pointer}/{index}", "pinned_twice", f"Another pin has {what} at the same time."
                )
    return pins


def _overlap(one: Pin, other: Pin) -> bool:
    return not (
        (one.valid_until and other.valid_from and one.valid_until <= other.valid_from)
        or (other.valid_until and one.valid_from and other.valid_until <= one.valid_from)
    )


def _attribute(raw: Any, pointer: str) -> str:
    name: str = validators.text(160, empty=False)(raw, pointer)
    if name != "categories" and not (name.startswith("attributes.") and len(name) > len("attributes.")):
        raise validators.refuse(pointer, "unknown_field", "Must be categories or attributes.NAME.")
    return name


def _segment_by(raw: Any, pointer: str) -> str:
    name: str = validators.text(120, empty=False)(raw, pointer)
    if name != SEGMENTS and not (name.startswith("attributes.") and len(name) > len("attributes.")):
        raise validators.refuse(pointer, "unknown_field", "Must be segments or attributes.NAME, of the person.")
    return name


def _kinds(raw: Any, pointer: str) -> tuple[Kind, ...]:
    kinds: tuple[Kind, ...] = _list(_KIND, len(BLENDED))(raw, pointer)
    if not kinds or len({each.kind for each in kinds}) < len(kinds):
        raise validators.refuse(pointer, "bad_kinds", "Name at least one kind, and each once.")
    return kinds


_KIND = _made(Kind, {"kind": _one_of(*BLENDED), "take": _number(1, HEAD, whole=True)}, "kind")
_PIN = _object(
    {
        "item_id": validators.identifier,
        "position": _number(1, 100, whole=True),
        "from": validators.moment,
        "until": validators.moment,
    },
    required=("item_id", "position"),
)
_RULES: Mapping[str, Reader] = {
    "kinds": _kinds,
    "fallback": _list(_one_of(*FALLBACKS), len(FALLBACKS)),
    "segment_by": _segment_by,
    "filter": _maybe(_condition),
    "boosts": _list(_made(Boost, {"when": _condition, "factor": _number(0, MAX_FACTOR)}, "when", "factor"), MAX_BOOSTS),
    "pins": _pins,
    "hide": lambda raw, pointer: frozenset(_list(validators.identifier, MAX_HIDES)(raw, pointer)),
    "diversity": _maybe(
        _made(Diversity, {"relevance": _number(0, 1), "over": _one_of("categories", "vectors")}, "relevance")
    ),
    "caps": _list(
        _made(
            Cap,
            {"attribute": _attribute, "most": _number(1, 100, whole=True), "within": _number(1, 100, whole=True)},
            "attribute",
            "most",
        ),
        MAX_CAPS,
    ),
    "fresh": _maybe(_made(Fresh, {"share": _number(0, 1), "days": _number(1, 3650, whole=True)}, "share")),
    "exploration": _number(0, 0.5),
    "rotate_minutes": _number(0, 7 * 24 * 60, whole=True),
    "consumed": _made(
        Consumed, {"exclude": validators.boolean, "return_after_days": _maybe(_number(1, 3650, whole=True))}
    ),
    "ai": validators.boolean,
    "prompt": lambda raw, pointer: "" if raw in (None, "") else _one_of(*prompts.VERSIONS)(raw, pointer),
}
PLAIN = Rules()


def return_moment(consumed: Consumed, now: datetime) -> float | None:
    """What was consumed after this unix second stays away; None: everything does."""
    if not consumed.exclude:
        return float("inf")
    days = consumed.return_after_days
    return None if days is None else (now - timedelta(days=days)).timestamp()
