"""Text of callers, as an explanation may quote it: always storable, always short, never able to pass for ours.

Whatever is stored or told about input (why a row or a file was refused, what a file is called, what a remote service
answered) is as little to be trusted as the input itself. PostgreSQL takes no U+0000 and no half of a surrogate pair; a
line break forges lines of logs; marks of writing direction turn what stands around them.
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
    """The value's text in at most `limit` characters; what cannot be stored or shown is escaped, as `\\x00`.

    Applied twice it changes nothing more, except that what was cut stays cut.
    """
    return _quoted(value, limit, _UNSAFE)


def quoted_lines(value: object, limit: int) -> str:
    """As `quoted`, of a text that may have several lines: line ends and tabs stay."""
    return _quoted(value, limit, _UNSAFE_IN_LINES)


def _quoted(value: object, limit: int, unsafe: re.Pattern[str]) -> str:
    text = value if isinstance(value, str) else str(value)
    # Whatever is escaped grows, so that no more than this can be needed.
    safe = unsafe.sub(_escaped, text[: limit + 1])
    return safe if len(safe) <= limit else safe[: max(0, limit - len(_MORE))] + _MORE[:limit]


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
