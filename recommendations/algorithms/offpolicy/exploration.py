"""Exploration: at each position a new item with a fixed probability, else the next known one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Chances = tuple[NDArray[np.float64], NDArray[np.float64]]


@lru_cache(maxsize=256)
def chances(share: float, known: int, new: int, places: int) -> Chances:
    """Return the read-only probabilities of each known item (row) at each position (column), and of any new item there.

    Where one kind has run out, the other fills the positions.
    """
    of_known, of_new = np.zeros((min(known, places), places)), np.zeros(places)
    # placed[s]: the probability of s new items before the position; the others before it are known.
    placed = np.zeros(places + 1)
    placed[0] = 1.0
    for place in range(min(places, known + new)):
        after = np.zeros(places + 1)
        for fresh in range(place + 1):
            if not placed[fresh]:
                continue
            item = place - fresh
            chance = 1.0 if item >= known else share if fresh < new else 0.0
            of_new[place] += placed[fresh] * chance
            after[fresh + 1] += placed[fresh] * chance
            if item < known:
                of_known[item, place] += placed[fresh] * (1 - chance)
                after[fresh] += placed[fresh] * (1 - chance)
        placed = after
    of_known.flags.writeable = of_new.flags.writeable = False
    return of_known, of_new
