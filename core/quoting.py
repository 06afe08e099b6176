"""Quoting of untrusted text: always storable, always short, and never mistaken for our own.

Text derived from input (an error message, a file name, a remote service's answer) is as untrusted as the input
itself. PostgreSQL rejects U+0000 and lone surrogates; a line break forges log lines; direction marks reorder the text
around them.
"""

import re

DEFAULT_LIMIT = 100
_MORE = "..."
# C0 and C1 controls, line and paragraph separators, marks of direction and order, the BOM, halves of surrogate pairs.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# What a text of several lines may hold besides.
_UNSAFE_IN_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def quoted(value: object, limit: int = DEFAULT_LIMIT) -> str:
    """Returns the value's text in at most `limit` characters; unsafe characters are escaped, as `\\x00`.

    Applying it again changes nothing.
    """
    return _quoted(value, limit, _UNSAFE)


def quoted_lines(value: object, limit: int) -> str:
    """Returns the text like `quoted`, but keeps line ends and tabs."""
    return _quoted(value, limit, _UNSAFE_IN_LINES)


def _quoted(value: object, limit: int, unsafe: re.Pattern[str]) -> str:
    text = value if isinstance(value, str) else str(value)
    # Escaping only lengthens a text, so no more than this is needed.
    safe = unsafe.sub(_escaped, text[: limit + 1])
    return safe if len(safe) <= limit else safe[: max(0, limit - len(_MORE))] + _MORE[:limit]


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
