"""Search for texts that mention an id, as a whole word."""

import re

from django.db.models import Q

# A shorter id, or a number, is most likely a coincidence: "row 1 of 12".
_TELLING = 4
_PLAIN = re.compile(r"[\w\s]", re.ASCII)


def mention_condition(external_id: str, *fields: str) -> Q:
    """Returns a condition: one of these text columns mentions the id.

    In quotation marks, or as the whole text; an unmistakable id also anywhere as a word.
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
