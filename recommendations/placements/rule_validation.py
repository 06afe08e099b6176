"""Parsing and validation of the JSON of placement rules."""

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import FieldError
from recommendations.ai.reranking import prompts
from recommendations.catalog import validators
from recommendations.catalog.validators import FieldRefused, Reader
from recommendations.filter_language import FilterRefused, Node, cost, parse
from recommendations.filter_language.cost import MAX_COST
from recommendations.list_kinds import FALLBACKS, MIXED
from recommendations.placements.rules import (
    HEAD,
    MAX_BOOSTS,
    MAX_CAPS,
    MAX_FACTOR,
    MAX_HIDES,
    MAX_PINS,
    SEGMENTS,
    Boost,
    Cap,
    Consumed,
    Diversity,
    FreshShare,
    KindShare,
    Pin,
    PlacementRules,
)


def read_rules(raw: Any, pointer: str = "") -> PlacementRules:
    """Parses rules.

    Raises:
        FieldRefused: With all errors.
    """
    return PlacementRules(**_object(_RULES)(raw, pointer))


def refuse_costly(rules: PlacementRules, pointer: str = "") -> None:
    """Checks the cost of new rules; rules that serve already are not checked again.

    Raises: FieldRefused if filter and boosts together cost too much per item and user.
    """
    conditions = [*([rules.filter] if rules.filter else []), *(boost.when for boost in rules.boosts)]
    if (total := sum(map(cost, conditions))) > MAX_COST:
        where = pointer if rules.boosts else f"{pointer}/filter"
        detail = (
            f"Filter and boosts cost {total:,} comparisons per item; at most {MAX_COST:,} are allowed. A list "
            "counts as its number of values."
        )
        raise validators.refusal(where, "too_costly", detail)


def _object(readers: Mapping[str, Reader], *, required: tuple[str, ...] = ()) -> Reader:
    def read(raw: Any, pointer: str) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise validators.refusal(pointer, "not_an_object", "Must be a JSON object.")
        errors = [
            FieldError(f"{pointer}/{name}", "required", "This field is required.")
            for name in required
            if name not in raw
        ]
        values = {}
        for name, value in raw.items():
            at = validators.child_pointer(pointer, str(name))
            if name not in readers:
                errors.append(FieldError(at, "unknown_field", f"Unknown field. Allowed: {', '.join(readers)}."))
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
    def read_list(raw: Any, pointer: str) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise validators.refusal(pointer, "not_a_list", "Must be a list.")
        if len(raw) > most:
            raise validators.refusal(pointer, "too_many", f"Must have at most {most} entries, but has {len(raw)}.")
        return tuple(read(value, f"{pointer}/{index}") for index, value in enumerate(raw))

    return read_list


def _instance(make: Callable[..., Any], readers: Mapping[str, Reader], *required: str) -> Reader:
    read = _object(readers, required=required)
    return lambda raw, pointer: make(**read(raw, pointer))


def _optional(read: Reader) -> Reader:
    return lambda raw, pointer: None if raw is None else read(raw, pointer)


def _one_of(*words: str) -> Reader:
    def read(raw: Any, pointer: str) -> str:
        if raw not in words:
            raise validators.refusal(pointer, "unknown_word", f"Must be one of {', '.join(words)}.")
        return str(raw)

    return read


def _number(low: float, high: float, *, whole: bool = False) -> Reader:
    def read(raw: Any, pointer: str) -> Any:
        value = validators.number(raw, pointer)
        if (whole and not isinstance(value, int)) or not low <= value <= high:
            number = "an integer" if whole else "a number"
            raise validators.refusal(pointer, "out_of_range", f"Must be {number} from {low:g} to {high:g}.")
        return value

    return read


def _condition(raw: Any, pointer: str) -> Node:
    try:
        return parse(validators.text(2000, empty=False)(raw, pointer))
    except FilterRefused as refused:
        raise validators.refusal(pointer, "bad_filter", refused.detail) from None


def _pin(raw: Any, pointer: str) -> Pin:
    given = _PIN(raw, pointer)
    pin = Pin(given["item_id"], given["position"], given.get("from"), given.get("until"))
    if pin.valid_from and pin.valid_until and pin.valid_until <= pin.valid_from:
        raise validators.refusal(f"{pointer}/until", "bad_window", "Must be later than from.")
    return pin


def _pins(raw: Any, pointer: str) -> tuple[Pin, ...]:
    """Pins may share a position or an item only if they are never valid at the same time."""
    pins: tuple[Pin, ...] = _list(_pin, MAX_PINS)(raw, pointer)
    for index, pin in enumerate(pins):
        for other in pins[:index]:
            if _overlap(pin, other) and (pin.position == other.position or pin.item_id == other.item_id):
                shared = f"position {pin.position}" if pin.position == other.position else f"item {pin.item_id}"
                raise validators.refusal(
                    f"{pointer}/{index}", "pinned_twice", f"Another pin has {shared} at the same time."
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
        raise validators.refusal(pointer, "unknown_field", "Must be categories or attributes.NAME.")
    return name


def _segment_by(raw: Any, pointer: str) -> str:
    name: str = validators.text(120, empty=False)(raw, pointer)
    if name != SEGMENTS and not (name.startswith("attributes.") and len(name) > len("attributes.")):
        raise validators.refusal(pointer, "unknown_field", "Must be segments or attributes.NAME (of the user).")
    return name


def _kinds(raw: Any, pointer: str) -> tuple[KindShare, ...]:
    kinds: tuple[KindShare, ...] = _list(_KIND, len(MIXED))(raw, pointer)
    if not kinds or len({share.kind for share in kinds}) < len(kinds):
        raise validators.refusal(pointer, "bad_kinds", "Must name at least one kind, each only once.")
    return kinds


_KIND = _instance(KindShare, {"kind": _one_of(*MIXED), "take": _number(1, HEAD, whole=True)}, "kind")
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
    "filter": _optional(_condition),
    "boosts": _list(
        _instance(Boost, {"when": _condition, "factor": _number(0, MAX_FACTOR)}, "when", "factor"), MAX_BOOSTS
    ),
    "pins": _pins,
    "hide": lambda raw, pointer: frozenset(_list(validators.identifier, MAX_HIDES)(raw, pointer)),
    "diversity": _optional(
        _instance(Diversity, {"relevance": _number(0, 1), "over": _one_of("categories", "vectors")}, "relevance")
    ),
    "caps": _list(
        _instance(
            Cap,
            {"attribute": _attribute, "most": _number(1, 100, whole=True), "within": _number(1, 100, whole=True)},
            "attribute",
            "most",
        ),
        MAX_CAPS,
    ),
    "fresh": _optional(_instance(FreshShare, {"share": _number(0, 1), "days": _number(1, 3650, whole=True)}, "share")),
    "exploration": _number(0, 0.5),
    "rotate_minutes": _number(0, 7 * 24 * 60, whole=True),
    "consumed": _instance(
        Consumed, {"exclude": validators.boolean, "return_after_days": _optional(_number(1, 3650, whole=True))}
    ),
    "ai": validators.boolean,
    "prompt": lambda raw, pointer: "" if raw in (None, "") else _one_of(*prompts.VERSIONS)(raw, pointer),
}
