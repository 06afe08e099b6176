"""Rows of files for offline evaluation. Needs no database."""

import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from recommendations.algorithms.data.event_values import EventValues
from recommendations.algorithms.data.tokenize import terms
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.validation.splitting import Rows
from recommendations.catalog import items, merging, schemas
from recommendations.catalog.validators import FieldRefused
from recommendations.imports.formats.files import ImportFile
from recommendations.imports.formats.rows import Line
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import Import
from recommendations.interactions import event_schema, event_weights
from recommendations.interactions.event_weights import NEVER_POSITIVE
from recommendations.interactions.identity import Sender, digest


@dataclass(frozen=True, slots=True)
class FileRows:
    """The positive events of a file in order, and the numbers of omitted rows."""

    rows: Rows
    rejected: int
    duplicate: int
    not_positive: int


def read_events(path: Path, *, now: datetime, not_positive_types: Collection[str] = NEVER_POSITIVE) -> FileRows:
    """Reads the events that an import would store and a training would learn from.

    Events of `not_positive_types` are omitted. Rows without a time get `now`, as in an import.

    Raises: UnreadableFile.
    """
    users: list[str] = []
    items: list[str] = []
    times: list[float] = []
    types: list[str] = []
    values: list[float] = []
    seen: set[str] = set()
    rejected = duplicate = not_positive = 0
    plan = RowMapping(Import.Kind.EVENTS)
    with ImportFile.open(path, known=plan.column_names, table=plan.table) as file:
        for line in chain.from_iterable(map(plan.rows, file)):
            try:
                read = event_schema.read_event(line.row, now=now)
            except FieldRefused:
                rejected += 1
                continue
            name = digest(read, sender=Sender.BACKEND)
            if name in seen:
                duplicate += 1
                continue
            seen.add(name)
            if read.type in not_positive_types:
                not_positive += 1
                continue
            users.append(read.user_id)
            items.append(read.item_id)
            times.append(read.occurred_at.timestamp())
            types.append(read.type)
            values.append(math.nan if read.value is None else read.value)
    names, kinds = np.unique(np.array(types, dtype=np.str_), return_inverse=True)
    weights = np.array(
        [event_weights.DEFAULTS.get(name, event_weights.DEFAULT_WEIGHT) for name in names.tolist()], dtype=np.float32
    )
    rows = Rows(
        users=np.array(users),
        items=np.array(items),
        times=np.array(times, dtype=np.float64),
        strengths=np.abs(weights[kinds]),
        values=EventValues(kinds, np.array(values, dtype=np.float32), tuple(names.tolist()), {}),
    )
    return FileRows(rows, rejected, duplicate, not_positive)


def _item_rows(lines: Iterable[Line]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.row is not None:
            with suppress(FieldRefused):
                yield schemas.read_item_row(line.row)


def read_catalogue(path: Path) -> Catalogue:
    """Reads the texts of a catalogue file; invalid rows are omitted, rows with the same id merged.

    Raises: UnreadableFile.
    """
    documents: dict[str, list[str]] = {}
    plan = RowMapping(Import.Kind.ITEMS)
    with ImportFile.open(path, known=plan.column_names, table=plan.table) as file:
        rows = [*_item_rows(chain.from_iterable(map(plan.rows, file)))]
    for item_id, row in merging.merge_by_key(rows, "item_id").items():
        item = merging.complete_row(items.EMPTY, row)
        documents[item_id] = terms(
            **{name: item[name] for name in ("title", "description", "categories", "attributes")}
        )
    return Catalogue(tuple(documents), list(documents.values()))
