"""Options for reading a file, as far as the caller gives them. The content decides the rest."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import FieldError
from core.quoting import quoted
from recommendations.catalog.validators import FieldRefused

Form = Literal["csv", "ndjson", "json"]
MAX_DELIMITER = 4
# Encodings that can be decoded incrementally.
_ENCODINGS = frozenset(
    [
        *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "koi8-r", "koi8-u"),
        *(f"cp{number}" for number in (437, 850, 852, 858, 866, 874, 932, 949, *range(1250, 1259))),
        *(f"iso8859-{number}" for number in (*range(2, 11), *range(13, 17))),
        *("mac-roman", "tis-620", "shift_jis", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5"),
    ]
)
# As WHATWG has it: Latin-1 means Windows-1252. ASCII is valid UTF-8.
_ALIASES = {"iso8859-1": "cp1252", "ascii": "utf-8", "utf-8-sig": "utf-8"}
_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class UnreadableFile(Exception):
    """The file as a whole cannot be read. The message is storable."""

    def __init__(self, why: str) -> None:
        super().__init__(quoted(why, 1500))


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options for reading a file; None and () are detected from its content.

    Attributes:
        form: csv, ndjson (one object per line) or json (an array).
        delimiter: One or several characters between the cells of a table.
        columns: Names of the columns, for a table without a header.
        encoding: Python's name of the encoding.
        quote: The quotation mark around cells; "" for none.
        escape: The escape before a quotation mark within a quoted cell; "" if marks are doubled.
    """

    form: Form | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    quote: str = '"'
    escape: str = ""

    def as_json(self) -> dict[str, Any]:
        """The stored form: only options that are set."""
        options = {name: value for name, value in asdict(self).items() if value != getattr(AS_FOUND, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ReadOptions":
        """Reverses `as_json`."""
        return cls(**{**stored, "columns": tuple(stored.get("columns", ()))})


AS_FOUND = ReadOptions()


def parse_encoding(name: str, pointer: str = "/encoding") -> str:
    """Python's name of a supported encoding.

    Raises: FieldRefused.
    """
    try:
        codec = codecs.lookup(name.strip().strip("\"'")).name
    except (LookupError, ValueError):
        codec = ""
    codec = _ALIASES.get(codec, codec)
    if codec not in _ENCODINGS:
        detail = f"Unsupported encoding '{quoted(name)}'; use utf-8, utf-16, windows-1252 or another common one."
        raise FieldRefused(FieldError(pointer, "unknown_encoding", detail))
    return codec


def parse_delimiter(value: str, pointer: str = "/delimiter") -> str:
    """A delimiter, given as itself or by name (tab, comma, semicolon, pipe, space).

    Raises: FieldRefused.
    """
    literal = _DELIMITER_NAMES.get(value.lower(), value)
    if not literal or len(literal) > MAX_DELIMITER or not literal.isascii() or set(literal) & set('"\r\n\0'):
        detail = f"Must be 1 to {MAX_DELIMITER} ASCII characters, or one of {', '.join(sorted(_DELIMITER_NAMES))}."
        raise FieldRefused(FieldError(pointer, "bad_delimiter", detail))
    return literal


# A file with more columns is probably something else.
MAX_COLUMNS = 512


def parse_read_options(
    *,
    delimiter: str | None = None,
    columns: Sequence[str] = (),
    encoding: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
) -> ReadOptions:
    """Parses the options of the API and the command line; None and () are detected from the file.

    Raises: FieldRefused, with pointers named like the options of the API.
    """
    if len(columns) > MAX_COLUMNS or not all(columns):
        detail = f"Name 1 to {MAX_COLUMNS} columns, none of them empty."
        raise FieldRefused(FieldError("/columns", "bad_columns", detail))
    if repeated := next((name for name in columns if columns.count(name) > 1), None):
        raise FieldRefused(FieldError("/columns", "mapped_twice", f"Two columns are named '{quoted(repeated)}'."))
    return ReadOptions(
        delimiter=None if delimiter is None else parse_delimiter(delimiter),
        columns=tuple(columns),
        encoding=None if encoding is None else parse_encoding(encoding),
        quote=AS_FOUND.quote if quote is None else _character(quote, "/quote"),
        escape=AS_FOUND.escape if escape is None else _character(escape, "/escape"),
    )


def _character(value: str, pointer: str) -> str:
    """One character; "" for `none`."""
    if value == "none":
        return ""
    if len(value) != 1 or not value.isascii() or not value.isprintable() or value.isalnum() or value.isspace():
        raise FieldRefused(FieldError(pointer, "bad_sign", "Must be one printable ASCII character, or none."))
    return value
