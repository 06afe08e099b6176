"""Small data whose structure, and so whose right answer, is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.validation.splitting import Rows

Row = tuple[str, str, float]
HOUR = 3_600.0
DAY = 24 * HOUR


def interactions(
    rows: Sequence[Row], *, extra_items: Sequence[str] = (), extra_users: Sequence[str] = ()
) -> Interactions:
    """Return rows as interactions; ids in order of first appearance, as a source would give them."""
    user_ids = [*dict.fromkeys(user for user, _, _ in rows), *extra_users]
    item_ids = [*dict.fromkeys(item for _, item, _ in rows), *extra_items]
    return Interactions.from_codes(
        np.array([user_ids.index(user) for user, _, _ in rows], dtype=np.int64),
        np.array([item_ids.index(item) for _, item, _ in rows], dtype=np.int64),
        np.array([time for _, _, time in rows]),
        user_ids,
        item_ids,
    )


def raw(rows: Sequence[Row], *, with_times: bool = True) -> Rows:
    users, items, times = zip(*rows, strict=True)
    return Rows(np.array(users), np.array(items), np.array(times) if with_times else None)


def random_rows(*, people: int = 40, items: int = 30, per_person: int = 8) -> list[Row]:
    """Rows without structure, with ties in time: two or three rows of a user share each moment."""
    generator = np.random.default_rng(3)
    weights = 1.0 / np.arange(1, items + 1)
    rows = []
    for user in range(people):
        picked = generator.choice(items, per_person, replace=False, p=weights / weights.sum())
        moments = np.sort(generator.integers(0, 4, per_person)) * DAY + user * HOUR
        rows += [(f"u{user}", f"i{item}", float(time)) for item, time in zip(picked, moments, strict=True)]
    return rows


def checkerboard() -> tuple[Interactions, list[int]]:
    """Even users chose the even items, odd users the odd ones, each all but one, in an order of their own.

    Returns the interactions and, per user, the item of their colour that was left out.
    """
    generator = np.random.default_rng(0)
    rows: list[Row] = []
    held_out = {}
    for person in range(40):
        colour = [item for item in range(12) if item % 2 == person % 2]
        left_out = colour[(person // 2) % len(colour)]
        held_out[f"u{person:02d}"] = left_out
        chosen = generator.permutation([item for item in colour if item != left_out])
        rows += [(f"u{person:02d}", f"i{item:02d}", order * HOUR) for order, item in enumerate(chosen)]
    data = interactions(rows)
    return data, [held_out[user] for user in data.user_ids]


def walks(*, people: int = 150, length: int = 14, items: int = 60) -> list[Row]:
    """Strong order: after item n comes n + 1 in nine of ten cases, else any; everybody starts anywhere."""
    generator = np.random.default_rng(5)
    rows = []
    for user in range(people):
        item = int(generator.integers(items))
        for step in range(length):
            rows.append((f"u{user}", f"i{item}", user * DAY + step * HOUR))
            item = (item + 1) % items if generator.random() < 0.9 else int(generator.integers(items))
    return rows


def tastes(*, people: int = 200, items: int = 120, groups: int = 6, per_person: int = 10) -> list[Row]:
    """No order: each user chooses from one of `groups` equal groups of items, all items alike."""
    generator = np.random.default_rng(6)
    rows = []
    for user in range(people):
        group = np.arange(user % groups, items, groups)
        rows += [
            (f"u{user}", f"i{item}", float(generator.uniform(0, 90 * DAY)))
            for item in generator.choice(group, per_person, replace=False)
        ]
    return rows


def fashions(*, people: int = 250, items: int = 120, days: int = 60, per_person: int = 10) -> list[Row]:
    """Items appear one after the other and are forgotten by half in five days: only the crowd's recency predicts."""
    generator = np.random.default_rng(7)
    born = np.sort(generator.uniform(-10, days, items))
    rows: list[Row] = []
    for user in range(people):
        seen: set[int] = set()
        for day in np.sort(generator.uniform(0, days, per_person)):
            wanted = np.where(born <= day, np.exp2((born - day) / 5), 0.0)
            wanted[list(seen)] = 0.0
            item = int(generator.choice(items, p=wanted / wanted.sum()))
            seen.add(item)
            rows.append((f"u{user}", f"i{item}", float(day * DAY)))
    return rows
