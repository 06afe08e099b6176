"""Something new among what is popular, for people of whom nothing is known: drawn, with chances that are known.

At each place a new item comes with the probability that the rules say, else the next known one. Which, is drawn by a
hash of person and day, so that builds, near line and previews of one day draw the same. What was drawn travels with the
list, since clicks on it can then be weighed by its probability (recommendations.estimation).
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date

from recommendations.cache.list_codec import CERTAIN, HEAD, Chance, Entry, Exploration
from recommendations.list_kinds import FOR_YOU
from recommendations.placements.rules import PlacementRules

_UNIT = float(2**64)


def told(rules: PlacementRules) -> bool:
    """Tell whether a list keeps the places that were drawn; other rules move items by probabilities nobody knows."""
    moving = rules.boosts or rules.pins or rules.diversity or rules.caps or rules.fresh
    return not moving and [kind.kind for kind in rules.kinds] == [FOR_YOU.key]


def draw(
    *, known: Sequence[Entry], new: Sequence[Entry], share: float, user_id: str, day: date
) -> tuple[list[Entry], Chance]:
    """The list, and what was drawn; `new` are none of the first HEAD of the known."""
    if not share or not new:
        return [*known, *new], CERTAIN
    seed = f"{user_id}:{day.isoformat()}"
    turned = int(_uniform(f"{seed}:turn") * len(new))
    waiting: Iterator[Entry] = iter([*new[turned:], *new[:turned]])
    left: Iterator[Entry] = iter(known)
    found: list[Entry] = []
    drawn: list[int] = []
    upcoming = next(left, None)
    while upcoming is not None:
        place = len(found)
        if _uniform(f"{seed}:{place}") < share and (other := next(waiting, None)) is not None:
            found.append(other)
            drawn.append(place)
        else:
            found.append(upcoming)
            upcoming = next(left, None)
    # Where everything known has been placed early, what fills the head is new as well.
    drawn += range(len(found), min(HEAD, len(found) + len(new) - len(drawn)))
    found += waiting
    head = tuple(place for place in drawn if place < HEAD)
    placed = HEAD - len(head)
    further = tuple(entry.item_id for entry in known[placed:HEAD])
    return found, Chance(exploration=Exploration(share, len(known), len(new), head, further))


def _uniform(seed: str) -> float:
    """A number from 0 to below 1, as good as random and always the same."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) / _UNIT
