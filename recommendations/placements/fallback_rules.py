"""What stands in for a list that somebody does not have: in which order, and of which segments somebody is.

A segment is a text that the person has: one of `segments`, or of the attribute that the rule `segment_by` names (a text
or a list of texts). Its list is known by a subject that names both, such as `attributes.country=de`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from recommendations.list_kinds import FOR_YOU, SEGMENT
from recommendations.placements.rules import SEGMENTS

# As long as the subject of a list may be; a segment with a longer one has no list.
MAX_SUBJECT = 128
# Of somebody's segments, the first so many are looked at.
MOST_SEGMENTS = 20


def subject_of(by: str, segment: str) -> str | None:
    """How the list of a segment is known; None for one that cannot have any."""
    subject = f"{by}={segment}"
    return subject if segment and len(subject) <= MAX_SUBJECT else None


def subjects(by: str, *, segments: Sequence[str], attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """The subjects of somebody's segments, in their order."""
    values: Any = segments if by == SEGMENTS else attributes.get(by.removeprefix("attributes."))
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, (list, tuple)):
        return ()
    named = (subject_of(by, value) for value in values[:MOST_SEGMENTS] if isinstance(value, str))
    return tuple(subject for subject in named if subject is not None)


def instead(rules: Mapping[str, Any], segments: Sequence[str]) -> dict[str, Any]:
    """What travels with an empty list: the order, the subjects of the person's segments, what is hidden, the filter.

    `rules` are those that were stored, so they have been checked.
    """
    found: dict[str, Any] = {"fallback": list(rules.get("fallback", FOR_YOU.fallback))}
    if segments and SEGMENT.key in found["fallback"]:
        found["segments"] = list(segments)
    if hidden := rules.get("hide"):
        found["hide"] = list(hidden)
    if wanted := rules.get("filter"):
        found["filter"] = wanted
    return found
