"""What of a placement's rules depends on the moment of reading: rotation, and pins with dates. The list brings both."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

Entry = dict[str, Any]
# What the first places of a rotating list are drawn from; what follows keeps its order.
ROTATED = 60


def arranged(entries: list[Entry], reading: Mapping[str, Any], owner: str, moment: float, *, first: int) -> list[Entry]:
    """The list as it is at this moment (unix second); `first` items of it have been shown."""
    if seconds := reading.get("rotate"):
        entries = rotated(entries, f"{owner}:{int(moment // seconds)}")
    valid = pins_at(reading, moment)
    if not valid:
        return entries
    named = {item_id for _, item_id, _ in valid}
    held = {entry["item_id"]: entry for entry in entries if entry["item_id"] in named}
    left = [entry for entry in entries if entry["item_id"] not in named]
    for position, item_id, reason in sorted(valid):
        fresh = {"item_id": item_id, "rank": 0, "score": 0.0, "reason": reason, "evidence": [], "part": "pinned"}
        left.insert(max(0, position - 1 - first), held.get(item_id, fresh))
    return left


def rotation_weight(place: int) -> float:
    """The weight by which the item at this place of a rotating list (from 0) is drawn."""
    return 1.0 / (place + 5)


def pins_at(reading: Mapping[str, Any], moment: float) -> list[tuple[int, str, str]]:
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
