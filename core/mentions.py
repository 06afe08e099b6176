"""Texts that mention an id: as a whole, not as a part of something else."""

import re

from django.db.models import Q

# Below that, and for numbers, a text that holds the id is most likely about something else: "row 1 of 12".
_TELLING = 4
_PLAIN = re.compile(r"[\w\s]", re.ASCII)


def of(external_id: str, *fields: str) -> Q:
    """A condition on these text columns: one of them mentions the id.

    In quotation marks, or as the whole text; one that could hardly be another word, also wherever it stands on its own.
    """
    found = Q()
    for field in fields:
        found |= Q(**{field: external_id}) | Q(**{f"{field}__regex": _pattern(external_id)})
    return found


def _pattern(external_id: str) -> str:
    """For PostgreSQL's regular expressions."""
    literal = "".join(each if _PLAIN.match(each) or not each.isascii() else f"\\{each}" for each in external_id)
    quoted = f"[\"'`«“‘„]{literal}[\"'`»”’]"
    if len(external_id) < _TELLING or external_id.isdecimal():
        return quoted
    return f"{quoted}|(^|[^[:alnum:]_]){literal}([^[:alnum:]_]|$)"
