"""Rules of a placement that depend on the moment of reading: rotation, and pins with dates. The list holds both."""

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

from recommendations.list_kinds import PINNED
from recommendations.placements.pin_positions import PlacedPin, place_pins

Entry = dict[str, Any]
# Rotation reorders this many items; the rest keep their order.
ROTATED = 60


def arranged(
    entries: list[Entry],
    reading: Mapping[str, Any],
    owner: str,
    moment: float,
    *,
    first: int,
    may_follow: Callable[[str], bool],
) -> list[Entry]:
    """Return the list as it is at `moment` (Unix second); earlier pages showed `first` items.

    Items that may not follow leave before pins are placed: a position counts the items that are shown.
    """
    if seconds := reading.get("rotate"):
        entries = rotated(entries, f"{owner}:{int(moment // seconds)}")
    return place_pins(
        [entry for entry in entries if may_follow(entry["item_id"])],
        [pin for pin in pins_at(reading, moment) if may_follow(pin[1])],
        item_id_of=lambda entry: str(entry["item_id"]),
        create=_pinned_entry,
        skipped=first,
    )


def _pinned_entry(item_id: str, reason: str) -> Entry:
    return {"item_id": item_id, "rank": 0, "score": 0.0, "reason": reason, "evidence": [], "part": PINNED.key}


def rotation_weight(place: int) -> float:
    """The weight by which the item at this place of a rotating list (from 0) is drawn."""
    return 1.0 / (place + 5)


def pins_at(reading: Mapping[str, Any], moment: float) -> list[PlacedPin]:
    """The pins that are valid at a moment: position (from 1), item id and reason."""
    return [
        (position, item_id, reason)
        for item_id, position, since, until, reason in reading.get("pins", ())
        if (since is None or since <= moment) and (until is None or moment < until)
    ]


def rotated(entries: list[Entry], seed: str) -> list[Entry]:
    """The first places in an order drawn anew for each seed, in which better items tend to stand higher.

    Each item gets the key u ** (1 / w), largest first (Efraimidis and Spirakis, 2006): u is a hash of seed and item,
    as good as random and the same for every reader; w falls with the rank. So the order is one of the model of Plackett
    and Luce, in which the probability of each item at each place is known (recommendations.algorithms.offpolicy).
    """

    def key(place: int, entry: Entry) -> float:
        digest = hashlib.blake2b(f"{seed}:{entry['item_id']}".encode(), digest_size=8).digest()
        u = (int.from_bytes(digest) + 1) / 2**64
        return math.log(u) / rotation_weight(place)

    head = sorted(enumerate(entries[:ROTATED]), key=lambda each: -key(*each))
    return [*(entry for _, entry in head), *entries[ROTATED:]]
