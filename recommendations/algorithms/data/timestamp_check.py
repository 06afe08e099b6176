"""Tell times that say when something happened from times that only say when a file was taken in.

Rows that somebody loads at once share the moment of the load, or a few moments within minutes where it went in parts.
Taken for history, they would turn the order of a file into the order of users' lives. So a load counts as one moment,
and data that has nothing else has no order at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import TimeArray

# Parts of one load follow each other within so many seconds, and one load takes no longer than so many in all.
PART_SECONDS = 600.0
LOAD_SECONDS = 12 * 3600.0
# Rows that share a moment by a clock that counts fractions of a second, and by one that counts whole seconds: many
# users may do something within one second, and a log may be as coarse as that.
FRACTIONAL_ROWS, WHOLE_ROWS = 20, 500
# A client may send this many events at once that happen as they are sent; more at one moment are a load.
LIVE_ROWS = 1_000
# Of all rows, what a load of several parts must hold, and one of a single moment.
SEVERAL_SHARE, SINGLE_SHARE = 0.1, 0.5
# So many users with rows at different times make an order, or this share of those who have two rows or more.
ENOUGH_PEOPLE, ENOUGH_SHARE = 100, 0.05
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class BulkLoad:
    """Rows from `first` to `last` (Unix seconds) count as of the moment `counts_as`."""

    first: float
    last: float
    counts_as: float


@dataclass(frozen=True, eq=False)
class EventOrder:
    """The order of rows, as far as it is known.

    Attributes:
        times: (rows,) as they count, loads as one moment each; None where there is no order.
        loads: what was recognised as loaded at once.
        why: a sentence on what is missing; empty where all rows have times of their own.
    """

    times: TimeArray | None
    loads: tuple[BulkLoad, ...]
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return what an artefact keeps, so that histories are read as they were learnt from."""
        return {
            "known": self.times is not None,
            "loads": [[load.first, load.last, load.counts_as] for load in self.loads],
            "why": self.why,
        }


def detect_order(users: NDArray[Any], times: TimeArray | None) -> EventOrder:
    """Return the order that these rows have. `users` are any sortable labels."""
    if times is None:
        return EventOrder(None, (), "No event has a time, so there is no order.")
    if not len(times):
        return EventOrder(times, (), "")
    _, people = np.unique(users, return_inverse=True)
    instants, place, counts = np.unique(times, return_inverse=True, return_counts=True)
    if len(instants) == 1:
        return EventOrder(
            None, (), f"All {len(times):,} events have one time, {_said(times[0])}, so there is no order."
        )
    loads = _loads(people, instants, place, counts)
    merged = effective_times(times, loads)
    why = _nothing(people, merged, loads) or _partly(times, loads)
    return EventOrder(None if _has_no_order(people, merged) else merged, loads, why)


def effective_times(times: TimeArray, loads: Sequence[BulkLoad]) -> TimeArray:
    """Return the times, those within a load as its one moment."""
    counted = times
    for load in loads:
        counted = np.where((times >= load.first) & (times <= load.last), load.counts_as, counted)
    return counted


def loads_from_json(kept: Any) -> tuple[BulkLoad, ...]:
    """Return the loads of what `Order.as_json` gave; none for anything else."""
    return tuple(BulkLoad(*each) for each in kept.get("loads", ())) if isinstance(kept, dict) else ()


def _loads(
    users: NDArray[np.int64], instants: TimeArray, place: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[BulkLoad, ...]:
    fractional = instants != np.floor(instants)
    dense = np.flatnonzero(counts >= np.where(fractional, FRACTIONAL_ROWS, WHOLE_ROWS))
    if not len(dense):
        return ()
    runs = np.split(dense, np.flatnonzero(np.diff(instants[dense]) > PART_SECONDS) + 1)
    spans = [(int(run[0]), _end(int(run[-1]), instants, counts)) for run in runs]
    found = [span for span in spans if _is_load(*span, users, instants, place, counts)]
    if len(found) == 1:
        first, last = found[0]
        # One load is what was there before: where others' times lie before it, it came late and is old all the same.
        moment = instants[0] - 1.0 if first > 0 else instants[0]
        return (BulkLoad(float(instants[first]), float(instants[last]), float(moment)),)
    return tuple(BulkLoad(*(float(instants[at]) for at in (first, last, first))) for first, last in found)


def _end(last: int, instants: TimeArray, counts: NDArray[np.int64]) -> int:
    """Return the last part of a load, which may be small."""
    near = np.flatnonzero((instants > instants[last]) & (instants <= instants[last] + PART_SECONDS))
    small = near[counts[near] >= FRACTIONAL_ROWS]
    return int(small[-1]) if len(small) else last


def _is_load(
    first: int,
    last: int,
    users: NDArray[np.int64],
    instants: TimeArray,
    place: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> bool:
    within = instants[first : last + 1]
    if not np.any(within % _MINUTE) or within[-1] - within[0] > LOAD_SECONDS:
        return False  # times to the minute, the hour or the day; or a stream
    rows, share = int(counts[first : last + 1].sum()), counts[first : last + 1].sum() / counts.sum()
    if first == last:
        return bool(within[0] % 1.0) and (rows > LIVE_ROWS or bool(share >= SINGLE_SHARE))
    if share < SEVERAL_SHARE and rows <= LIVE_ROWS * len(within):
        return False
    return not _in_step(users, place, first, last)


def _in_step(users: NDArray[np.int64], place: NDArray[np.int64], first: int, last: int) -> bool:
    """Tell whether users' rows lie at different moments more often than by chance, as steps of a sequence do.

    A load in parts cuts a file anywhere, so that rows of one user meet in a part as often as any two rows do.
    """
    inside = (place >= first) & (place <= last)
    _, of_person = np.unique(users[inside], return_counts=True)
    width = int(last - first + 1)
    _, together = np.unique(users[inside] * width + (place[inside] - first), return_counts=True)
    pairs, tied = (float((each * (each - 1.0)).sum()) for each in (of_person, together))
    parts = np.bincount(place[inside] - first) / inside.sum()
    return pairs > 0 and tied < 0.5 * pairs * float(np.square(parts).sum())


def _people_moving(users: NDArray[np.int64], times: TimeArray) -> tuple[int, int]:
    """Return how many users have rows at different times, and how many have two rows or more."""
    order = np.argsort(users, kind="stable")
    starts = np.flatnonzero(np.diff(users[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(users)))
    newest, oldest = np.maximum.reduceat(times[order], starts), np.minimum.reduceat(times[order], starts)
    return int((newest > oldest).sum()), int((sizes > 1).sum())


def _has_no_order(users: NDArray[np.int64], times: TimeArray) -> bool:
    if times.min() == times.max():
        return True
    moving, several = _people_moving(users, times)
    return moving < ENOUGH_PEOPLE and moving < ENOUGH_SHARE * several


def _nothing(users: NDArray[np.int64], times: TimeArray, loads: Sequence[BulkLoad]) -> str:
    if not _has_no_order(users, times):
        return ""
    if times.min() == times.max():
        load = loads[0]
        return (
            f"All {len(times):,} events were loaded at once, from {_said(load.first)} to {_said(load.last)}: "
            "these are times of the load, not of the events, so there is no order."
        )
    moving, several = _people_moving(users, times)
    return (
        f"Of {several:,} users with two events or more, {moving:,} have events at different times, "
        "so there is no order."
    )


def _partly(times: TimeArray, loads: Sequence[BulkLoad]) -> str:
    rows = sum(int(((times >= load.first) & (times <= load.last)).sum()) for load in loads)
    if not rows:
        return ""
    moved = ", before all others" if any(load.counts_as < load.first for load in loads) else ""
    each = "one moment" if len(loads) == 1 else f"one moment each of {len(loads)} loads"
    return (
        f"{rows:,} of {len(times):,} events have the time of a load ({_said(loads[0].first)}), not their own: "
        f"they count as of {each}{moved}, without an order among them."
    )


def _said(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
