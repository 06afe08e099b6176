"""Pinned items at their positions."""

import pytest

from recommendations.placements.pin_positions import place_pins


@pytest.mark.parametrize(
    ("pins", "skipped", "expected"),
    [
        ([], 0, ["a", "b", "c"]),
        ([(1, "c", "")], 0, ["c", "a", "b"]),
        ([(2, "x", "new")], 0, ["a", "x:new", "b", "c"]),
        ([(3, "a", ""), (1, "x", "new")], 0, ["x:new", "b", "a", "c"]),
        ([(9, "a", "")], 0, ["b", "c", "a"]),
        ([(3, "c", "")], 2, ["c", "a", "b"]),
        ([(1, "c", "")], 2, ["c", "a", "b"]),
    ],
)
def test_it_puts_items_at_their_positions_when_the_list_holds_them_or_not(pins, skipped, expected):
    placed = place_pins(
        ["a", "b", "c"], pins, item_id_of=str, create=lambda item_id, reason: f"{item_id}:{reason}", skipped=skipped
    )

    assert placed == expected
