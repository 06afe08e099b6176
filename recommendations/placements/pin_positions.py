"""Puts pinned items at their positions in a list."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Entry = TypeVar("Entry")
# Position from 1, item id, and the reason of the item where the list does not hold it.
PlacedPin = tuple[int, str, str]


def place_pins(
    entries: Sequence[Entry],
    pins: Sequence[PlacedPin],
    *,
    item_id_of: Callable[[Entry], str],
    create: Callable[[str, str], Entry],
    skipped: int = 0,
) -> list[Entry]:
    """Return the entries with each pinned item at its position.

    Args:
        entries: The list, best first.
        pins: The pins, at most one for each position.
        item_id_of: Returns the item id of an entry.
        create: Makes the entry of an item that the list does not hold, from item id and reason.
        skipped: The number of entries before the first one that earlier pages showed.
    """
    pinned_ids = {item_id for _, item_id, _ in pins}
    present = {item_id_of(entry): entry for entry in entries if item_id_of(entry) in pinned_ids}
    placed = [entry for entry in entries if item_id_of(entry) not in pinned_ids]
    for position, item_id, reason in sorted(pins):
        placed.insert(max(0, position - 1 - skipped), present.get(item_id) or create(item_id, reason))
    return placed
