"""Detection of encoding, format and delimiter from the start of a file. Its name is no evidence."""

import csv
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.quoting import quoted
from recommendations.imports.formats import file_signatures
from recommendations.imports.formats.decompression import GZIP
from recommendations.imports.formats.read_options import Form, ReadOptions, UnreadableFile

SAMPLE = 64 * 1024
DELIMITERS = (",", "\t", ";", "|", "::")
# Lines that are compared to find a delimiter that yields equally many cells.
_SAMPLE_LINES = 50
_MAX_CONTROLS_IN_TEXT = 3
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
# By the zeros among four bytes of mostly ASCII text.
_ZEROS = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SEPARATOR = re.compile(r'"?sep=(.{1,4}?)"?[\r\n]*\Z', re.IGNORECASE)
# An array of objects, or an empty one.
_ARRAY = re.compile(r"\[\s*(\{|\]|\Z)")
# A member of the outermost object that holds objects, after others with scalar values. Possessive: no backtracking.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN = rf'\s*+{_STRING}\s*+:\s*+(?:{_STRING}|[^\s"\[{{}},]++)\s*+,'
_WRAPPED = re.compile(rf'\{{(?:{_PLAIN})*+\s*+"([^"\\]{{1,100}})"\s*+:\s*+\[\s*+\{{')


@dataclass(frozen=True, slots=True)
class DetectedFormat:
    """The format of a file. `begins` is the line after a `sep=` line, or 1; `array` is set for a JSON array."""

    form: Form
    encoding: str
    delimiter: str = ","
    begins: int = 1
    array: bool = False


def detect_format(
    sample: bytes, options: ReadOptions, *, known: Collection[str], whole: bool, hint: Form | None
) -> DetectedFormat:
    """Detects the format of a file from its first bytes.

    Args:
        sample: The first bytes.
        options: What the caller says.
        known: Names that a header may contain.
        whole: The sample is the whole file.
        hint: The format by media type or file name.

    Raises:
        UnreadableFile: Says what the file is and what to do.
    """
    if sample.startswith(GZIP):
        raise UnreadableFile("The file is compressed with gzip twice. Decompress it once.")
    encoding = _encoding(sample, options.encoding)
    if not encoding.startswith(("utf-16", "utf-32")) and (problem := file_signatures.describe_bytes(sample)):
        raise UnreadableFile(problem)
    text = sample.decode(encoding, "replace").lstrip("\ufeff")
    if not whole:
        text = text.removesuffix("\ufffd")
    if problem := file_signatures.describe_text(text):
        raise UnreadableFile(problem)
    controls = _CONTROL.findall(text)
    # Damaged text contains zeros or one other control character; binary data contains all of them.
    if len(controls) * 20 > len(text) and len(set(controls)) > _MAX_CONTROLS_IN_TEXT:
        raise UnreadableFile("The file is binary, not text. Send CSV or NDJSON, plain or compressed with gzip.")
    claimed = options.form or hint
    form, array = _form(text, whole=whole, lines=claimed == "ndjson")
    if form is None:
        if claimed in (None, "csv"):
            raise UnreadableFile("The file is empty; its first line must name the columns.")
        return DetectedFormat("ndjson", encoding)
    if form != "csv":
        return DetectedFormat(form, encoding, array=array)
    return _table(text, encoding, options, known, whole=whole)


def _encoding(sample: bytes, given: str | None) -> str:
    """A byte order mark decides, then the given encoding, then the position of zeros."""
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if given and given not in ("utf-8", "utf-16", "utf-32"):
        return given
    head = sample[: min(len(sample), 64) // 4 * 4]
    zeros = tuple(bool(head) and head[place::4].count(0) * 2 > len(head) // 4 for place in range(4))
    by_zeros = _ZEROS.get(zeros)  # type: ignore[arg-type]  # four of them
    if by_zeros:
        return by_zeros
    return f"{given}-le" if given in ("utf-16", "utf-32") else "utf-8"


def _form(text: str, *, whole: bool, lines: bool) -> tuple[Form | None, bool]:
    """The format, and True for a JSON array; None for blank text.

    `lines` marks text that is claimed to be NDJSON; the claim decides if its first line exceeds the sample.
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
    """Rejects one object around all rows, naming the member that holds them."""
    match = _WRAPPED.match(text) if lines == 1 else None
    if match:
        name = quoted(match[1])
        raise UnreadableFile(
            f"The file is one JSON object with the rows in its member '{name}'. "
            f"Send that list, or one row per line: jq -c '.[\"{name}\"][]' FILE"
        )


def _table(text: str, encoding: str, options: ReadOptions, known: Collection[str], *, whole: bool) -> DetectedFormat:
    lines = text.splitlines()
    if not whole and len(lines) > 1:
        lines.pop()
    skipped = next((number for number, line in enumerate(lines) if line.strip("\ufeff \t")), 0)
    if separator := _SEPARATOR.match(lines[skipped]):
        named = {"\\t": "\t", "tab": "\t"}.get(separator[1].lower(), separator[1])
        return DetectedFormat("csv", encoding, options.delimiter or named, begins=skipped + 2)
    chosen = options.delimiter or _delimiter(lines[skipped : skipped + _SAMPLE_LINES], options, known)
    return DetectedFormat("csv", encoding, chosen, begins=1)


def _delimiter(lines: Sequence[str], options: ReadOptions, known: Collection[str]) -> str:
    """The delimiter that yields most known names in the header, then most rows with as many cells as the header."""

    def fits(delimiter: str) -> tuple[int, float, int]:
        rows = [split_cells(line, delimiter, options.quote) for line in lines if line.strip()]
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


def split_cells(line: str, delimiter: str, quote: str) -> list[str]:
    """The cells of a line, as far as it can be read on its own."""
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
