"""Makes catalogue texts harmless to quote: one line, no invisible characters, bounded length."""

import re
import unicodedata

ZERO_WIDTH_JOINERS = "\u200c\u200d"
"""Format characters that Persian, Indic scripts and emoji need; every other one is removed."""

_BLANKS = re.compile(r"\s+")


def clean_text(text: str, *, limit: int) -> str:
    """Return `text` as one line of at most `limit` characters.

    Control, format (bidi overrides, tag characters), private and unassigned characters are removed; blanks of any
    kind become one space; what is cut off is marked by an ellipsis.
    """
    # Cut first: a description of megabytes must not cost time. The factor leaves room for what is removed.
    bounded = unicodedata.normalize("NFC", text[: limit * 4])
    visible = "".join(" " if each.isspace() else each for each in bounded if _visible(each))
    line = _BLANKS.sub(" ", visible).strip(" " + ZERO_WIDTH_JOINERS)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def fold(text: str) -> str:
    """Return `text` as it reads: compatibility forms, case, accents and invisible characters evened out."""
    decomposed = unicodedata.normalize("NFKD", text)
    kept = (each for each in decomposed if unicodedata.category(each)[0] not in "CM" or each.isspace())
    return _BLANKS.sub(" ", "".join(kept).casefold()).strip()


def _visible(character: str) -> bool:
    if character.isspace() or character in ZERO_WIDTH_JOINERS:
        return True
    return not unicodedata.category(character).startswith("C")
