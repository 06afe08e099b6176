"""How a caller says, in texts, how a file is to be read: the options of the API and of the command line."""

from collections.abc import Sequence

from core.errors import FieldError
from core.quoting import quoted
from recommendations.catalog.validators import FieldRefused
from recommendations.imports import read_options
from recommendations.imports.header import MAX_COLUMNS
from recommendations.imports.read_options import AS_FOUND, ReadOptions


def read(
    *,
    delimiter: str | None = None,
    columns: Sequence[str] = (),
    encoding: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
) -> ReadOptions:
    """What was said; None and nothing are found out from the file.

    Raises: FieldRefused, with pointers named as the options of the API.
    """
    if len(columns) > MAX_COLUMNS or not all(columns):
        detail = f"Name 1 to {MAX_COLUMNS} columns, none of them empty."
        raise FieldRefused(FieldError("/columns", "bad_columns", detail))
    if twice := next((name for name in columns if columns.count(name) > 1), None):
        raise FieldRefused(FieldError("/columns", "mapped_twice", f"Two columns are called '{quoted(twice)}'."))
    return ReadOptions(
        delimiter=None if delimiter is None else read_options.delimiter(delimiter),
        columns=tuple(columns),
        encoding=None if encoding is None else read_options.encoding(encoding),
        quote=AS_FOUND.quote if quote is None else _sign(quote, "/quote"),
        escape=AS_FOUND.escape if escape is None else _sign(escape, "/escape"),
    )


def _sign(value: str, pointer: str) -> str:
    """One character, or `none`."""
    if value == "none":
        return ""
    if len(value) != 1 or not value.isascii() or not value.isprintable() or value.isalnum() or value.isspace():
        raise FieldRefused(FieldError(pointer, "bad_sign", "Must be one printable sign of ASCII, or none."))
    return value
