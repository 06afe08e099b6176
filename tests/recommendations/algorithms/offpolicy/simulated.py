"""Logs with a known truth: users with tastes, lists drawn from what fits them, clicks by place and taste."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy import propensities
from recommendations.algorithms.offpolicy.log import Log, LoggedPage, build_log

ITEMS, LISTED, PLACES = 120, 30, 10
NAMES = tuple(f"i{number}" for number in range(ITEMS))
WEIGHTS = tuple(1 / (place + 5) for place in range(LISTED))
EXAMINED = 0.12 / np.arange(1, PLACES + 1) ** 0.7
APPEAL = np.random.default_rng(1).gamma(2.0, 0.5, ITEMS)


@dataclass(frozen=True)
class Taste:
    """A user's list, best first as far as the service knows, and how much each of it is liked."""

    listed: NDArray[np.int64]
    liked: NDArray[np.float64]


def taste(draw: np.random.Generator) -> Taste:
    own = draw.choice(ITEMS, LISTED, replace=False)
    liked = draw.gamma(2.0, 0.5, LISTED) * APPEAL[own]
    order = np.argsort(-np.sqrt(liked) * np.exp(0.3 * draw.normal(size=LISTED)))
    return Taste(own[order], liked[order])


def reordered(person: Taste) -> NDArray[np.int64]:
    """Other rules: a third of the items is pushed up."""
    ranks = np.arange(LISTED) * np.where(person.listed % 3 == 0, 0.5, 1.0)
    return np.argsort(ranks, kind="stable")


def chances(*, rotating: bool) -> NDArray[np.float64]:
    """Of the reordered list, by its ranks."""
    ids = [str(rank) for rank in range(LISTED)]
    found = propensities.sampled(ids, WEIGHTS, PLACES) if rotating else propensities.deterministic(ids, PLACES)
    return np.vstack([found.chances, np.zeros((LISTED - len(found.items), PLACES))])


def truth(*, rotating: bool, people: int = 40_000) -> float:
    """Clicks per page of the reordered lists, over so many users."""
    draw, chance = np.random.default_rng(99), chances(rotating=rotating)
    total = 0.0
    for _ in range(people):
        user = taste(draw)
        liked = user.liked[reordered(user)]
        total += float((np.minimum(1.0, np.outer(liked, EXAMINED)) * chance).sum())
    return total / people


def log(seed: int, *, rotating: bool, people: int) -> Log:
    """Show so many users a few pages each; return those with their clicks."""
    draw, pages = np.random.default_rng(seed), []
    for number in range(people):
        user = taste(draw)
        base = tuple(NAMES[item] for item in user.listed)
        logged = propensities.sampled(base, WEIGHTS, PLACES)
        others = tuple(base[rank] for rank in reordered(user))
        target = (
            propensities.sampled(others, WEIGHTS, PLACES) if rotating else propensities.deterministic(others, PLACES)
        )
        for _ in range(draw.geometric(0.4)):
            order = np.argsort(draw.exponential(size=LISTED) / WEIGHTS)[:PLACES]
            clicked = draw.random(PLACES) < np.minimum(1.0, user.liked[order] * EXAMINED)
            shown = tuple(base[rank] for rank in order)
            said = propensities.importance_weights(logged=logged, target=target, shown=shown)
            pages.append(LoggedPage(number, shown, clicked, said.weights, said.unsupported, base, target))
    return build_log(pages)
