"""Generated files that are damaged, odd or made to do harm, with the rows that must survive them. A number, a file."""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

ENDS = ("\n", "\r\n", "\r", "\r\r\n")
DELIMITERS = (",", ";", "\t", "|", "::")
TEXTS = (
    "plain",
    "Ä ö",
    "日本語",
    "👩‍🚀",
    "O'Neill",
    "a & b",
    "100 %",
    "x" * 400,
    "",
    "..",
    "null",
    "=1+1",
    "\u2028",
    "%s",
    "{}",
)


@dataclass(frozen=True)
class Hostile:
    """A file: its bytes, what its sender says of it, the ids that must be stored; None where it must fail."""

    name: str
    content: bytes
    media_type: str
    survivors: list[str] | None


def make(number: int, prefix: str) -> Hostile:
    """The file of this number; ids begin with the prefix."""
    draw = random.Random(number)  # the same file for the same number
    ids = [f"{prefix}-{row}" for row in range(draw.randrange(1, 12))]
    maker = MAKERS[number % len(MAKERS)]
    content, media_type, survive = maker(draw, ids)
    suffix = draw.choice(
        [".csv", ".json", ".dat", ".tsv", ".ndjson", ".txt", ".data", "", ".csv.gz", ".\udcff", ".a\nb"]
    )
    return Hostile(f"{maker.__name__.strip('_')}{suffix}", content, media_type, ids if survive else None)


Made = tuple[bytes, str, bool]
ANY_TYPE = (
    "text/csv",
    "application/x-ndjson",
    "text/plain",
    "application/octet-stream",
    "application/vnd.ms-excel",
    "application/json",
)


def _table(draw: random.Random, ids: list[str], delimiter: str = ",") -> list[str]:
    def cell(text: str) -> str:
        unsafe = len(delimiter) == 1 and (delimiter in text or '"' in text)
        return '"' + text.replace('"', '""') + '"' if unsafe or (len(delimiter) == 1 and draw.random() < 0.2) else text

    def title() -> str:
        return draw.choice([text for text in TEXTS if delimiter not in text])

    return [delimiter.join(["item_id", "title"]), *(f"{cell(each)}{delimiter}{cell(title())}" for each in ids)]


def _objects(draw: random.Random, ids: list[str]) -> list[str]:
    return [
        json.dumps({"item_id": each, "title": draw.choice(TEXTS)}, ensure_ascii=draw.random() < 0.5) for each in ids
    ]


def _scattered(draw: random.Random, lines: list[str], bad: list[str], first: int) -> list[str]:
    found = list(lines)
    for each in bad:
        found.insert(draw.randrange(first, len(found) + 1), each)
    return found


def encodings(draw: random.Random, ids: list[str]) -> Made:
    """Every encoding that is recognised, with every end of lines."""
    form = draw.choice([_table, _objects])
    text = draw.choice(ENDS[:3]).join(form(draw, ids)) + "\n"
    encoding = draw.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
    return text.encode(encoding), draw.choice(ANY_TYPE), True


def charsets(draw: random.Random, ids: list[str]) -> Made:
    """Encodings that are said."""
    name = draw.choice(["iso-8859-1", "windows-1252", '"cp1252"', "ISO_8859-1"])
    text = "item_id,title\n" + "".join(f"{each},Ärger für {each}\n" for each in ids)
    return text.encode("cp1252"), f"text/csv; charset={name}", True


def delimiters(draw: random.Random, ids: list[str]) -> Made:
    """Every delimiter, with Excel's line, trailing ones, empty rows and repeated headers."""
    delimiter = draw.choice(DELIMITERS)
    lines = _table(draw, ids, delimiter)
    if draw.random() < 0.4:
        lines = [line + delimiter * 2 for line in lines]
    lines = _scattered(draw, lines, draw.sample([lines[0], "", delimiter * 3, "\ufeff" + lines[0]], 2), 1)
    if draw.random() < 0.3 and len(delimiter) == 1:
        lines.insert(0, f"sep={delimiter}")
    return draw.choice(ENDS).join([*lines, ""]).encode(), draw.choice(ANY_TYPE), True


def bad_cells(draw: random.Random, ids: list[str]) -> Made:
    """Rows of a table that cannot be taken, between others that can."""
    bad = [
        "\0",
        "a\0b,x",
        "bad id,\x01\x02",
        ",,,,,,x",
        '"lone,x',
        'lone,"x',
        '"a"b,c',
        "x" * 1_100_000,
        "\ufffe,\uffff",
        "é" * 200 + ",x",
    ]
    lines = _scattered(draw, [line.replace('"', "") for line in _table(draw, ids)], draw.sample(bad, 3), 1)
    raw = draw.choice(ENDS[:2]).join([*lines, ""]).encode()
    return raw + draw.choice([b"", b"\xff\xfe,x\n", b"\xc3\n", b"\0" * 100, b"\xed\xa0\x80,x\n"]), "text/csv", True


def bad_objects(draw: random.Random, ids: list[str]) -> Made:
    """Rows of NDJSON that cannot be taken, between others that can."""
    bad = [
        '{"item_id":"b","a\\u0000b":1}',
        '{"item_id":"\\ud800"}',
        '{"item_id":"b","\\ud800":1}',
        "[" * 5000,
        "{",
        "}",
        "7",
        '"',
        "null",
        '{"item_id":' + "9" * 5000 + "}",
        '{"item_id":"b","title":"\\u0000"}',
        '{"item_id":"b","attributes":{"a":NaN}}',
        '{"x":' * 2000,
        "[]",
        '{"item_id":"b","title":"' + "x" * 1_100_000 + '"}',
        "\0",
        '{"item_id":"b","attributes":{"a\\u0000":"b"}}',
        '{"item_id":{"a":1e400}}',
        '{"item_id":"b","' + "k" * 3000 + '\\u0000":1}',
    ]
    lines = _scattered(draw, _objects(draw, ids), draw.sample(bad, 4), 0)
    raw = draw.choice(ENDS[:3]).join(lines).encode("utf-8", "surrogatepass")
    return raw, draw.choice(["application/x-ndjson", "application/jsonl"]), True


def documents(draw: random.Random, ids: list[str]) -> Made:
    """JSON as an array, in one line or many, or objects over several lines."""
    values = [
        {"item_id": each, "title": draw.choice([*TEXTS, '"}],[{', "\\"]), "attributes": {"a": ["x"]}} for each in ids
    ]
    indent = draw.choice([None, 0, 1, 4])
    if draw.random() < 0.3:
        return (
            "\n".join(json.dumps(value, indent=indent or 2) for value in values).encode(),
            draw.choice(ANY_TYPE),
            True,
        )
    raw = json.dumps(values, indent=indent, ensure_ascii=draw.random() < 0.5).encode()
    return draw.choice([b"", b"\xef\xbb\xbf", b" \n"]) + raw, draw.choice(ANY_TYPE), True


def packed(draw: random.Random, ids: list[str]) -> Made:
    """gzip in one part, in a part a row with a header each, with padding, and with a name."""
    header, *lines = _table(draw, ids)
    parts = draw.choice([[[header, *lines]], [[header, line] for line in lines]])
    raw = b"".join(gzip.compress(("\n".join(part) + "\n").encode()) for part in parts)
    return (
        raw + draw.choice([b"", b"\0" * 1000, gzip.compress(b"") * 20]),
        draw.choice(["text/csv", "application/gzip"]),
        True,
    )


def broken_packing(draw: random.Random, ids: list[str]) -> Made:
    """gzip that is cut, damaged, nested, out of proportion or endless."""
    raw = gzip.compress("\n".join(_table(draw, ids)).encode() + b"\n")
    broken = [
        raw[: draw.randrange(3, len(raw) - 8)],
        raw[:-4],
        raw[:-8] + b"\0" * 8,
        gzip.compress(raw),
        raw[:10] + b"\xff" * 50,
        gzip.compress(b"item_id\n" + b"\n" * 3_000_000 + b"x"),
        gzip.compress(b"x" * 5_000_000),
        gzip.compress(b"") * 3000,
        b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * 2_000_000,
        b"\x1f\x8b",
        gzip.compress(b"PK\x03\x04" + b"\0" * 90),
    ]
    return draw.choice(broken), "text/csv", False


def no_data(draw: random.Random, ids: list[str]) -> Made:
    """Files of other kinds, and nothing in a header that is known."""
    other = [
        draw.randbytes(5000),
        b"PK\x03\x04" + draw.randbytes(500),
        b"\x28\xb5\x2f\xfd" + draw.randbytes(90),
        b"<!DOCTYPE html><html></html>",
        b"PAR1" + draw.randbytes(400),
        b"\0" * 5000,
        b"item_id,item_id\na,b\n",
        b"a,b\n1,2\n",
        b",item_id\n0,a\n",
        b"title\nx\n",
        b"item_id,t\0itle\na,b\n",
        ("x," * 5000 + "\n").encode(),
        b"sep=;\n",
        b"sep=",
        b'"',
        b"{",
        b"[",
        b'{"item_id":',
        b'{"items":[{"item_id":"a"}]}',
        b"item_id\n" + (b"x" * 129 + b"\n") * 50,
        b"7\n8\n",
        b"%PDF-1.4",
        b"\x80\x04\x95" + b"\0" * 40,
    ]
    return draw.choice(other), draw.choice(ANY_TYPE), False


MAKERS: list[Callable[[random.Random, list[str]], Made]] = [
    encodings,
    charsets,
    delimiters,
    bad_cells,
    bad_objects,
    documents,
    packed,
    broken_packing,
    no_data,
    bad_cells,
]
