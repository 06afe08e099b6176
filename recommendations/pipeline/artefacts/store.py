"""Artefacts in the storage, with an unpacked copy per host and a few loaded per process.

The first process of a host that needs an artefact fetches and unpacks it; the others map the same files read-only, so
that the processes of a worker share one copy.
"""

import bisect
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import structlog
from cachetools import LRUCache
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from core import process_caches
from recommendations.algorithms.data.event_values import (
    NONE,
    EventValues,
    ValueWeighting,
    strength_factors,
    weightings_from_json,
)
from recommendations.algorithms.data.history import History
from recommendations.algorithms.data.timestamp_check import BulkLoad, effective_times, loads_from_json
from recommendations.algorithms.inference.artefact import Artefact as Fitted
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.interactions.user_histories import HistoryColumns
from recommendations.pipeline.checks import RANKER_HINT


@dataclass(frozen=True)
class Loaded:
    """An artefact ready for use; threads may share it.

    `fresh` holds the indices of items that are newer than the training, behind all others, and `revision` is that of
    the newest of them (recommendations.pipeline.artefacts.live).
    """

    artefact_id: int
    recommender: Recommender
    fresh: Mapping[str, int] = field(default_factory=dict)
    revision: int = 0

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The item ids by index."""
        return self.recommender.artefact.item_ids

    def index_of(self, item_id: str) -> int | None:
        """The item's index, also if only its content is known; None for an unknown item."""
        item_ids = self.item_ids
        trained = len(item_ids) - len(self.fresh)
        index = bisect.bisect_left(item_ids, item_id, hi=trained)
        return index if index < trained and item_ids[index] == item_id else self.fresh.get(item_id)

    def trained_index(self, item_id: str) -> int | None:
        """The item's index; None for an item without interactions in the training."""
        index = self.index_of(item_id)
        return None if index is None or item_id in self.fresh or self.recommender.is_cold(index) else index

    def indices(self, item_ids: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        """The indices of the known ones of these items."""
        found = self._places(item_ids)
        return found[found >= 0]

    def _places(self, item_ids: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        """`index_of` of many items, -1 for unknown ones: without a call for each it takes half of the time."""
        names, fresh, find = self.item_ids, self.fresh, bisect.bisect_left
        trained = len(names) - len(fresh)
        found = []
        for item_id in item_ids:
            index = find(names, item_id, 0, trained)
            found.append(index if index < trained and names[index] == item_id else fresh.get(item_id, -1))
        return np.array(found, dtype=np.int32)

    def history(
        self,
        events: Sequence[tuple[str, float]],
        weights: Sequence[float] = (),
        negative_events: Sequence[tuple[str, float, float]] = (),
        values: Sequence[tuple[str, float]] = (),
    ) -> History:
        """A history as the recommender reads it, without unknown items.

        Times that the training took for those of a bulk load are treated as they were there.

        Args:
            events: (item id, Unix second), oldest first.
            weights: The weight of each event by its type; 1 by default.
            negative_events: (item id, Unix second, weight below 0).
            values: (type, value) of each event, which count as they did in the training.
        """
        weighted = self._weights(events, weights or (1.0,) * len(events), values)
        rows = [(item_id, at, weight) for (item_id, at), weight in zip(events, weighted, strict=True)]
        known = [
            (index, at, weight)
            for item_id, at, weight in (*rows, *negative_events)
            if (index := self.index_of(item_id)) is not None
        ]
        if not known:
            return History.empty()
        items, times, event_weights = zip(*known, strict=True)
        return History(
            items=np.array(items, dtype=np.int32),
            times=effective_times(np.array(times, dtype=np.float64), self._loads),
            weights=np.array(event_weights, dtype=np.float32),
        )

    def history_of(self, columns: HistoryColumns) -> History:
        """`history` of events that were read as arrays."""
        key = (self.artefact_id, self.revision)
        if key not in columns.items.indices:
            columns.items.indices[key] = self._places(columns.items.ids)
        indices = columns.items.indices[key][columns.codes]
        order = np.flatnonzero(columns.weights > 0)
        weights = columns.weights.astype(np.float64)
        if self._value_rules and len(order):
            values = EventValues(columns.types[order], columns.values[order], columns.names, {})
            owner = np.zeros(len(order), dtype=np.int64)
            weights[order] *= strength_factors(self._value_rules, values, owner, columns.codes[order])
        order = np.concatenate([order, np.flatnonzero(columns.weights < 0)])
        order = order[indices[order] >= 0]
        if not len(order):
            return History.empty()
        times = effective_times(columns.times[order], self._loads)
        return History(indices[order], times, weights[order].astype(np.float32))

    @cached_property
    def _loads(self) -> tuple[BulkLoad, ...]:
        return loads_from_json(self.recommender.artefact.chosen.get("order"))

    @cached_property
    def _value_rules(self) -> dict[str, ValueWeighting]:
        rules = weightings_from_json(self.recommender.artefact.chosen.get("values"))
        return rules if any(each.way != NONE for each in rules.values()) else {}

    def _weights(
        self, events: Sequence[tuple[str, float]], weights: Sequence[float], values: Sequence[tuple[str, float]]
    ) -> Sequence[float]:
        if not values or not self._value_rules:
            return weights
        names = tuple(sorted({name for name, _ in values}))
        columns = EventValues(
            np.array([names.index(name) for name, _ in values]),
            np.array([value for _, value in values], dtype=np.float32),
            names,
            {},
        )
        _, items = np.unique(np.array([item_id for item_id, _ in events]), return_inverse=True)
        factor_of = strength_factors(self._value_rules, columns, np.zeros(len(items), dtype=np.int64), items).tolist()
        return [weight * factor for weight, factor in zip(weights, factor_of, strict=True)]


_loaded: LRUCache[str, Loaded] = LRUCache(settings.ARTEFACTS_IN_MEMORY)
process_caches.register(_loaded.clear)
_lock = threading.Lock()
_log = structlog.get_logger(__name__)


def folder(tenant_id: int) -> str:
    """The folder of a tenant's artefacts in the storage."""
    return f"artefacts/{tenant_id}"


def save(fitted: Fitted, *, tenant_id: int) -> tuple[str, int]:
    """Writes the artefact under a unique name; returns the name and the size in bytes."""
    with tempfile.TemporaryFile() as spool:
        fitted.save(spool)
        size = spool.tell()
        spool.seek(0)
        name = default_storage.save(f"{folder(tenant_id)}/{uuid.uuid4().hex}.npz", File(spool))
    return name, size


def load(*, artefact_id: int, file: str) -> Loaded:
    """The artefact from this process's memory, from this host's copy, or from the storage, in this order.

    The ARTEFACTS_IN_MEMORY most recently used ones stay in memory: one serves, the next may be about to, and the arms
    of an experiment may have their own.

    Raises:
        OSError: The storage does not have it.
        UnreadableArtefact: It has another format.
    """
    with _lock:
        if (cached := _loaded.get(file)) is not None:
            return cached
        loaded = _loaded[file] = Loaded(artefact_id, Recommender(_shared(file)))
        if loaded.recommender.lacks_second_stage:
            _log.warning("second_stage_not_read", artefact_id=artefact_id, hint=RANKER_HINT)
        return loaded


def _shared(file: str) -> Fitted:
    """The artefact mapped from this host's copy, which is made first if there is none."""
    home = Path(settings.ARTEFACT_CACHE_DIR)
    copy = home / file.replace("/", "-")
    try:
        mapped = Fitted.mapped(copy)
        os.utime(copy)  # the least recently used copies are removed first
    except (UnreadableArtefact, OSError):
        pass
    else:
        return mapped
    with default_storage.open(file) as stored:
        fitted = Fitted.load(stored)
    try:
        home.mkdir(mode=0o750, parents=True, exist_ok=True)
        home.chmod(0o750)  # it may be older, and its parents have a mode of their own
        with tempfile.TemporaryDirectory(dir=home, prefix=".") as work:
            fitted.unpack(Path(work) / "copy")
            shutil.rmtree(copy, ignore_errors=True)
            (Path(work) / "copy").rename(copy)
        _remove_old_copies(home)
        return Fitted.mapped(copy)
    except (OSError, UnreadableArtefact) as error:
        # Without room for a copy, or while another process makes the same one, this process reads its own.
        _log.warning("artefact_not_shared", file=file, error=str(error))
        return fitted


def _remove_old_copies(home: Path) -> None:
    """Removes the least recently used copies. Files that a process still maps exist until it unmaps them."""
    copies = [path for path in home.iterdir() if not path.name.startswith(".")]
    for path in sorted(copies, key=lambda path: path.stat().st_mtime)[: -settings.ARTEFACT_CACHE_KEEP]:
        shutil.rmtree(path, ignore_errors=True)
