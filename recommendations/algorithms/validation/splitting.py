"""Splits of interactions into train and test rows, by three protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.event_values import EventValues

Protocol = Literal["last10", "rand10", "global80"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
TEST_SHARE = 0.1
TRAIN_SHARE = 0.8
# The rows of a user with fewer all stay in train.
MIN_ROWS_PER_USER = 5


class InvalidSplit(ValueError):
    """These rows cannot be split by this protocol."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Raw columns in file order.

    Attributes:
        users, items: ids, or any sortable labels.
        times: seconds.
        strengths: the weight of each row by its type; None where all are equal.
        values: of the events.
        low: marks at rows with a low rating.
    """

    users: NDArray[Any]
    items: NDArray[Any]
    times: NDArray[np.float64] | None = None
    strengths: NDArray[np.float32] | None = None
    values: EventValues | None = None
    low: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """(rows,) masks over the raw rows; a row may be in neither (see global80)."""

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


def split(rows: Rows, *, protocol: str, seed: int) -> Split:
    """Split raw rows in file order.

    - last10: each user's last 10 % by time, max(1, round(0.1 n)) rows, of users with n >= 5.
    - rand10: the same number of rows, chosen at random.
    - global80: train is the first 80 % of all rows by time; test are later rows of users with a train row.

    Ties in time are broken by one random number per row, drawn in file order from default_rng(seed).

    Raises:
        InvalidSplit: an unknown protocol, or one that needs times when there are none.
    """
    if protocol not in PROTOCOLS:
        raise InvalidSplit(f"unknown protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    if protocol != "rand10" and rows.times is None:
        raise InvalidSplit(f"{protocol} needs times: give them, or choose rand10")
    tie_breaker = np.random.default_rng(seed).random(len(rows.users))
    _, users = np.unique(rows.users, return_inverse=True)
    if protocol == "rand10" or rows.times is None:
        order = np.lexsort((tie_breaker, users))
    elif protocol == "global80":
        return _split_globally(users, np.lexsort((tie_breaker, rows.times)))
    else:
        order = np.lexsort((tie_breaker, rows.times, users))
    test = last_share_of_each_user(users, order)
    return Split(train=~test, test=test)


def last_share_of_each_user(users: NDArray[Any], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the last 10 % of each user's rows in `order` (positions, grouped by ascending user code)."""
    counts = np.bincount(users) if len(users) else np.zeros(0, dtype=np.int64)
    held = np.where(counts >= MIN_ROWS_PER_USER, np.maximum(1, np.rint(TEST_SHARE * counts)), 0)
    ends = np.cumsum(counts)
    position = np.empty(len(users), dtype=np.int64)
    position[order] = np.arange(len(users))
    return np.asarray(position >= (ends - held)[users])


def _split_globally(users: NDArray[Any], order: NDArray[np.int64]) -> Split:
    train = np.zeros(len(users), dtype=bool)
    train[order[: round(TRAIN_SHARE * len(users))]] = True
    known = np.zeros(users.max(initial=-1) + 1, dtype=bool)
    known[users[train]] = True
    return Split(train=train, test=~train & known[users])
