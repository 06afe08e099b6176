"""Generated sets of interactions, each with a structure that some algorithms find and others cannot.

python -m tests.benchmarks.sets FOLDER     writes them as files for manage.py evaluate

Each function's docstring says how its set is made, and what predicts it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.validation.splitting import Rows

DAY = 86_400.0
START = 1_600_000_000.0


@dataclass(frozen=True, eq=False)
class Generated:
    """Rows, the protocol that suits them, and the catalogue as (title, categories) by item where there is one."""

    rows: Rows
    protocol: str
    catalogue: dict[str, tuple[str, str]] | None = None


def order(
    seed: int = 11, *, people: int = 2_500, length: int = 24, items: int = 1_500, following: float = 0.8
) -> Generated:
    """Walks over 1,500 items: from each to one of its three successors (80 %), else to one drawn by popularity.

    What came last predicts.
    """
    draw = np.random.default_rng(seed)
    successors = draw.integers(0, items, (items, 3))
    popularity = _power_law(items, 0.8)
    at = draw.choice(items, people, p=popularity)
    columns = []
    for _ in range(length):
        columns.append(at)
        follow = draw.random(people) < following
        wander = draw.choice(items, people, p=popularity)
        at = np.where(follow, successors[at, draw.choice(3, people, p=[0.6, 0.25, 0.15])], wander)
    moments = START + np.arange(people)[:, None] * 600.0 + np.arange(length)[None, :] * 3_600.0
    return Generated(
        _rows(np.repeat(np.arange(people), length), np.stack(columns, 1).ravel(), moments.ravel()), "last10"
    )


def no_times(seed: int = 12, *, people: int = 2_500, each: int = 24, items: int = 1_800, tastes: int = 25) -> Generated:
    """Each person mixes two of 25 tastes, and a taste ranks its items by a power law. There are no times.

    Who chose alike predicts.
    """
    draw = np.random.default_rng(seed)
    taste_of = draw.integers(0, tastes, items)
    liked = draw.integers(0, tastes, (people, 2))
    users, chosen = _by_taste(draw, liked, np.full(people, each), taste_of, tastes, exponent=0.9, stray=0.15)
    return Generated(Rows(*_labels(users, chosen), None), "rand10")


def cold_items(seed: int = 13) -> Generated:
    """Items appear day by day; people of 12 tastes choose among those of the last 20 days (70 %) or among all.

    A tenth of what is to be predicted was never seen. Titles and categories tell the taste.
    """
    draw = np.random.default_rng(seed)
    people, each, items, tastes, days = 1_500, 20, 3_000, 12, 300
    born = np.sort(draw.uniform(-60, days, items))
    taste_of = draw.integers(0, tastes, items)
    users, chosen, when = [], [], []
    for person in range(people):
        taste = int(draw.integers(tastes))
        begun = draw.uniform(0, days * 0.5)
        for day in np.sort(draw.uniform(begun, days, each)):
            age = day - born
            pool = (age >= 0) & ((age < 20) if draw.random() < 0.7 else True)
            if draw.random() < 0.8:
                pool &= taste_of == taste
            candidates = np.flatnonzero(pool)
            if len(candidates):
                users.append(person)
                chosen.append(int(draw.choice(candidates)))
                when.append(START + day * DAY)
    names = [[f"{word}{taste}" for word in ("amber", "birch", "coral", "delta", "ember")] for taste in range(tastes)]
    catalogue = {
        f"i{item}": (" ".join(draw.choice(names[taste_of[item]], 3)) + f" volume {item}", f"kind {taste_of[item]}")
        for item in range(items)
    }
    rows = _rows(np.array(users), np.array(chosen), np.array(when))
    return Generated(rows, "last10", catalogue)


def fashion(seed: int = 14) -> Generated:
    """Items appear and are forgotten by half in a week; everybody follows the crowd. Cut at one moment for all.

    What is popular now predicts.
    """
    draw = np.random.default_rng(seed)
    people, each, items, days = 2_000, 15, 600, 120
    born = np.sort(draw.uniform(-15, days, items))
    appeal = draw.lognormal(0.0, 0.7, items)
    users = np.repeat(np.arange(people), each)
    when = draw.uniform(0, days, people * each)
    chosen = np.empty(len(users), dtype=np.int64)
    for row, day in enumerate(when):
        weight = np.where(born <= day, appeal * np.exp2(-np.maximum(day - born, 0) / 7), 0.0)
        chosen[row] = draw.choice(items, p=weight / weight.sum())
    return Generated(_rows(users, chosen, START + when * DAY), "global80")


def sparse(seed: int = 15) -> Generated:
    """8,000 people with 5 to 9 rows each over 4,000 items of 40 tastes, some popular."""
    draw = np.random.default_rng(seed)
    people, items, tastes = 8_000, 4_000, 40
    taste_of = draw.integers(0, tastes, items)
    liked = draw.integers(0, tastes, (people, 1))
    counts = draw.integers(5, 10, people)
    users, chosen = _by_taste(draw, liked, counts, taste_of, tastes, exponent=1.0, stray=0.25)
    return Generated(_rows(users, chosen, START + draw.uniform(0, 200 * DAY, len(users))), "last10")


def million(seed: int = 16) -> Generated:
    """A million rows of 40,000 people and 8,000 items: tastes, popularity, drifting interests, and some order."""
    draw = np.random.default_rng(seed)
    people, items, tastes, rows = 40_000, 8_000, 60, 1_000_000
    taste_of = draw.integers(0, tastes, items)
    counts = np.maximum(5, draw.lognormal(3.0, 0.7, people)).astype(np.int64)
    counts = np.maximum(5, counts * rows // counts.sum())
    counts[0] += rows - counts.sum()
    counts[0] = max(5, counts[0])
    # Interests drift: a person has four tastes, and moves on from one to the next.
    liked = draw.integers(0, tastes, (people, 4))
    users, chosen = _by_taste(draw, liked, counts, taste_of, tastes, exponent=0.9, stray=0.15, drift=True)
    # One row in four follows the row before it to a fixed successor.
    successor = draw.permutation(items)
    follows = (draw.random(len(users)) < 0.25) & np.append(False, users[1:] == users[:-1])
    chosen = np.where(follows, successor[np.append(0, chosen[:-1])], chosen)
    moments = START + draw.uniform(0, 200 * DAY, people)[users] + np.arange(len(users)) % 5_000 * 1_800.0
    return Generated(_rows(users, chosen, moments), "last10")


def groceries(seed: int = 21) -> Generated:
    """Weekly baskets of one moment each: one or two of a household's dozen recipes, and staples that everybody buys.

    What was bought once counts as known, so what is left to predict are new ingredients of recipes lately begun.
    """
    draw = np.random.default_rng(seed)
    households, weeks, items, recipes, staples = 1_600, 12, 2_400, 500, 80
    contents = [
        draw.choice(np.arange(staples, items), int(draw.integers(4, 12)), replace=False) for _ in range(recipes)
    ]
    common = _power_law(staples, 0.7)
    users, chosen, when = [], [], []
    for household in range(households):
        known = draw.choice(recipes, 12, replace=False, p=_power_law(recipes, 0.6))
        for week in np.sort(draw.choice(26, weeks, replace=False)):
            cooked = draw.choice(known, int(draw.integers(1, 3)), replace=False)
            # A cook buys most of a recipe, not all of it each time.
            basket = [item for recipe in cooked for item in contents[recipe] if draw.random() < 0.6]
            basket += draw.choice(staples, 3, p=common).tolist()
            users += [household] * len(basket)
            chosen += [int(item) for item in basket]
            when += [START + (week * 7 + household % 7) * DAY] * len(basket)
    return Generated(_rows(np.array(users), np.array(chosen), np.array(when)), "last10")


def city(seed: int = 22) -> Generated:
    """Places to go in 30 districts: people live in one and move on with time; places open and lose appeal over months.

    Cut at one moment for all. Where somebody was lately predicts, and what is new there.
    """
    draw = np.random.default_rng(seed)
    people, each, places, districts, days = 2_500, 14, 1_500, 30, 360
    opened = draw.uniform(-360, days, places)
    district_of = draw.integers(0, districts, places)
    appeal = draw.lognormal(0.0, 1.0, places)
    homes = draw.integers(0, districts, (people, 2))
    moved = draw.uniform(0, days, people)
    users = np.repeat(np.arange(people), each)
    when = draw.uniform(0, days, people * each)
    chosen = np.empty(len(users), dtype=np.int64)
    for row, (person, day) in enumerate(zip(users, when, strict=True)):
        home = homes[person, int(day > moved[person])]
        weights = appeal * np.exp2(-np.maximum(day - opened, 0) / 120) * (opened <= day)
        weights = weights * np.where(district_of == home, 1.0, 0.01)
        chosen[row] = draw.choice(places, p=weights / weights.sum())
    return Generated(_rows(users, chosen, START + when * DAY), "global80")


def order_2(seed: int = 101) -> Generated:
    """Longer and looser walks than `order`, over more items."""
    return order(seed, people=1_800, length=30, items=3_000, following=0.6)


def no_times_2(seed: int = 102) -> Generated:
    """Fewer rows of each person than in `no_times`, and more tastes."""
    return no_times(seed, people=3_500, each=16, items=900, tastes=60)


SETS: dict[str, Callable[..., Generated]] = {
    "order": order,
    "no_times": no_times,
    "cold_items": cold_items,
    "fashion": fashion,
    "sparse": sparse,
    "million": million,
}
# Made when the engine was done, and never used to develop it: other seeds and sizes, and other domains.
UNSEEN: dict[str, Callable[..., Generated]] = {
    "order_2": order_2,
    "no_times_2": no_times_2,
    "groceries": groceries,
    "city": city,
}


def _power_law(count: int, exponent: float) -> NDArray[np.float64]:
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum())


def _by_taste(
    draw: np.random.Generator,
    liked: NDArray[np.int64],
    counts: NDArray[np.int64],
    taste_of: NDArray[np.int64],
    tastes: int,
    *,
    exponent: float,
    stray: float,
    drift: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each person's rows from their tastes, each taste with a power law over its items; a share strays anywhere."""
    users = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    which = (
        place * liked.shape[1] // np.repeat(counts, counts) if drift else draw.integers(liked.shape[1], size=len(users))
    )
    taste = liked[users, which]
    chosen = draw.choice(len(taste_of), len(users), p=_power_law(len(taste_of), exponent))
    for each in range(tastes):
        own = np.flatnonzero(taste_of == each)
        rows = np.flatnonzero((taste == each) & (draw.random(len(users)) >= stray))
        if len(own):
            chosen[rows] = own[draw.choice(len(own), len(rows), p=_power_law(len(own), exponent))]
    return users, chosen


def _labels(users: NDArray[np.int64], items: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.char.add("u", users.astype(str)), np.char.add("i", items.astype(str))


def _rows(users: NDArray[np.int64], items: NDArray[np.int64], times: NDArray[np.float64]) -> Rows:
    return Rows(*_labels(users, items), np.round(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=(*SETS, *UNSEEN), default=[*SETS, *UNSEEN])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.sets:
        made = (SETS | UNSEEN)[name]()
        rows = made.rows
        with (arguments.folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            timed = [] if rows.times is None else ["occurred_at"]
            writer.writerow(["user_id", "item_id", "type", *timed])
            moments = [] if rows.times is None else [rows.times.astype(np.int64)]
            writer.writerows(
                (user, item, "view", *moment)
                for user, item, *moment in zip(rows.users, rows.items, *moments, strict=True)
            )
        if made.catalogue:
            with (arguments.folder / f"{name}_items.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["item_id", "title", "categories"])
                writer.writerows((item, *facts) for item, facts in made.catalogue.items())
        print(f"{name}: {len(rows.users):,} rows; manage.py evaluate --events {name}.csv --protocol {made.protocol}")


if __name__ == "__main__":
    main()
