"""Fallback policies: the lists that may replace one that a user does not have, and the segments that the user is in.

A segment is a text of the user: one of `segments`, or of the attribute that the rule `segment_by` names (a text or a
list of texts). Its list is stored under a subject that names both, such as `attributes.country=de`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recommendations.list_kinds import FOR_YOU, KINDS, SEGMENT
from recommendations.placements.rules import SEGMENTS

# The longest subject of a list; a segment with a longer one has no list.
MAX_SUBJECT = 128
# Only this many of a user's segments are looked at.
MAX_SEGMENTS = 20
# A list of the build: the key of its kind, and its subject.
Reference = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FallbackPolicy:
    """The replacement of a missing list: the first kind in the order that has items.

    Attributes:
        order: Keys of kinds of lists, best first.
        segments: Subjects of the lists of the user's segments, best first.
        hide: Item ids that are never shown.
        filter: Condition that replacing items meet, as it was written; empty for none.
    """

    order: tuple[str, ...] = FOR_YOU.fallback
    segments: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    filter: str = ""

    @classmethod
    def from_rules(cls, rules: Mapping[str, Any], segments: Sequence[str]) -> "FallbackPolicy":
        """Read the policy from a version's stored rules, which have been checked."""
        return cls(
            tuple(rules.get("fallback", FOR_YOU.fallback)),
            tuple(segments),
            tuple(rules.get("hide") or ()),
            rules.get("filter") or "",
        )

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "FallbackPolicy":
        """Read the policy that `to_stored` wrote into an empty list; the default for a list without one."""
        return cls.from_rules(stored, stored.get("segments") or ())

    def to_stored(self) -> dict[str, Any]:
        """Return the policy as JSON that is stored with an empty list."""
        stored: dict[str, Any] = {"fallback": list(self.order)}
        if self.segments and SEGMENT.key in self.order:
            stored["segments"] = list(self.segments)
        if self.hide:
            stored["hide"] = list(self.hide)
        if self.filter:
            stored["filter"] = self.filter
        return stored

    def references_of(self, key: str) -> list[Reference]:
        """Return the lists of the build that one kind of the order stands for; none for pinned and newest items."""
        kind = KINDS[key]
        if not kind.stored:
            return []
        return [(key, subject) for subject in (self.segments if kind is SEGMENT else (kind.subject,))]

    def references(self) -> list[Reference]:
        """Return all lists of the build that may replace the missing one, best first."""
        return [reference for key in self.order for reference in self.references_of(key)]


def segment_subject(by: str, segment: str) -> str | None:
    """Return the subject of a segment's list; None if the segment cannot have one."""
    subject = f"{by}={segment}"
    return subject if segment and len(subject) <= MAX_SUBJECT else None


def segment_subjects(by: str, *, segments: Sequence[str], attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the subjects of the lists of a user's segments, in the order of the segments."""
    values: Any = segments if by == SEGMENTS else attributes.get(by.removeprefix("attributes."))
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, (list, tuple)):
        return ()
    named = (segment_subject(by, value) for value in values[:MAX_SEGMENTS] if isinstance(value, str))
    return tuple(subject for subject in named if subject is not None)
