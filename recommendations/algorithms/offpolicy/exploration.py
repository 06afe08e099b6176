"""New items that come with a fixed probability at each place, else the next of the known ones: chances by place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Chances = tuple[NDArray[np.float64], NDArray[np.float64]]


@lru_cache(maxsize=256)
def chances(share: float, known: int, new: int, places: int) -> Chances:
    """The probability of each known item (row) at each place (column), and of any new item at each place.

    Where one kind has run out, the other fills the places. The results are shared: do not write them.
    """
    of_known, of_new = np.zeros((min(known, places), places)), np.zeros(places)
    # placed[s]: the probability that s new items stand before the place; the others before it are known.
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
