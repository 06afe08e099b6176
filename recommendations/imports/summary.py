"""Summary of a file's content beside row counts; it shows if the file was read as intended."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.errors import FieldError
from recommendations.catalog.batch_results import RowResult
from recommendations.interactions.event_columns import EventColumns
from recommendations.interactions.low_ratings import RATING, LowRatings, low_ratings

# Distinct names that are counted: a tenant has 200 types, and attributes may have any name.
MAX_NAMES = 200
_COUNTED = ("types", "ratings", "emptied", "left_out")


def summarize_chunk(
    values: Any, results: Sequence[RowResult], notes: Sequence[tuple[int, tuple[FieldError, ...]]]
) -> dict[str, Any]:
    """The summary of a chunk: see `Import.summary`."""
    summary: dict[str, Any] = {
        "emptied": Counter(name for result in results for name in result.emptied),
        "left_out": Counter(_name(error) for _, errors in notes for error in errors),
    }
    if isinstance(values, EventColumns):
        summary |= _summarize_events(values, results)
    return {name: value for name, value in summary.items() if value}


def _summarize_events(events: EventColumns, results: Sequence[RowResult]) -> dict[str, Any]:
    stored = [place for place, result in enumerate(results) if result.status != "rejected"]
    if not stored:
        return {}
    if len(stored) < len(events):
        events = events.take(stored)
    rated = zip(events.types, events.values, strict=True) if RATING in events.types else ()
    return {
        "types": Counter(events.types),
        "ratings": Counter(f"{value:g}" for kind, value in rated if kind == RATING and value is not None),
        "occurred_from": min(events.stamps),
        "occurred_to": max(events.stamps),
        "untimed": sum(not event.timed for event in events.odd.values()),
    }


def merge_summaries(
    earlier: Mapping[str, Any],
    part: Mapping[str, Any],
    *,
    weighted: Collection[str] = (),
    negative_below: float | None = None,
) -> dict[str, Any]:
    """Merges two summaries. Times are in UTC, so that texts sort like times.

    `weighted` are the types with a weight; ratings below `negative_below` count against their items.
    """
    summary = {**earlier, **part}
    if negative_below is not None and "ratings" in summary:
        summary["negative_below"] = negative_below
    for name in _COUNTED:
        if name in earlier or name in part:
            counts = Counter(earlier.get(name, {})) + Counter(part.get(name, {}))
            summary[name] = dict(counts.most_common(MAX_NAMES))
    if untimed := earlier.get("untimed", 0) + part.get("untimed", 0):
        summary["untimed"] = untimed
    for name, chosen in (("occurred_from", min), ("occurred_to", max)):
        if name in earlier and name in part:
            summary[name] = chosen(earlier[name], part[name])
    if without := {name: count for name, count in summary.get("types", {}).items() if name not in weighted}:
        summary["types_without_weight"] = without
    return summary


def summary_lines(summary: Mapping[str, Any], *, dry_run: bool = False) -> list[str]:
    """The summary in sentences."""
    sentences = []
    if "occurred_from" in summary:
        sentences.append(
            f"events from {summary['occurred_from'][:19]}Z to {summary['occurred_to'][:19]}Z: "
            f"{_listed(summary['types'])}"
        )
    if untimed := summary.get("untimed"):
        sentences.append(_untimed(untimed, sum(summary["types"].values())))
    if without := summary.get("types_without_weight"):
        sentences.append(
            f"types without a weight, which count like a view: {_listed(without)} (set weights under Event types)"
        )
    if ratings := ratings_of(summary):
        sentences.append(str(ratings))
    if emptied := summary.get("emptied"):
        sentences.append(f"fields {'that would be cleared' if dry_run else 'cleared'}: {_listed(emptied)}")
    if left_out := summary.get("left_out"):
        sentences.append(f"omitted attributes: {_listed(left_out)}")
    return sentences


def ratings_of(summary: Mapping[str, Any]) -> LowRatings | None:
    """The number of low ratings, and how they count."""
    counts = {float(value): count for value, count in summary.get("ratings", {}).items()}
    return low_ratings(counts, negative_below=summary.get("negative_below"))


def _untimed(untimed: int, events: int) -> str:
    subject = "no event has a time" if untimed == events else f"{untimed:,} of {events:,} events have no time"
    return f"{subject}: they all get the time of the import, and their order in the file is ignored"


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    more = f" and {len(most) - 10} more" if len(most) > 10 else ""
    return ", ".join(f"{name} ({count:,})" for name, count in most[:10]) + more


def worth_a_line(errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """The notes worth listing by line; exports are full of nulls."""
    return tuple(error for error in errors if error.code != "null_attribute")


def _name(error: FieldError) -> str:
    """A label such as "price: null_attribute"."""
    return f"{error.pointer.removeprefix('/').partition('/')[2].partition('/')[0]}: {error.code}"[:200]
