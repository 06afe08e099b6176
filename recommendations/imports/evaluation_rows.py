"""An events file as raw rows for an offline evaluation. Needs no database."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from recommendations.algorithms.content import Catalogue
from recommendations.algorithms.evaluation.protocols import Rows
from recommendations.algorithms.terms import terms
from recommendations.catalog import shapes
from recommendations.catalog.fields import FieldRefused
from recommendations.imports.files import ImportFile
from recommendations.interactions import event
from recommendations.interactions.event_types import NOT_POSITIVE
from recommendations.interactions.identity import Sender, digest


@dataclass(frozen=True, slots=True)
class FileRows:
    """The positives of a file in its order, and how many rows were left out."""

    rows: Rows
    rejected: int
    duplicate: int
    not_positive: int


def read_events(path: Path, *, now: datetime) -> FileRows:
    """What an import of the file would store and training would learn from.

    Times are None as soon as one row has none.
    Raises: UnreadableFile.
    """
    users: list[str] = []
    items: list[str] = []
    times: list[float] = []
    seen: set[str] = set()
    rejected = duplicate = not_positive = 0
    timed = True
    columns = tuple(event.SHAPE.readers)
    with ImportFile.open(path, columns=columns, required=("user_id", "item_id", "type")) as file:
        for line in file:
            try:
                read = event.read_event(line.row, now=now)
            except FieldRefused:
                rejected += 1
                continue
            name = digest(read, sender=Sender.BACKEND)
            if name in seen:
                duplicate += 1
                continue
            seen.add(name)
            if read.type in NOT_POSITIVE:
                not_positive += 1
                continue
            timed = timed and (line.row or {}).get("occurred_at") is not None
            users.append(read.user_id)
            items.append(read.item_id)
            times.append(read.occurred_at.timestamp())
    rows = Rows(np.array(users), np.array(items), np.array(times, dtype=np.float64) if timed else None)
    return FileRows(rows, rejected, duplicate, not_positive)


def read_catalogue(path: Path) -> Catalogue:
    """The items of a catalogue file by their texts; refused rows are left out, of repeated ones the last counts.

    Raises: UnreadableFile.
    """
    documents: dict[str, list[str]] = {}
    with ImportFile.open(path, columns=tuple(shapes.ITEM.readers), required=("item_id",)) as file:
        for line in file:
            try:
                item = shapes.ITEM.read(line.row)
            except FieldRefused:
                continue
            wanted = {name: item[name] for name in ("title", "description", "categories", "attributes")}
            documents[item["item_id"]] = terms(**wanted)
    return Catalogue(tuple(documents), list(documents.values()))
