"""What a file held, beside the counts of its rows: what tells a file that was read well from one that was misread."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.errors import FieldError
from recommendations.catalog.batch_results import Outcome
from recommendations.interactions.event_schema import Event
from recommendations.interactions.low_ratings import RATING, LowRatings, low_ratings

# Different names that are counted: a tenant has 200 types, and attributes may be called anything.
MAX_NAMES = 200
_COUNTED = ("types", "ratings", "emptied", "left_out")


def of_chunk(
    rows: Sequence[Any], outcomes: Sequence[Outcome], notes: Sequence[tuple[int, tuple[FieldError, ...]]]
) -> dict[str, Any]:
    """A chunk's part: see `Import.summary`."""
    kept = [
        row
        for row, outcome in zip(rows, outcomes, strict=True)
        if isinstance(row, Event) and outcome.status != "rejected"
    ]
    told: dict[str, Any] = {
        "types": Counter(event.type for event in kept),
        "ratings": Counter(f"{event.value:g}" for event in kept if event.type == RATING and event.value is not None),
        "emptied": Counter(name for outcome in outcomes for name in outcome.emptied),
        "left_out": Counter(_name(error) for _, errors in notes for error in errors),
    }
    if kept:
        times = [event.occurred_at for event in kept]
        told |= {"occurred_from": min(times).isoformat(), "occurred_to": max(times).isoformat()}
        told["untimed"] = sum(not event.timed for event in kept)
    return {name: value for name, value in told.items() if value}


def added(
    sofar: Mapping[str, Any],
    part: Mapping[str, Any],
    *,
    weighted: Collection[str] = (),
    negative_below: float | None = None,
) -> dict[str, Any]:
    """Both together. Times are in UTC, so that their texts are in their order.

    `weighted` are the types whose weight is known; ratings under `negative_below` count against their items.
    """
    told = {**sofar, **part}
    if negative_below is not None and "ratings" in told:
        told["negative_below"] = negative_below
    for name in _COUNTED:
        if name in sofar or name in part:
            counts = Counter(sofar.get(name, {})) + Counter(part.get(name, {}))
            told[name] = dict(counts.most_common(MAX_NAMES))
    if untimed := sofar.get("untimed", 0) + part.get("untimed", 0):
        told["untimed"] = untimed
    for name, chosen in (("occurred_from", min), ("occurred_to", max)):
        if name in sofar and name in part:
            told[name] = chosen(sofar[name], part[name])
    if without := {name: count for name, count in told.get("types", {}).items() if name not in weighted}:
        told["types_without_weight"] = without
    return told


def lines(told: Mapping[str, Any], *, dry_run: bool = False) -> list[str]:
    """The summary in words."""
    found = []
    if "occurred_from" in told:
        found.append(
            f"events from {told['occurred_from'][:19]}Z to {told['occurred_to'][:19]}Z: {_listed(told['types'])}"
        )
    if untimed := told.get("untimed"):
        found.append(_untimed(untimed, sum(told["types"].values())))
    if without := told.get("types_without_weight"):
        found.append(f"types without a weight, which count as a view: {_listed(without)} (set it under Event types)")
    if ratings := ratings_of(told):
        found.append(str(ratings))
    if emptied := told.get("emptied"):
        found.append(f"fields {'that would be emptied' if dry_run else 'emptied'}: {_listed(emptied)}")
    if left_out := told.get("left_out"):
        found.append(f"attributes left out: {_listed(left_out)}")
    return found


def ratings_of(told: Mapping[str, Any]) -> LowRatings | None:
    """Return how many of its ratings are low, and how they count."""
    counts = {float(value): count for value, count in told.get("ratings", {}).items()}
    return low_ratings(counts, negative_below=told.get("negative_below"))


def _untimed(untimed: int, events: int) -> str:
    said = "no event has a time" if untimed == events else f"{untimed:,} of {events:,} events have no time"
    return f"{said}: they count as of one moment, the import's, and their order in the file says nothing"


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    more = f" and {len(most) - 10} more" if len(most) > 10 else ""
    return ", ".join(f"{name} ({count:,})" for name, count in most[:10]) + more


def worth_a_line(errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """Those that a reader should find by their line: an export is full of nulls."""
    return tuple(error for error in errors if error.code != "null_attribute")


def _name(error: FieldError) -> str:
    """Such as "price: null_attribute"."""
    return f"{error.pointer.removeprefix('/').partition('/')[2].partition('/')[0]}: {error.code}"[:200]
