"""Recognises files that are neither tables nor JSON by their first bytes, and tells the sender what to do."""

_UNPACK = "Decompress it and send the file inside; gzip is the only supported compression."
_ARCHIVE = "Extract it and send each file separately (gzip is the only supported compression)."
_SAVE = "Save the sheet as CSV (UTF-8) and send that."

# First bytes; longer ones before shorter ones.
_BINARY: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive", _ARCHIVE),
    (b"PK\x05\x06", "an empty ZIP archive", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", f"{_UNPACK} For example: zstd -dc FILE | gzip > FILE.gz"),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with lz4", _UNPACK),
    (b"\x1f\x9d", "compressed with compress (.Z)", _UNPACK),
    (b"\x1f\xa0", "compressed with compress (.Z)", _UNPACK),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with snappy", _UNPACK),
    (b"LZIP", "compressed with lzip", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _ARCHIVE),
    (b"Rar!\x1a\x07", "a RAR archive", _ARCHIVE),
    (b"PAR1", "Parquet", "Write it as CSV or NDJSON, for example with DuckDB: COPY 'FILE' TO 'FILE.csv' (HEADER)"),
    (b"ORC", "ORC", "Write it as CSV or NDJSON."),
    (b"Obj\x01", "Avro", "Write it as NDJSON, for example: avro-tools tojson FILE"),
    (b"ARROW1", "Arrow or Feather", "Write it as CSV or NDJSON."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls) or another Office file", _SAVE),
    (b"SQLite format 3\x00", "an SQLite database", "Write the table as CSV: sqlite3 -header -csv FILE 'SELECT ...'"),
    (b"\x89HDF\r\n", "HDF5", "Write the table as CSV."),
    (b"\x93NUMPY", "a NumPy array", "Write it as CSV."),
    (b"PGDMP", "a dump of PostgreSQL", "Write the table as CSV: \\copy (SELECT ...) TO 'FILE.csv' CSV HEADER"),
    (b"%PDF", "a PDF", "Send the data as CSV or NDJSON."),
    (b"{\\rtf", "RTF", "Save the text as CSV (UTF-8)."),
    (b"\x89PNG", "a picture (PNG)", "Send the data as CSV or NDJSON."),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Send the data as CSV or NDJSON."),
    (b"GIF8", "a picture (GIF)", "Send the data as CSV or NDJSON."),
    (b"\x7fELF", "a program", "Send the data as CSV or NDJSON."),
    (b"\x80\x02", "a pickle of Python", "Write it as CSV or NDJSON."),
    (b"\x80\x03", "a pickle of Python", "Write it as CSV or NDJSON."),
    (b"\x80\x04", "a pickle of Python", "Write it as CSV or NDJSON."),
    (b"\x80\x05", "a pickle of Python", "Write it as CSV or NDJSON."),
)
# First characters in lower case, after white space.
_TEXT: tuple[tuple[str, str, str], ...] = (
    ("<!doctype html", "an HTML page", "It may be an error page or a login form instead of the file; open it."),
    ("<html", "an HTML page", "It may be an error page or a login form instead of the file; open it."),
    ("<", "XML or HTML", "Send the data as CSV or NDJSON."),
    ("version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch the file: git lfs pull"),
    ("-----begin pgp", "encrypted", "Decrypt it first."),
    ("-- postgresql database dump", "a dump of PostgreSQL", "Write the table as CSV."),
    ("-- mysql dump", "a dump of MySQL", "Write the table as CSV."),
    ("insert into ", "SQL", "Write the table as CSV."),
    ("create table ", "SQL", "Write the table as CSV."),
    ("@relation", "ARFF", "Write it as CSV."),
)
# A form upload: its boundary, then a header of a part.
_FORM = ("content-disposition:", "a form upload (multipart)", "Send the file itself as the body.")
_XLSX = (b"xl/", b"[Content_Types].xml")
_TAR = (257, b"ustar")


def describe_bytes(head: bytes) -> str | None:
    """Describes the file and what to do, by its first bytes; None if they may be text."""
    if head.startswith(b"PK\x03\x04") and any(name in head for name in _XLSX):
        return f"The file is an Excel workbook (.xlsx) or another Office file. {_SAVE}"
    if head[_TAR[0] :].startswith(_TAR[1]):
        return f"The file is a tar archive. {_ARCHIVE}"
    return next(
        (f"The file is {description}. {remedy}" for begin, description, remedy in _BINARY if head.startswith(begin)),
        None,
    )


def describe_text(text: str) -> str | None:
    """Describes the file and what to do, by its first characters; None if they may be data."""
    begins = text.lstrip("\ufeff \t\r\n\0")[:400].lower()
    if begins.startswith("--") and _FORM[0] in begins.partition("\n")[2][:60]:
        return f"The file is {_FORM[1]}. {_FORM[2]}"
    return next(
        (f"The file is {description}. {remedy}" for begin, description, remedy in _TEXT if begins.startswith(begin)),
        None,
    )
