"""What a caller says of how a file is to be read. What is not said is found out from the file's content."""

import codecs
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import FieldError
from core.quoting import quoted
from recommendations.catalog.validators import FieldRefused

Form = Literal["csv", "ndjson", "json"]

MAX_DELIMITER = 4
# Text that may be decoded piece by piece. Names that browsers and spreadsheets use stand for what these mean by them.
_ENCODINGS = frozenset(
    [
        *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "koi8-r", "koi8-u"),
        *(f"cp{number}" for number in (437, 850, 852, 858, 866, 874, 932, 949, *range(1250, 1259))),
        *(f"iso8859-{number}" for number in (*range(2, 11), *range(13, 17))),
        *("mac-roman", "tis-620", "shift_jis", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5"),
    ]
)
# The WHATWG's reading: who says Latin-1 or ASCII means Windows-1252 where the two differ. ASCII is UTF-8 as well.
_MEANT = {"iso8859-1": "cp1252", "ascii": "utf-8", "utf-8-sig": "utf-8"}
_SPELLED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class UnreadableFile(Exception):
    """The file as a whole cannot be read; says why, in words that can be stored."""

    def __init__(self, why: str) -> None:
        super().__init__(quoted(why, 1500))


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is to be read.

    `form`: csv, ndjson (an object a line) or json (an array). `delimiter`: between a table's cells, of one or several
    characters. `columns`: their names, for a table without a header. `encoding`: Python's name of one. `quote`: around
    cells, "" for none. `escape`: before a quotation mark within a quoted cell, "" where it is doubled instead.
    None and () are found out from the content.
    """

    form: Form | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    quote: str = '"'
    escape: str = ""

    def as_json(self) -> dict[str, Any]:
        """For a job's row: only what is said."""
        said = {name: value for name, value in asdict(self).items() if value != getattr(AS_FOUND, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "ReadOptions":
        """What `as_json` gave."""
        return cls(**{**stored, "columns": tuple(stored.get("columns", ()))})


AS_FOUND = ReadOptions()


def encoding(name: str, pointer: str = "/encoding") -> str:
    """Python's name of an encoding that files may have.

    Raises: FieldRefused.
    """
    try:
        found = codecs.lookup(name.strip().strip("\"'")).name
    except (LookupError, ValueError):
        found = ""
    found = _MEANT.get(found, found)
    if found not in _ENCODINGS:
        detail = f"'{quoted(name)}' is none that is read; use utf-8, utf-16, windows-1252 or another common one."
        raise FieldRefused(FieldError(pointer, "unknown_encoding", detail))
    return found


def delimiter(value: str, pointer: str = "/delimiter") -> str:
    """A delimiter as a caller writes it: itself, or a word for it (tab, comma, semicolon, pipe, space).

    Raises: FieldRefused.
    """
    found = _SPELLED.get(value.lower(), value)
    if not found or len(found) > MAX_DELIMITER or not found.isascii() or set(found) & set('"\r\n\0'):
        detail = f"Must be 1 to {MAX_DELIMITER} ASCII characters, or one of {', '.join(sorted(_SPELLED))}."
        raise FieldRefused(FieldError(pointer, "bad_delimiter", detail))
    return found
