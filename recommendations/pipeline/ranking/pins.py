"""Pins, in the end: whatever algorithms and AI made of a list, the pinned item stands where staff want it.

Pins without dates are put in when the list is made. Those with dates travel with the list, as does its rotation:
both depend on the moment of reading (recommendations.serving.page.selection). In a list that is drawn anew at reading,
all pins travel, or their items would be drawn along with the others.
"""

from collections.abc import Collection, Sequence
from typing import Any

from recommendations.cache.list_codec import Entry
from recommendations.explanations.templates import explain
from recommendations.list_kinds import PINNED
from recommendations.pipeline.lists.entries import Draft
from recommendations.placements.fallback_policy import FallbackPolicy, segment_subjects
from recommendations.placements.pinning import place_pins
from recommendations.placements.rules import PlacementRules


def pinned(entries: Sequence[Entry], rules: PlacementRules, shown: Collection[str], locale: str) -> tuple[Entry, ...]:
    """Return the list with its undated pins, as far as their items are available."""
    reason = explain(part=PINNED.key, locale=locale)
    pins = [(pin.position, pin.item_id, reason) for pin in rules.pins if not pin.dated and pin.item_id in shown]
    placed = place_pins(
        entries,
        pins,
        item_id_of=lambda entry: entry.item_id,
        create=lambda item_id, reason: Entry(item_id, 0.0, reason, (), PINNED.key),
    )
    return tuple(placed[: max(len(entries), len(pins))])


def travelling(draft: Draft, rules: PlacementRules, shown: Collection[str], locale: str) -> dict[str, Any]:
    """What goes with a list: what its reader has to do or, for an empty one, what stands in for it."""
    if draft.entries:
        return for_reading(rules, shown, locale)
    person = draft.person
    own = segment_subjects(rules.segment_by, segments=person.segments, attributes=person.attributes)
    return FallbackPolicy(rules.fallback, own, tuple(sorted(rules.hide))).to_stored()


def for_reading(rules: PlacementRules, shown: Collection[str], locale: str) -> dict[str, Any]:
    """What the reader of the list has to do; nothing for most lists."""
    found: dict[str, Any] = {}
    said = explain(part=PINNED.key, locale=locale)
    dated = [
        [
            pin.item_id,
            pin.position,
            pin.valid_from.timestamp() if pin.valid_from else None,
            pin.valid_until.timestamp() if pin.valid_until else None,
            said,
        ]
        for pin in rules.pins
        if (pin.dated or rules.rotate_minutes) and pin.item_id in shown
    ]
    if dated:
        found["pins"] = dated
    if rules.rotate_minutes:
        found["rotate"] = rules.rotate_minutes * 60
    return found
