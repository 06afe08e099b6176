"""Bytes and time of ways to store one list of 100 items: the figures of docs/adr/0005.

    python -m tests.benchmarks.list_form

Each form is asked for what the usual request needs (the first 20 items as JSON text, and their ids, which are compared
with the withdrawn ones) and for what a page of 100 needs (every item, parsed). Lists are made from real titles: two
thousand of them, so that caches of the processor do not flatter anybody. Times are medians of repeated rounds.
"""

import csv
import gzip
import json
import random
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommendations.cache.list_codec import HEAD, Entry, Provenance, decode, encode
from recommendations.explanations.templates import explain

ITEMS = Path(__file__).parents[1] / "data" / "movielens" / "items.csv.gz"
LISTS, LENGTH, ROUNDS = 2_000, 100, 7

Head = tuple[bytes, tuple[str, ...]]


@dataclass(frozen=True)
class Form:
    """One way of storing: how a list is written, how its head is read, how all of it is read."""

    name: str
    write: Callable[[list[Entry]], bytes]
    head: Callable[[bytes], Head]
    everything: Callable[[bytes], list[dict[str, Any]]]


def _dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _rows(entries: list[Entry]) -> list[dict[str, Any]]:
    return [entry.as_dict(rank) for rank, entry in enumerate(entries, start=1)]


def _cut(items: list[dict[str, Any]]) -> Head:
    return _dumps(items[:HEAD])[1:-1], tuple(item["item_id"] for item in items[:HEAD])


def _columns(entries: list[Entry]) -> bytes:
    return _dumps(
        [
            [entry.item_id for entry in entries],
            [entry.score for entry in entries],
            [entry.reason for entry in entries],
            [entry.evidence for entry in entries],
        ]
    )


def _from_columns(raw: bytes) -> list[dict[str, Any]]:
    columns = zip(*json.loads(raw), strict=True)
    return [
        Entry(item_id, score, reason, tuple(evidence)).as_dict(rank)
        for rank, (item_id, score, reason, evidence) in enumerate(columns, start=1)
    ]


def _stored(entries: list[Entry]) -> bytes:
    provenance = Provenance(12, 1, "model", "2026-11-23T03:00:41Z", artefact=7)
    return encode(provenance=provenance, owner="42", entries=entries)


def _stored_head(raw: bytes) -> Head:
    stored = decode(raw)
    return stored.head, stored.head_ids


FORMS = (
    Form("JSON", lambda e: _dumps(_rows(e)), lambda raw: _cut(json.loads(raw)), json.loads),
    Form(
        "JSON, zlib",
        lambda e: zlib.compress(_dumps(_rows(e)), 6),
        lambda raw: _cut(json.loads(zlib.decompress(raw))),
        lambda raw: json.loads(zlib.decompress(raw)),
    ),
    Form("JSON by column", _columns, lambda raw: _cut(_from_columns(raw)), _from_columns),
    Form(
        "JSON by column, zlib",
        lambda e: zlib.compress(_columns(e), 6),
        lambda raw: _cut(_from_columns(zlib.decompress(raw))),
        lambda raw: _from_columns(zlib.decompress(raw)),
    ),
    Form("ready head, zlib tail (ours)", _stored, _stored_head, lambda raw: decode(raw).entries()),
)


def lists() -> Iterator[list[Entry]]:
    """Lists as a build makes them: ids, scores with six decimals, template reasons over one or two real titles."""
    with gzip.open(ITEMS, "rt", newline="", encoding="utf-8") as file:
        titles = {row["item_id"]: row["title"] for row in csv.DictReader(file)}
    draw = random.Random(0)
    ids = list(titles)
    for _ in range(LISTS):
        history = draw.sample(ids, 12)
        entries = []
        for place, item_id in enumerate(draw.sample(ids, LENGTH)):
            evidence = tuple(draw.sample(history, draw.choice((1, 2))))
            reason = explain(part="item_item", evidence=[titles[each] for each in evidence])
            entries.append(Entry(item_id, round(9.0 / (1 + place) + draw.random(), 6), reason, evidence, "item_item"))
        yield entries


def _microseconds(read: Callable[[bytes], Any], bodies: list[bytes]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for body in bodies:
            read(body)
        rounds.append((time.perf_counter() - started) / len(bodies) * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Print the table."""
    made = list(lists())
    print(f"{LISTS} lists of {LENGTH} items, median of {ROUNDS} rounds\n")
    print("| form | bytes | write, µs | head of 20, µs | all 100, µs |\n|---|---|---|---|---|")
    for form in FORMS:
        bodies = [form.write(entries) for entries in made]
        expected = _cut(_rows(made[0]))
        if form.head(bodies[0]) != expected or len(form.everything(bodies[0])) != LENGTH:
            raise SystemExit(f"{form.name} reads something else than was written")
        size = statistics.mean(map(len, bodies))
        started = time.perf_counter()
        for entries in made:
            form.write(entries)
        write = (time.perf_counter() - started) / len(made) * 1e6
        head, everything = _microseconds(form.head, bodies), _microseconds(form.everything, bodies)
        print(f"| {form.name} | {size:,.0f} | {write:,.0f} | {head:,.1f} | {everything:,.0f} |")


if __name__ == "__main__":
    main()
