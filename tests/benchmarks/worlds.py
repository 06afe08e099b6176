"""Generated sets with the shape of real domains: long tails, drift, sessions, trends, absences, play counts.

All come from one simulation (`simulate`), whose parts can be turned up and down (`World`). What each set is for:

- drift: interests move from one taste to the next over a year; what is long ago misleads.
- bursts: people come in bursts of one interest each, minutes apart; the interest of now is all that predicts.
- absences: people go away for months and come back to what they liked; a clock does not tell how recent a row is.
- plays: artists with heavy-tailed play counts, no times: one play is curiosity, hundreds are taste.
- small_wide: 300 people and 9,000 items.
- untimed: tastes without times, people of very unequal activity.
- music: weeks of listening in sessions, favourites with many plays, some charts. Cut at one moment.
- shop: sessions of views within a category, items that go with each other, seasons and bestsellers. Cut at one moment.
- shop_last: the same, each person's last rows.
- news: items live for two days, people read sections and what everybody reads. Cut at one moment.
- books: no times, heavy readers, series that are read whole.
- long_tail: 1,000 people, 20,000 items, a very flat tail.
- tiny: 50 people who share a catalogue of 200 items.
- films_untimed: ratings without times: hits for everybody, niches for some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.baselines.table import Floats, Ints, Log

DAY = 86_400.0
START = 1_600_000_000.0
# Nobody draws longer than so many times for something new.
_TRIES = 4
_NO_AGE = 1e9


@dataclass(frozen=True)
class World:
    """Attributes:
    people, items, tastes: how many.
    rows, spread: rows of each person, log-normal: the median and sigma; 5 at least.
    each: tastes of a person.
    tail: exponent of the power law of items within a taste; 0 is flat.
    crowd: share of rows that follow all-time popularity and not the person's taste.
    drift: a person's mixture of tastes moves on through their life, from the first to the last of them.
    days: length of the whole; a person is there from a random day on for `life` of what is left.
    session: mean rows of a session, which has one taste; 1 for none.
    gap: a person's sessions are days apart, log-normal: sigma; large makes bursts and long absences.
    following: share of rows within a session that go to one of three companions of the item before.
    born: share of items that appear during the time.
    lives: half-life of an item's appeal in days after it appears.
    plays: sigma of log-normal play counts; 0 for none. Rows of the person's first taste have ten times as many.
    timed: whether times are kept.
    """

    people: int
    items: int
    tastes: int = 30
    rows: float = 30
    spread: float = 0.8
    each: int = 3
    tail: float = 0.8
    crowd: float = 0.15
    drift: bool = False
    days: float = 365
    life: float = 0.7
    session: float = 1
    gap: float = 0.5
    following: float = 0.0
    born: float = 0.0
    lives: float = _NO_AGE
    plays: float = 0.0
    timed: bool = True


def simulate(world: World, seed: int) -> Log:
    """Let everybody choose, row by row, and return what they chose in the order of time."""
    draw = np.random.default_rng(seed)
    items = _Items(world, draw)
    counts = np.maximum(5, world.rows * draw.lognormal(0.0, world.spread, world.people)).astype(np.int64)
    counts = np.minimum(counts, world.items // 2)
    liked = draw.integers(0, world.tastes, (world.people, world.each))
    share = np.cumsum(draw.dirichlet(np.full(world.each, 1.5), world.people), axis=1)
    moments, sessions = _moments(world, draw, counts)
    had = np.zeros((world.people, world.items), dtype=bool)
    before = np.full(world.people, -1)
    taste, session = np.zeros(world.people, dtype=np.int64), np.full(world.people, -1)
    columns: list[tuple[Ints, Ints, Floats, Ints]] = []
    for step in range(int(counts.max())):
        people = np.flatnonzero(counts > step)
        when = moments[people, step]
        fresh = sessions[people, step] != session[people]
        taste[people[fresh]] = _tastes(world, draw, people[fresh], step, counts, liked, share)
        session[people] = sessions[people, step]
        previous = np.where(fresh, -1, before[people])
        chosen = _choose(world, draw, items, people, taste[people], previous, when, had)
        had[people, chosen] = True
        before[people] = chosen
        columns.append((people, chosen, when, (taste[people] == liked[people, 0]).astype(np.int64)))
    users, chosen, when, favourite = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    values = np.ceil(draw.lognormal(0.5, world.plays, len(users)) * np.where(favourite, 10, 1)) if world.plays else None
    order = np.argsort(when, kind="stable")
    if not world.timed:
        order = draw.permutation(len(users))
    return Log(
        np.char.add("u", users[order].astype(str)),
        np.char.add("i", chosen[order].astype(str)),
        np.round(START + when[order] * DAY) if world.timed else None,
        amounts=None if values is None else values[order],
    )


class _Items:
    """Appeal by taste and by time, as cumulative sums to draw from."""

    def __init__(self, world: World, draw: np.random.Generator) -> None:
        self.taste_of = draw.integers(0, world.tastes, world.items)
        appeal = draw.permutation(np.arange(1, world.items + 1) ** -world.tail) * draw.lognormal(0, 0.3, world.items)
        born = np.where(draw.random(world.items) < world.born, draw.uniform(0, world.days, world.items), -1.0)
        ages = np.where(born < 0, draw.uniform(0, 2 * world.lives, world.items) if world.lives < _NO_AGE else 0.0, 0.0)
        self.companions = draw.integers(0, world.items, (world.items, 3))
        # Companions are of the same taste, mostly.
        self.by_taste = [np.flatnonzero(self.taste_of == taste) for taste in range(world.tastes)]
        for taste, own in enumerate(self.by_taste):
            if len(own):
                self.companions[own] = draw.choice(own, (len(own), 3))
            else:
                self.by_taste[taste] = np.arange(world.items)
        self.bin_days = max(0.25, world.lives / 4) if world.born else world.days + 1
        bins = int(world.days / self.bin_days) + 1
        self.cumulative: list[list[Floats]] = []
        for index in range(bins):
            day = index * self.bin_days
            there = np.where(born <= day, appeal * np.exp2(-(np.maximum(day - born, 0) + ages) / world.lives), 0.0)
            self.cumulative.append([np.cumsum(there[own]) for own in self.by_taste] + [np.cumsum(there)])
        self.bins = bins

    def drawn(self, draw: np.random.Generator, taste: Ints, when: Floats) -> Ints:
        """Return an item for each taste (the number of tastes for any) at each moment."""
        bins = np.minimum((when / self.bin_days).astype(np.int64), self.bins - 1)
        found = np.zeros(len(taste), dtype=np.int64)
        group = bins * (len(self.by_taste) + 1) + taste
        for each in np.unique(group):
            at = np.flatnonzero(group == each)
            index, kind = divmod(int(each), len(self.by_taste) + 1)
            sums = self.cumulative[index][kind]
            if sums[-1] <= 0:
                sums, kind = self.cumulative[index][-1], len(self.by_taste)
            place = np.searchsorted(sums, draw.random(len(at)) * sums[-1], side="right")
            place = np.minimum(place, len(sums) - 1)
            found[at] = place if kind == len(self.by_taste) else self.by_taste[kind][place]
        return found


def _choose(
    world: World,
    draw: np.random.Generator,
    items: _Items,
    people: Ints,
    taste: Ints,
    previous: Ints,
    when: Floats,
    had: NDArray[np.bool_],
) -> Ints:
    """Return what each of these people chooses: something they do not have, where some tries find it."""
    chosen = np.zeros(len(people), dtype=np.int64)
    open_ = np.arange(len(people))
    for attempt in range(_TRIES):
        crowd = draw.random(len(open_)) < world.crowd
        kind = np.where(crowd, world.tastes, taste[open_])
        found = items.drawn(draw, kind, when[open_])
        if world.following and not attempt:
            follow = (previous[open_] >= 0) & (draw.random(len(open_)) < world.following)
            pick = draw.choice(3, len(open_), p=[0.6, 0.25, 0.15])
            found = np.where(follow, items.companions[previous[open_], pick], found)
        chosen[open_] = found
        open_ = open_[had[people[open_], found]]
        if not len(open_):
            break
    return chosen


def _tastes(
    world: World, draw: np.random.Generator, people: Ints, step: int, counts: Ints, liked: Ints, share: Floats
) -> Ints:
    """Return the tastes of sessions that begin."""
    mixed = (draw.random((len(people), 1)) > share[people]).sum(axis=1)
    if world.drift:
        moved = step * world.each // counts[people]
        mixed = np.where(draw.random(len(people)) < 0.8, moved, mixed)
    return np.asarray(liked[people, np.minimum(mixed, world.each - 1)])


def _moments(world: World, draw: np.random.Generator, counts: Ints) -> tuple[Floats, Ints]:
    """Return people x rows: the day of each row, rising, and its session's number."""
    shape = (len(counts), int(counts.max()))
    begins = draw.random(shape) < 1.0 / world.session
    begins[:, 0] = True
    sessions = np.cumsum(begins.astype(np.int64), axis=1)
    gaps = np.where(begins, draw.lognormal(0.0, world.gap, shape), draw.exponential(0.002, shape))
    gaps[:, 0] = draw.exponential(0.5, len(counts))
    inside = np.arange(shape[1])[None, :] < counts[:, None]
    at = np.cumsum(np.where(inside, gaps, 0.0), axis=1)
    first = draw.uniform(0, world.days * (1 - world.life / 2), len(counts))
    scale = (world.days - first) * draw.uniform(world.life / 2, world.life, len(counts)) / at[:, -1]
    # Rows of a session stay minutes apart, however long a life is.
    between = np.cumsum(np.where(inside & begins, gaps, 0.0), axis=1) * scale[:, None]
    within = np.where(begins, 0.0, draw.exponential(0.003, shape))
    return np.minimum(first[:, None] + between + np.cumsum(within, axis=1) * 0.2, world.days), sessions


_SHOP = World(
    2_500, 4_000, tastes=40, rows=18, spread=0.7, each=4, tail=0.9, crowd=0.2, session=4, gap=1.5, following=0.35,
    born=0.5, lives=120,
)  # fmt: skip
WORLDS: dict[str, tuple[World, str, int]] = {
    "drift": (World(1_500, 2_500, rows=40, each=5, drift=True, spread=0.5), "last10", 31),
    "bursts": (World(1_500, 2_500, tastes=60, rows=40, each=8, session=8, gap=2.5, spread=0.5), "last10", 32),
    "absences": (World(1_500, 2_000, rows=25, each=3, gap=3.0, session=2, life=1.0), "global80", 33),
    "plays": (World(2_000, 3_000, tastes=50, rows=35, each=5, crowd=0.3, plays=1.5, timed=False), "rand10", 34),
    "small_wide": (World(300, 9_000, tastes=25, rows=120, spread=1.0, each=4), "last10", 35),
    "untimed": (World(2_500, 2_500, tastes=40, rows=20, spread=1.1, timed=False), "rand10", 36),
    "music": (
        World(1_200, 5_000, tastes=60, rows=60, each=5, crowd=0.2, session=6, gap=1.5, drift=True, plays=1.2),
        "global80",
        41,
    ),
    "shop": (_SHOP, "global80", 42),
    "shop_last": (_SHOP, "last10", 43),
    "news": (
        World(2_000, 3_000, tastes=12, rows=25, crowd=0.4, days=60, life=1.0, session=3, gap=1.0, born=0.98, lives=1.0),
        "global80",
        44,
    ),
    "books": (
        World(2_000, 6_000, tastes=80, rows=40, spread=1.0, crowd=0.25, session=3, following=0.4, timed=False),
        "rand10",
        45,
    ),
    "long_tail": (World(1_000, 20_000, tastes=100, rows=60, spread=0.9, each=4, tail=0.5, crowd=0.05), "last10", 46),
    "tiny": (World(50, 200, tastes=5, rows=25, spread=0.5, each=2), "last10", 47),
    "films_untimed": (
        World(800, 5_000, tastes=15, rows=90, spread=1.1, each=4, tail=1.0, crowd=0.4, timed=False),
        "rand10",
        48,
    ),
}  # fmt: skip


def maker(name: str) -> Callable[[int], Log]:
    """Return what makes this set: with a seed of 0 the usual one, with others another draw of the same world."""
    world, _, first = WORLDS[name]
    return lambda seed: simulate(world, first + 1_000 * seed)
