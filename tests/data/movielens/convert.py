"""Makes the demo's files from GroupLens's `ml-latest-small`: `python tests/data/movielens/convert.py FOLDER`.

Facts only, in the form that `manage.py import_data` takes; the same bytes each time.
"""

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path

HERE = Path(__file__).parent
_YEAR = re.compile(r"\((\d{4})\)\s*$")


def items(source: Path) -> Iterable[list[str]]:
    """One row for each film; its year is in the title and, where it has one, in the attributes."""
    yield ["item_id", "title", "categories", "attributes"]
    for film in _rows(source / "movies.csv"):
        title, genres, year = film["title"].strip(), film["genres"], _YEAR.search(film["title"])
        attributes = json.dumps({"year": int(year[1])}) if year else ""
        yield [film["movieId"], title, "" if genres == "(no genres listed)" else genres, attributes]


def events(source: Path) -> Iterable[list[str]]:
    """One row for each rating, in the order of the original file."""
    yield ["user_id", "item_id", "type", "value", "occurred_at"]
    for rating in _rows(source / "ratings.csv"):
        yield [rating["userId"], rating["movieId"], "rating", rating["rating"], rating["timestamp"]]


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _write(path: Path, rows: Iterable[list[str]]) -> None:
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
        TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        csv.writer(text, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    _write(HERE / "items.csv.gz", items(Path(sys.argv[1])))
    _write(HERE / "events.csv.gz", events(Path(sys.argv[1])))
