"""Pins, applied last: whatever algorithms and AI made of a list, staff's pinned items are at their positions.

Undated pins are inserted when the list is made. Dated ones travel with the list, as does its rotation: both depend on
the moment of the read (recommendations.serving.page.read_time_rules). In a rotating list all pins travel, or their
items would be shuffled along with the others.
"""

from collections.abc import Collection, Sequence
from typing import Any

from recommendations.cache.list_codec import Entry
from recommendations.explanations.templates import explain
from recommendations.list_kinds import PINNED
from recommendations.pipeline.lists.entries import Draft
from recommendations.placements.fallback_policy import FallbackPolicy, segment_subjects
from recommendations.placements.pin_positions import place_pins
from recommendations.placements.rules import PlacementRules


def apply_pins(
    entries: Sequence[Entry], rules: PlacementRules, available: Collection[str], locale: str
) -> tuple[Entry, ...]:
    """The list with its undated pins, as far as their items are available."""
    if not rules.pins:
        return tuple(entries)
    reason = explain(part=PINNED.key, locale=locale)
    pins = [(pin.position, pin.item_id, reason) for pin in rules.pins if not pin.dated and pin.item_id in available]
    placed = place_pins(
        entries,
        pins,
        item_id_of=lambda entry: entry.item_id,
        create=lambda item_id, reason: Entry(item_id, 0.0, reason, (), PINNED.key),
    )
    return tuple(placed[: max(len(entries), len(pins))])


def reader_rules(draft: Draft, rules: PlacementRules, available: Collection[str], locale: str) -> dict[str, Any]:
    """PlacementRules that travel with a list: those applied at read time or, for an empty list, its fallback."""
    if draft.entries:
        return read_time_rules(rules, available, locale)
    user = draft.user
    subjects = segment_subjects(rules.segment_by, segments=user.segments, attributes=user.attributes)
    return FallbackPolicy(rules.fallback, subjects, tuple(sorted(rules.hide))).to_stored()


def read_time_rules(rules: PlacementRules, available: Collection[str], locale: str) -> dict[str, Any]:
    """Dated pins and the rotation; empty for most lists."""
    if not rules.pins and not rules.rotate_minutes:
        return {}
    found: dict[str, Any] = {}
    reason = explain(part=PINNED.key, locale=locale)
    dated = [
        [
            pin.item_id,
            pin.position,
            pin.valid_from.timestamp() if pin.valid_from else None,
            pin.valid_until.timestamp() if pin.valid_until else None,
            reason,
        ]
        for pin in rules.pins
        if (pin.dated or rules.rotate_minutes) and pin.item_id in available
    ]
    if dated:
        found["pins"] = dated
    if rules.rotate_minutes:
        found["rotate"] = rules.rotate_minutes * 60
    return found
