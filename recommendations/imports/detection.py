"""What a file is, found out from how its content begins: encoding, form, delimiter. Its name is no evidence."""

import csv
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.quoting import quoted
from recommendations.imports import file_signatures
from recommendations.imports.gzip_stream import GZIP
from recommendations.imports.read_options import Form, ReadOptions, UnreadableFile

SAMPLE = 64 * 1024
DELIMITERS = (",", "\t", ";", "|", "::")
# So many lines show whether a delimiter cuts them into equally many cells.
_LINES = 50
_KINDS_IN_TEXT = 3
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
# By which of four bytes are zero in text that is mostly ASCII.
_ZEROS = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SEPARATOR = re.compile(r'"?sep=(.{1,4}?)"?[\r\n]*\Z', re.IGNORECASE)
# An array of objects, or of none.
_ARRAY = re.compile(r"\[\s*(\{|\]|\Z)")
# A member of the outermost object that holds objects, behind others with plain values. Nothing is tried twice.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN = rf'\s*+{_STRING}\s*+:\s*+(?:{_STRING}|[^\s"\[{{}},]++)\s*+,'
_WRAPPED = re.compile(rf'\{{(?:{_PLAIN})*+\s*+"([^"\\]{{1,100}})"\s*+:\s*+\[\s*+\{{')


@dataclass(frozen=True, slots=True)
class Found:
    """How the file is to be read. `begins` is the line behind a `sep=` line, or 1; `array` of an array of JSON."""

    form: Form
    encoding: str
    delimiter: str = ","
    begins: int = 1
    array: bool = False


def detect(sample: bytes, options: ReadOptions, *, known: Collection[str], whole: bool, hint: Form | None) -> Found:
    """How a file is to be read that begins so. `known` are names that a header may hold; `whole`: nothing follows.

    Raises: UnreadableFile, which says what the file is and what to do.
    """
    if sample.startswith(GZIP):
        raise UnreadableFile("The file was packed with gzip twice. Unpack it once.")
    encoding = _encoding(sample, options.encoding)
    if not encoding.startswith(("utf-16", "utf-32")) and (said := file_signatures.of_bytes(sample)):
        raise UnreadableFile(said)
    text = sample.decode(encoding, "replace").lstrip("\ufeff")
    if not whole:
        text = text.removesuffix("\ufffd")
    if said := file_signatures.of_text(text):
        raise UnreadableFile(said)
    controls = _CONTROL.findall(text)
    # Damaged text has zeros in it, or one other sign; binary data have all of them.
    if len(controls) * 20 > len(text) and len(set(controls)) > _KINDS_IN_TEXT:
        raise UnreadableFile("The file is binary, not text. Send CSV or NDJSON, plain or packed with gzip.")
    said_to_be = options.form or hint
    form, array = _form(text, whole=whole, lines=said_to_be == "ndjson")
    if form is None:
        if said_to_be in (None, "csv"):
            raise UnreadableFile("The file is empty; its first line must name the columns.")
        return Found("ndjson", encoding)
    if form != "csv":
        return Found(form, encoding, array=array)
    return _table(text, encoding, options, known, whole=whole)


def _encoding(sample: bytes, said: str | None) -> str:
    """A byte order mark decides, then what was said, then where the zeros are."""
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if said and said not in ("utf-8", "utf-16", "utf-32"):
        return said
    head = sample[: min(len(sample), 64) // 4 * 4]
    zeros = tuple(bool(head) and head[place::4].count(0) * 2 > len(head) // 4 for place in range(4))
    found = _ZEROS.get(zeros)  # type: ignore[arg-type]  # four of them
    if found:
        return found
    return f"{said}-le" if said in ("utf-16", "utf-32") else "utf-8"


def _form(text: str, *, whole: bool, lines: bool) -> tuple[Form | None, bool]:
    """The form, and whether JSON is an array; None where there is nothing but blank lines.

    `lines`: it is said to be NDJSON, and so it is where its first line is too long to be looked at.
    """
    begins = text.lstrip("\ufeff \t\r\n")
    if not begins:
        return None, False
    first, *others = [line for line in begins.splitlines() if line.strip()]
    cut = not whole and not others
    if begins[0] not in "{[":
        objects = any(line.startswith("{") and _complete(line) for line in others)
        return ("ndjson" if objects or (lines and cut) else "csv"), False
    alone = _complete(first)
    if begins[0] == "[":
        if not _ARRAY.match(begins):
            return "ndjson", False
        return "json", True
    if (
        alone
        or cut
        or (others and others[0].startswith("{"))
        or any(_complete(line) for line in others if line.startswith("{"))
    ):
        _refuse_wrapped(begins, alone=alone, lines=len(others) + 1)
        return "ndjson", False
    _refuse_wrapped(begins, alone=False, lines=1)
    return "json", False


def _complete(line: str) -> bool:
    try:
        return isinstance(json.loads(line.strip("\ufeff \t\r\n")), (dict, list))
    except (ValueError, RecursionError):
        return False


def _refuse_wrapped(text: str, *, alone: bool, lines: int) -> None:
    """One object around all rows: which of its members are they?"""
    found = _WRAPPED.match(text) if lines == 1 else None
    if found:
        name = quoted(found[1])
        raise UnreadableFile(
            f"The file is one JSON object with the rows in its member '{name}'. "
            f"Send that list, or a row a line: jq -c '.[\"{name}\"][]' FILE"
        )


def _table(text: str, encoding: str, options: ReadOptions, known: Collection[str], *, whole: bool) -> Found:
    lines = text.splitlines()
    if not whole and len(lines) > 1:
        lines.pop()
    skipped = next((number for number, line in enumerate(lines) if line.strip("\ufeff \t")), 0)
    if separator := _SEPARATOR.match(lines[skipped]):
        said = {"\\t": "\t", "tab": "\t"}.get(separator[1].lower(), separator[1])
        return Found("csv", encoding, options.delimiter or said, begins=skipped + 2)
    chosen = options.delimiter or _delimiter(lines[skipped : skipped + _LINES], options, known)
    return Found("csv", encoding, chosen, begins=1)


def _delimiter(lines: Sequence[str], options: ReadOptions, known: Collection[str]) -> str:
    """The delimiter that cuts the header into most known names, and then as many rows as it can into as many cells."""

    def fits(delimiter: str) -> tuple[int, float, int]:
        rows = [cells(line, delimiter, options.quote) for line in lines if line.strip()]
        header = [name.strip() for name in rows[0]]
        width = len(options.columns) or len(header)
        if width < 2:
            return 0, 0.0, 1
        named = (
            0
            if options.columns
            else len(known & set(header) if isinstance(known, frozenset) else set(known) & set(header))
        )
        same = sum(len(row) == width for row in rows) / len(rows)
        return named if named > 1 else 0, same, width

    return max(DELIMITERS, key=lambda delimiter: (fits(delimiter), -DELIMITERS.index(delimiter)))


def cells(line: str, delimiter: str, quote: str) -> list[str]:
    """A line's cells, as far as it can be read by itself."""
    if len(delimiter) > 1:
        return line.split(delimiter)
    try:
        return next(
            csv.reader(
                [line],
                delimiter=delimiter,
                quotechar=quote or None,
                quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            )
        )
    except (csv.Error, StopIteration):
        return line.split(delimiter)
