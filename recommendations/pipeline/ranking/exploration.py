"""Exploration for cold-start users: new items mixed into popular ones, at random and with known probabilities.

At each position a new item comes with the probability that the rules set, otherwise the next known one. The draws are a
hash of user and day, so that builds, near line and previews of one day agree. The outcome travels with the list: clicks
on it can then be weighted by its probability (recommendations.estimation).
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date

from recommendations.cache.list_codec import CERTAIN, HEAD, Chance, Entry, Exploration
from recommendations.list_kinds import FOR_YOU
from recommendations.placements.rules import PlacementRules

_UNIT = float(2**64)


def keeps_positions(rules: PlacementRules) -> bool:
    """Tell whether a list keeps the drawn positions; other rules move items with unknown probabilities."""
    moving = rules.boosts or rules.pins or rules.diversity or rules.caps or rules.fresh
    return not moving and [kind.kind for kind in rules.kinds] == [FOR_YOU.key]


def draw(
    *, known: Sequence[Entry], new: Sequence[Entry], share: float, user_id: str, day: date
) -> tuple[list[Entry], Chance]:
    """Mixes `new` into `known`, and says with which chances; `new` has none of the first HEAD items of `known`."""
    if not share or not new:
        return [*known, *new], CERTAIN
    seed = f"{user_id}:{day.isoformat()}"
    start = int(_uniform(f"{seed}:turn") * len(new))
    new_entries: Iterator[Entry] = iter([*new[start:], *new[:start]])
    known_entries: Iterator[Entry] = iter(known)
    mixed: list[Entry] = []
    drawn: list[int] = []
    upcoming = next(known_entries, None)
    while upcoming is not None:
        position = len(mixed)
        if _uniform(f"{seed}:{position}") < share and (other := next(new_entries, None)) is not None:
            mixed.append(other)
            drawn.append(position)
        else:
            mixed.append(upcoming)
            upcoming = next(known_entries, None)
    # If the known items run out early, the rest of the head is new as well.
    drawn += range(len(mixed), min(HEAD, len(mixed) + len(new) - len(drawn)))
    mixed += new_entries
    head = tuple(position for position in drawn if position < HEAD)
    displaced = tuple(entry.item_id for entry in known[HEAD - len(head) : HEAD])
    return mixed, Chance(exploration=Exploration(share, len(known), len(new), head, displaced))


def _uniform(seed: str) -> float:
    """A pseudo-random number in [0, 1) that depends on the seed alone."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) / _UNIT
