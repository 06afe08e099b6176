"""A file's content decides its format: the same rows in every encoding, or one message that gives the reason."""

import gzip
import json
from io import BytesIO

import pytest

from recommendations.imports.formats import csv_records, decompression, lines
from recommendations.imports.formats.files import ImportFile, UnreadableFile
from recommendations.imports.formats.read_options import AS_FOUND, ReadOptions, parse_delimiter, parse_encoding
from recommendations.imports.mapping.column_mapping import ColumnMapping
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import Import

PLAN = RowMapping(Import.Kind.ITEMS, ColumnMapping())
TABLE = "item_id,title\na,Ä\nb,B\n"
ROWS = [{"item_id": "a", "title": "Ä"}, {"item_id": "b", "title": "B"}]
JSON = [json.dumps(row, ensure_ascii=False) for row in ROWS]


def opened(content, options=AS_FOUND, hint=None):
    raw = content if isinstance(content, bytes) else content.encode()
    return ImportFile(
        BytesIO(raw), size=len(raw), known=PLAN.column_names, table=PLAN.table, options=options, hint=hint
    )


def rows(content, options=AS_FOUND, hint=None):
    return [line.row or line.errors[0].code for line in opened(content, options, hint)]


def refusal(content, options=AS_FOUND):
    with pytest.raises(UnreadableFile) as refused:
        list(opened(content, options))
    return str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", "|"),
        TABLE.replace(",", "::"),
        "sep=;\r\n" + TABLE.replace(",", ";"),
        '"sep=;"\n' + TABLE.replace(",", ";"),
        "\n\n" + TABLE,
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        "item_id,title\ra,Ä\nb,B\r\n",
        TABLE.encode("utf-16"),
        TABLE.encode("utf-16-le"),
        TABLE.encode("utf-16-be"),
        TABLE.encode("utf-32"),
        TABLE.encode("utf-32-be"),
        TABLE.replace("\n", ",\n"),
        "item_id,title,,\na,Ä,,\nb,B,,\n,,,\n",
        TABLE + "item_id,title\n",
        "item_id,title\na,Ä\n\ufeffItem_ID, title\nb,B\n",
        gzip.compress(b"item_id,title\na,\xc3\x84\n", mtime=0)
        + gzip.compress(b"\xef\xbb\xbfitem_id,title\nb,B\n", mtime=0)
        + b"\0" * 600,
        "\n".join(JSON),
        "\ufeff" + "\r\n".join(JSON),
        f"[{','.join(JSON)}]",
        "[\n" + ",\n".join(JSON) + "\n]\n",
        json.dumps(ROWS, indent=2),
        f"[{JSON[0]}]\n[{JSON[1]}]",
        "\n".join(json.dumps(row, indent=4) for row in ROWS),
        json.dumps(ROWS, indent=1).encode("utf-16"),
    ],
)
def test_the_same_rows_are_read_however_they_are_written(content):
    assert rows(content) == ROWS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + b"\0" * 60, "a ZIP archive. Extract it"),
        (b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml", "an Excel workbook"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 90, "compressed with zstd"),
        (b"BZh91AY", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"x" * 257 + b"ustar\0", "a tar archive"),
        (gzip.compress(gzip.compress(TABLE.encode(), mtime=0), mtime=0), "compressed with gzip twice"),
        (gzip.compress(b"PK\x03\x04", mtime=0), "a ZIP archive"),
        ("<!DOCTYPE html>\n<html>", "an HTML page"),
        ('<?xml version="1.0"?><rss/>', "XML or HTML"),
        ("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ('--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + TABLE, "a form upload"),
        (bytes(range(256)) * 8, "binary, not text"),
        (json.dumps({"count": 2, "items": ROWS}), "jq -c '.[\"items\"][]'"),
        (json.dumps({"items": ROWS}, indent=2), "member 'items'"),
        ("", "empty"),
        (" \n\n", "empty"),
        (",item_id,title\n0,a,A\n", "Column 1 has no name"),
        ("item_id,item_id\n", "twice"),
        ("item_id,title\na,A\ntitle,item_id\nB,b\n", "Line 3 is a header with the columns in another order"),
        ("item_id,t\0tle\n", "t\\x00tle"),
        ('[{"item_id": "a"}, {"item_id": "b"', "truncated"),
        (gzip.compress(b"a" * 500, mtime=0)[:-9], "truncated"),
        (gzip.compress(TABLE.encode(), mtime=0) + b"<html>", "Other bytes follow"),
    ],
)
def test_one_message_says_what_it_is_instead(content, said):
    assert said in refusal(content)


class TestWhatIsSaid:
    def test_names_columns_of_a_file_without_a_header(self):
        found = rows("1::Heat, The::A|B\n2::Up::C\n", ReadOptions(columns=("item_id", "title", "categories")))

        assert [(row["item_id"], row["title"]) for row in found] == [("1", "Heat, The"), ("2", "Up")]

    def test_decodes(self):
        assert rows(TABLE.encode("cp1252"), ReadOptions(encoding=parse_encoding("ISO-8859-1"))) == ROWS
        assert rows(TABLE.encode("utf-16-be"), ReadOptions(encoding=parse_encoding("utf-16"))) == ROWS

    def test_escapes_quotation_marks(self):
        text = 'item_id,title\na,"say \\"hi\\", you"\n'

        assert rows(text, ReadOptions(escape="\\")) == [{"item_id": "a", "title": 'say "hi", you'}]
        (line,) = opened(text)
        assert "option escape" in line.errors[0].detail

    def test_takes_quotation_marks_as_they_are(self):
        assert rows('item_id,title\na,"x\nb,"\n', ReadOptions(quote=""))[0] == {"item_id": "a", "title": '"x'}

    @pytest.mark.parametrize(("said", "meant"), [("tab", "\t"), ("\\t", "\t"), ("::", "::"), ("Pipe", "|")])
    def test_names_delimiters(self, said, meant):
        assert parse_delimiter(said) == meant

    @pytest.mark.parametrize("said", ["", '"', "\n", "abcde", "é"])
    def test_is_refused_where_it_is_no_delimiter(self, said):
        with pytest.raises(Exception, match="ASCII characters"):
            parse_delimiter(said)

    @pytest.mark.parametrize("said", ["idna", "utf-7", "rot13", "base64", "x", "", "a\0b", "undefined"])
    def test_is_refused_where_it_is_no_encoding(self, said):
        with pytest.raises(Exception, match="Unsupported encoding"):
            parse_encoding(said)

    def test_survives_being_stored(self):
        options = ReadOptions(delimiter="::", columns=("a", "b"), escape="\\")

        assert ReadOptions.from_json(json.loads(json.dumps(options.as_json()))) == options


class TestDamage:
    def test_costs_the_row_it_is_in(self):
        raw = b"item_id,title\na,\xff\nb,B\n" + b"c,x\0y\nd,D\n" + b"\0" * 500

        assert rows(raw)[0] == "bad_encoding"
        assert [row for row in rows(raw) if isinstance(row, dict) and "\0" not in str(row)][:1] == [ROWS[1]]
        assert {"item_id": "d", "title": "D"} in rows(raw)

    def test_in_utf_16_costs_the_row_it_is_in(self):
        raw = "item_id,title\na,?\nb,B\n".encode("utf-16-le").replace(b"?\0", b"\x00\xd8") + b"x"

        assert rows(raw) == ["bad_encoding", ROWS[1], "bad_encoding"]

    def test_of_a_first_line_of_ndjson_costs_that_line(self):
        for first in ("garbage", '{"item_id":', "[1", "7", '"a"'):
            assert rows(f"{first}\n{JSON[1]}\n", hint="ndjson")[1:] == [ROWS[1]]

    def test_marks_without_end_cost_no_more_work_than_the_file_is_long(self, monkeypatch):
        """Each line opens a cell that no line closes: read again behind each, it would take hours."""
        monkeypatch.setattr(csv_records, "MAX_REREAD", 100_000)
        monkeypatch.setattr(lines, "MAX_LINE", 50_000)
        found = rows("item_id,title\n" + 'a","\n' * 60_000)

        assert set(found) == {"bad_csv", "line_too_long"} or set(found) == {"line_too_long"}

    def test_of_marks_in_tables_with_tabs_is_none(self):
        assert rows('item_id\ttitle\na\t"Weird Al" Y\nb\tB\n') == [{"item_id": "a", "title": '"Weird Al" Y'}, ROWS[1]]


class TestPacked:
    """gzip whose work is out of proportion to what was sent."""

    def test_of_a_high_ratio_is_refused_from_a_mebibyte_on(self):
        assert "200 times" in refusal(gzip.compress(b"item_id,title\na," + b"x" * 2_000_000, mtime=0))

    def test_with_too_many_rows_for_its_bytes_is_refused(self, monkeypatch):
        monkeypatch.setattr(decompression, "RATIO_FROM", 10**9)
        assert "5 lines per compressed byte" in refusal(gzip.compress(b"item_id\n" + b"a\n" * 500_000, mtime=0))

    def test_with_an_endless_header_is_refused(self):
        head = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"

        assert "bytes without content" in refusal(head + b"n" * 20_000_000)

    def test_with_empty_parts_only_is_refused(self):
        assert "consecutive gzip members are empty" in refusal(gzip.compress(b"", mtime=0) * 300_000)

    def test_in_many_small_parts_is_read(self):
        raw = b"".join(
            gzip.compress(part, mtime=0) for part in [b"item_id\n", *(f"i{n}\n".encode() for n in range(3000))]
        )

        assert len(rows(raw)) == 3000

    def test_tells_where_it_is_while_there_are_no_rows(self):
        file = opened("item_id\n" + "\n" * 50_000)

        assert list(file.rows()) == [None] * 5
