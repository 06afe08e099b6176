"""Import files: rows in their order, damage told by line, nothing else lost."""

import gzip
import json
import random
import tracemalloc

import pytest

from recommendations.imports.formats import decompression, lines
from recommendations.imports.formats.files import ImportFile, UnreadableFile
from recommendations.imports.formats.rows import Line

COLUMNS = ("item_id", "title", "categories", "attributes", "hidden", "value", "occurred_at")


def _table(names):
    """Rows as they stand in the file, without empty cells."""
    return lambda record: Line(
        record.number, {name: cell for name, cell in zip(names, record.cells, strict=True) if cell}
    )


def _open(path):
    return ImportFile.open(path, known=COLUMNS, table=_table)


def _read(path):
    with _open(path) as file:
        return list(file)


def _write(tmp_path, name, content):
    path = tmp_path / name
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def _told(lines):
    return [(line.number, line.row if line.row is not None else line.errors[0].code) for line in lines]


class TestCsv:
    @pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
    def test_gives_cells_by_their_columns(self, tmp_path, name):
        text = (
            "\ufeffitem_id,title,categories,attributes,hidden,value,occurred_at\r\n"
            'a,"One, ""two""",Drama | Comedy|,"{""year"": 1985}",TRUE,4.0,964982703\r\n'
            "b,,,,,,2026-03-01T00:00:00Z\r\n"
            "\r\n"
            'c,"two\nlines",,,0,-1e3,\r\n'
            "d,,,,,,\r\n"
        )

        assert _told(_read(_write(tmp_path, name, text))) == [
            (
                2,
                {
                    "item_id": "a",
                    "title": 'One, "two"',
                    "categories": "Drama | Comedy|",
                    "attributes": '{"year": 1985}',
                    "hidden": "TRUE",
                    "value": "4.0",
                    "occurred_at": "964982703",
                },
            ),
            (3, {"item_id": "b", "occurred_at": "2026-03-01T00:00:00Z"}),
            (5, {"item_id": "c", "title": "two\nlines", "hidden": "0", "value": "-1e3"}),
            (7, {"item_id": "d"}),
        ]

    def test_reports_damaged_rows_and_goes_on(self, tmp_path):
        raw = b'item_id,title\nok1,x\n\xff,x\nshort\nlong,x,y\nb,"a"b\n' + b"x" * (lines.MAX_LINE + 5) + b",\nok2,x\n"

        assert _told(_read(_write(tmp_path, "a.csv", raw))) == [
            (2, {"item_id": "ok1", "title": "x"}),
            (3, "bad_encoding"),
            (4, "bad_csv"),
            (5, "bad_csv"),
            (6, "bad_csv"),
            (7, "line_too_long"),
            (8, {"item_id": "ok2", "title": "x"}),
        ]

    def test_a_lone_quotation_mark_costs_its_own_row(self, tmp_path):
        rows = "".join(f"i{number},{'x' * 1000}\n" for number in range(1200))
        lines = _read(_write(tmp_path, "a.csv", f'item_id,title\nbad,"x\n{rows}'))

        assert lines[0].number == 2
        assert "lone quotation mark in line 2" in lines[0].errors[0].detail
        assert [line.row for line in lines[1:]] == [{"item_id": f"i{n}", "title": "x" * 1000} for n in range(1200)]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ("", "empty"),
            ("item_id,item_id\n", "twice"),
            (b"item_id,\xff\n", "header cannot be read"),
        ],
    )
    def test_refuses_a_file_without_a_good_header(self, tmp_path, content, why):
        with pytest.raises(UnreadableFile, match=why):
            _read(_write(tmp_path, "a.csv", content))


class TestNdjson:
    @pytest.mark.parametrize("name", ["a.ndjson", "a.jsonl.gz"])
    def test_gives_objects_and_reports_the_rest(self, tmp_path, name):
        rows = [json.dumps({"item_id": "a"}), "", "7", "{", "[" * 100_000, "\ufeff" + json.dumps({"item_id": "é"})]

        assert _told(_read(_write(tmp_path, name, "\n".join(rows)))) == [
            (1, {"item_id": "a"}),
            (3, "not_an_object"),
            (4, "bad_json"),
            (5, "bad_json"),
            (6, {"item_id": "é"}),
        ]

    def test_passes_over_a_line_that_is_too_long(self, tmp_path):
        huge = json.dumps({"item_id": "x", "title": "y" * (3 * lines.MAX_LINE)})

        told = _told(_read(_write(tmp_path, "a.ndjson", f'{{"item_id": "a"}}\n{huge}\n{{"item_id": "b"}}')))

        assert told == [(1, {"item_id": "a"}), (2, "line_too_long"), (3, {"item_id": "b"})]


class TestWholeFile:
    def test_a_bomb_is_refused_before_it_is_unpacked(self, tmp_path, monkeypatch):
        monkeypatch.setattr(decompression, "RATIO_FROM", 1_000_000)
        path = _write(tmp_path, "a.ndjson.gz", b"\n" * 30_000_000)

        with pytest.raises(UnreadableFile, match="more than 5 lines per compressed byte"):
            _read(path)

    def test_a_broken_archive_keeps_what_stood_before(self, tmp_path):
        path = tmp_path / "a.ndjson.gz"
        rows = "".join(f'{{"item_id": "i{number}"}}\n' for number in range(50_000))
        path.write_bytes(gzip.compress(rows.encode())[:-2000])
        seen: list[Line] = []

        with (
            _open(path) as file,
            pytest.raises(UnreadableFile, match="truncated"),
        ):
            seen.extend(file)

        assert seen[0].row == {"item_id": "i0"}

    def test_a_missing_file_and_an_unknown_form_are_refused(self, tmp_path):
        with pytest.raises(UnreadableFile, match="No such file"):
            _read(tmp_path / "none.csv")
        with pytest.raises(UnreadableFile, match="Excel workbook"):
            _read(_write(tmp_path, "a.csv", b"PK\x03\x04" + b"\0" * 26 + b"xl/workbook.xml"))


MIB = 1024 * 1024
# What does not shrink to nothing.
NOISE = random.Random(1).randbytes(MIB // 2).hex().encode()


def _peak(path):
    """Returns the rows, or the reason for a refusal, and the peak memory of reading."""
    tracemalloc.start()
    try:
        try:
            said = _told(_rows(path))
        except UnreadableFile as error:
            said = str(error)
        return said, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _rows(path):
    """As the job reads them: one after the other."""
    with _open(path) as file:
        yield from file


class TestBombs:
    """Files that are made to be large where they are unpacked or parsed cost no more memory than a line may have."""

    @pytest.mark.parametrize(
        ("name", "head", "filling", "tail", "expected"),
        [
            ("a.ndjson.gz", b'{"item_id": "', NOISE, b'"}\n{}\n', [(1, "line_too_long"), (2, {})]),
            ("a.csv.gz", b"item_id,title\na,", NOISE, b"\nb,\n", [(2, "line_too_long"), (3, {"item_id": "b"})]),
            ("a.csv.gz", b"item_id", b",item_id", b"\na\n", "The header cannot be read"),
            ("a.csv", b"item_id", b",item_id", b"\na\n", "The header cannot be read"),
        ],
        ids=["one line of JSON", "one line of CSV", "packed columns", "columns"],
    )
    def test_hold_a_line_at_most(self, tmp_path, name, head, filling, tail, expected):
        packed = name.endswith(".gz")
        path = tmp_path / name
        with gzip.open(path, "wb", compresslevel=1) if packed else path.open("wb") as file:
            file.write(head)
            for _ in range(24):
                file.write(filling * (MIB // len(filling)))
            file.write(tail)

        said, peak = _peak(path)

        assert peak < 8 * MIB, f"{peak:,} bytes"
        assert said[: len(expected)] == expected

    @pytest.mark.parametrize(
        "line",
        [
            b"[" * 500_000,
            b'{"attributes": ' * 50_000,
            b'{"item_id": ' + b"9" * 100_000 + b"}",
            b'{"item_id": 1e400}',
            b"," * 500_000,
        ],
        ids=["nested lists", "nested objects", "a number of 100,000 digits", "a number beyond all", "only commas"],
    )
    def test_in_a_line_are_told_and_reading_goes_on(self, tmp_path, line):
        path = tmp_path / "a.ndjson"
        path.write_bytes(line + b'\n{"item_id": "b"}\n')

        said, peak = _peak(path)

        assert said[-1] == (2, {"item_id": "b"})
        assert said[0][0] == 1
        assert peak < 64 * MIB

    def test_of_cells_in_a_row_are_told_and_reading_goes_on(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"item_id,title\n" + b"x," * 500_000 + b"\nb,B\n")

        said, peak = _peak(path)

        assert [line for line, _ in said] == [2, 3]
        assert isinstance(said[0][1], str)
        assert peak < 64 * MIB
