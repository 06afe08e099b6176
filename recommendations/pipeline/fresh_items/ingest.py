"""New and changed items are taken in: what is like their texts is found with the active artefact, and noted in rows.

Which items are still to be looked at is told by the rows alone: those that changed after the artefact's catalogue was
read and whose change (`updated_at`), or whether they may be shown, is not the one noted. So nothing is lost with a
message, and a killed step is done again. Of two at once one writes: revisions are unique.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import structlog
from django.db import IntegrityError, connection
from scipy import sparse

from accounts.tenancy import scope
from recommendations.algorithms.data.tokenize import terms
from recommendations.algorithms.inference.incremental import find_similar_texts
from recommendations.algorithms.models.content import TEXT
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.catalog import availability
from recommendations.pipeline.artefacts import live
from recommendations.pipeline.artefacts.live import Row
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.models import Artefact, Build

AT_ONCE = 200
# Beside one artefact: more wait for the next training, as items of a first import do.
MOST_FRESH = 20_000
# Of the lists that an item leaves as its text changes, so many are made anew.
LEFT = 50
_ATTEMPTS = 5
# Changes say when their requests began, and are seen when they have committed.
SLACK = timedelta(minutes=1)
_MOST_WITHHELD = 50_000
_SHOWN = availability.available_sql("c")
_PENDING = f"""
    FROM recommendations_item AS c
    LEFT JOIN recommendations_freshitem AS f ON f.build_id = %(build)s AND f.item_id = c.item_id
    WHERE c.tenant_id = %(tenant)s
      AND (c.updated_at >= %(since)s OR c.available_from > %(since)s AND c.available_from <= %(now)s)
      AND (f.id IS NULL OR f.seen_at <> c.updated_at OR f.shown <> {_SHOWN})
"""  # constants only
_NEXT = f"""
    SELECT c.item_id, c.title, c.description, c.categories, c.attributes, c.updated_at, {_SHOWN},
        f.place, f.shown, f.waiting, f.terms, f.near, f.left
    {_PENDING} ORDER BY c.updated_at, c.id LIMIT %(limit)s
"""  # constants only
_ANY = f"SELECT EXISTS (SELECT {_PENDING})"
# What cannot be shown when a build begins, so that its return is known as one.
_WITHHELD = f"""
    INSERT INTO recommendations_freshitem
        (tenant_id, build_id, item_id, revision, seen_at, shown, waiting, terms, near, "left", people)
    SELECT %(tenant)s, %(build)s, c.item_id, row_number() OVER (ORDER BY c.updated_at DESC, c.id),
        c.updated_at, false, false, '', '', '', 0
    FROM recommendations_item AS c
    WHERE c.tenant_id = %(tenant)s AND c.deleted_at IS NULL AND NOT {_SHOWN}
    ORDER BY c.updated_at DESC, c.id LIMIT %(limit)s
"""  # noqa: S608  # constants only
_WRITE = """
    INSERT INTO recommendations_freshitem AS held
        (tenant_id, build_id, item_id, revision, place, seen_at, shown, waiting, terms, near, "left", people)
    SELECT %(tenant)s, %(build)s, row.*, 0
    FROM unnest(%(items)s::text[], %(revisions)s::bigint[], %(places)s::integer[], %(seen)s::timestamptz[],
        %(shown)s::boolean[], %(waiting)s::boolean[], %(terms)s::bytea[], %(near)s::bytea[], %(left)s::bytea[])
        AS row
    ORDER BY 2
    ON CONFLICT (build_id, item_id) DO UPDATE SET
        revision = excluded.revision, place = excluded.place, seen_at = excluded.seen_at, shown = excluded.shown,
        waiting = excluded.waiting, terms = excluded.terms, near = excluded.near, "left" = excluded."left"
"""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """An item that is to be looked at, and what is noted of it (None: nothing)."""

    item_id: str
    document: list[str]
    updated_at: datetime
    shown: bool
    place: int | None
    was_shown: bool | None
    was_waiting: bool
    terms: bytes
    near: bytes
    left: bytes


@dataclass(frozen=True, slots=True)
class Noted:
    """A row as it will be written, without its revision."""

    item_id: str
    place: int | None
    seen_at: datetime
    shown: bool
    waiting: bool
    terms: bytes
    near: bytes
    left: bytes = b""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an item now. `news`: its text is not the one that lists were made with."""

    place: int
    terms: bytes
    near: bytes
    news: bool


def begin(*, build: Build, artefact: Artefact, loaded: Loaded, now: datetime) -> int:
    """Notes what cannot be shown, and takes in what came since the artefact's training, for a build's lists to come.

    Call it in the transaction in which the build's training ends. Returns how many places the artefact and its fresh
    items have together.
    """
    parameters: dict[str, Any] = {"tenant": build.tenant_id, "build": build.pk, "now": now, "limit": _MOST_WITHHELD}
    with connection.cursor() as cursor:
        cursor.execute(_WITHHELD, parameters)
    try:
        since = artefact.catalogue_at or artefact.created_at
        while taken := _pending(build, since, now, AT_ONCE):
            _write(build, _noted(build, loaded, taken, listed=True), after=_newest(build))
        rows = live.rows_of(tenant_id=build.tenant_id, build_id=build.pk)
        return max([len(loaded.item_ids), *(place + 1 for place in rows)])
    finally:  # nobody may know rows of a transaction that may yet fail
        live.forget(build.pk)


def take_in(*, build: Build, loaded: Loaded, now: datetime) -> int:
    """Looks at the next items, AT_ONCE at most; returns how many. `loaded` is the build's artefact alone."""
    assert build.artefact is not None
    for _ in range(_ATTEMPTS):
        with scope.tenant(build.tenant_id):
            newest = _newest(build)
            waiting = _pending(build, _since(build.artefact), now, AT_ONCE)
        if not waiting:
            return 0
        noted = _noted(build, loaded, waiting, listed=False)
        try:
            with scope.tenant(build.tenant_id):
                _write(build, noted, after=newest)
        except IntegrityError:  # another was quicker; what it wrote is to be known first
            continue
        return len(waiting)
    _log.warning("items_taken_in_elsewhere", build_id=build.pk)
    return 0


def is_pending(*, build: Build, now: datetime) -> bool:
    """Whether there is anything to look at."""
    assert build.artefact is not None
    with scope.tenant(build.tenant_id), connection.cursor() as cursor:
        cursor.execute(_ANY, _parameters(build, _since(build.artefact), now))
        return bool(cursor.fetchone()[0])


def _since(artefact: Artefact) -> datetime:
    return (artefact.catalogue_at or artefact.created_at) - SLACK


def _parameters(build: Build, since: datetime, now: datetime) -> dict[str, Any]:
    return {"tenant": build.tenant_id, "build": build.pk, "since": since, "now": now}


def _pending(build: Build, since: datetime, now: datetime, limit: int) -> list[Pending]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {**_parameters(build, since, now), "limit": limit})
        found = cursor.fetchall()
    return [
        Pending(
            item_id=row[0],
            document=terms(
                title=row[1], description=row[2], categories=row[3], attributes=item_facts.parsed_object(row[4])
            ),
            updated_at=row[5],
            shown=row[6],
            place=row[7],
            was_shown=row[8],
            was_waiting=bool(row[9]),
            terms=bytes(row[10] or b""),
            near=bytes(row[11] or b""),
            left=bytes(row[12] or b""),
        )
        for row in found
    ]


def _noted(build: Build, loaded: Loaded, items: Sequence[Pending], *, listed: bool) -> list[Noted]:
    """The rows of these items. `listed` says that the lists are still to be made, and will have them."""
    held = live.rows_of(tenant_id=build.tenant_id, build_id=build.pk)
    found = _near(loaded, held, items)
    rows = []
    for item in items:
        now = found.get(item.item_id)
        news = item.shown and (item.was_shown is False or (now is not None and now.news))
        row = Noted(
            item_id=item.item_id,
            place=now.place if now else item.place,
            seen_at=item.updated_at,
            shown=item.shown,
            waiting=not listed and (news or (item.was_waiting and item.shown)),
            terms=now.terms if now else item.terms,
            near=now.near if now else item.near,
            left=b"" if listed else item.left + _left(loaded, item, now),
        )
        rows.append(row)
    return rows


def _left(loaded: Loaded, item: Pending, now: Found | None) -> bytes:
    """The places of those that its former text was like."""
    if now is None or not now.news:
        return b""
    if item.near:
        near = live.unpacked_near(item.near)
        return near.places[near.backward][:LEFT].astype("<i4").tobytes()
    text = loaded.recommender.artefact.fitted[TEXT]
    if now.place >= len(loaded.item_ids) or not isinstance(text, ItemMatrix):
        return b""
    start, end = text.values.indptr[now.place], text.values.indptr[now.place + 1]
    return np.asarray(text.values.indices[start:end][:LEFT]).astype("<i4").tobytes()


def _near(loaded: Loaded, held: Mapping[int, Row], items: Sequence[Pending]) -> dict[str, Found]:
    """What is known now of the shown items that the artefact alone does not know.

    Also of one whose text is the same: its row becomes the newest, and what it says of others must be so, too.
    """
    artefact = loaded.recommender.artefact
    texts, alike = artefact.texts, artefact.fitted.get(TEXT)
    if texts is None or not isinstance(alike, ItemMatrix):
        return {}
    vectors = texts.vectors_of([item.document for item in items])
    free = count(max([artefact.item_count, *(place + 1 for place in held)]))
    changed: list[tuple[int, Pending, int, bytes, bool]] = []
    for index, item in enumerate(items):
        said = live.packed_terms(vectors, index)
        place = loaded.place(item.item_id) if item.place is None else item.place
        other = said != _terms_before(texts.vectors, item, place)
        if not item.shown or (item.place is None and not other):
            continue
        if place is None and (not said or _is_full(held, changed)):
            continue
        changed.append((index, item, next(free) if place is None else place, said, other))
    if not changed:
        return {}
    places = np.array([place for _, _, place, *_ in changed], dtype=np.int32)
    kept = [row for place, row in held.items() if place not in set(places.tolist())]
    own = vectors[[index for index, *_ in changed]]
    others = sparse.vstack([own, live.unpacked_terms([row.terms for row in kept], own.shape[1])], format="csr")
    other_places = np.concatenate([places, np.array([row.place for row in kept], dtype=np.int32)])
    near = find_similar_texts(texts, alike.values, vectors=own, places=places, others=others, other_places=other_places)
    return {
        item.item_id: Found(place, said, live.packed_near(each), other)
        for (_, item, place, said, other), each in zip(changed, near, strict=True)
    }


def _is_full(held: Mapping[int, Row], changed: Collection[object]) -> bool:
    """Whether no further item may be held beside the artefact."""
    return len(held) + len(changed) >= MOST_FRESH


def _terms_before(vectors: Any, item: Pending, place: int | None) -> bytes:
    """The terms that lists have been made with."""
    if item.place is not None:
        return item.terms
    if place is None:
        return b""
    return live.packed_terms(vectors, place)


def _newest(build: Build) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(revision), 0) FROM recommendations_freshitem WHERE tenant_id = %s AND build_id = %s",
            [build.tenant_id, build.pk],
        )
        return int(cursor.fetchone()[0])


def _write(build: Build, rows: Sequence[Noted], *, after: int) -> None:
    """Raises: IntegrityError where another has written since the newest revision was `after`."""
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "tenant": build.tenant_id,
                "build": build.pk,
                "items": [row.item_id for row in rows],
                "revisions": [after + 1 + index for index in range(len(rows))],
                "places": [row.place for row in rows],
                "seen": [row.seen_at for row in rows],
                "shown": [row.shown for row in rows],
                "waiting": [row.waiting for row in rows],
                "terms": [row.terms for row in rows],
                "near": [row.near for row in rows],
                "left": [row.left for row in rows],
            },
        )
