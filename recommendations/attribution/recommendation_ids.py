"""Recommendation ids. They name a list version and page, and say from where it came, so that an event that arrives
without its page (an explicit impression) can be counted all the same.

    r <24 hexadecimal digits> . <source's letter> <crc-32 of the placement's label, 8 digits> . <arm>

The digest makes it one page's; the rest is for counting, not a secret, and trusted as far as the event is.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_LETTER = {"ai": "a", "model": "m", "popular": "p", "static": "s"}
_SOURCE = {letter: source for source, letter in _LETTER.items()}
_FORM = re.compile(r"r[0-9a-f]{24}\.([amps])([0-9a-f]{8})\.([A-Za-z0-9_-]{0,16})\Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a page, read from its id. `label_of` finds the label for `placement_code`."""

    source: str
    placement_code: str
    arm: str


def make(identity: str, *, source: str, placement: str, arm: str) -> str:
    """The id of the page that `identity` describes."""
    digest = hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()
    return f"r{digest}.{_LETTER[source]}{_code(placement)}.{arm}"


def read(text: str) -> Origin | None:
    """Return the origin that an id names; None for a text that is not an id of this service."""
    found = _FORM.match(text)
    return Origin(_SOURCE[found[1]], found[2], found[3]) if found else None


def label(placement: str | None, reference: str) -> str:
    """Return the label under which a list is counted: its placement, or @kind for a list without one."""
    return placement or f"@{reference.partition(':')[0]}"


def label_of(code: str, known: Iterable[str]) -> str | None:
    """The label with this code among the known ones."""
    return next((name for name in known if _code(name) == code), None)


def _code(label: str) -> str:
    return f"{zlib.crc32(label.encode()):08x}"
