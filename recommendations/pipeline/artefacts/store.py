"""Artefacts in the storage, and the few that this host keeps unpacked and this process keeps loaded.

The first process of a host that needs an artefact fetches and unpacks it; the others map the same files read-only, so
that a worker's processes hold one copy together.
"""

import bisect
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog
from cachetools import LRUCache
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from core import process_caches
from recommendations.algorithms.data.event_values import EventValues, strength_factors, weightings_from_json
from recommendations.algorithms.data.history import History
from recommendations.algorithms.data.timestamp_check import effective_times, loads_from_json
from recommendations.algorithms.inference.artefact import Artefact as Fitted
from recommendations.algorithms.inference.artefact import UnreadableArtefact
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.pipeline.checks import RANKER_HINT


@dataclass(frozen=True, slots=True)
class Loaded:
    """An artefact ready to be read; threads may share it.

    `fresh` holds the places of items that came after the training, behind all others, and `revision` says how new it
    is (recommendations.pipeline.artefacts.live).
    """

    artefact_id: int
    recommender: Recommender
    fresh: Mapping[str, int] = field(default_factory=dict)
    revision: int = 0

    @property
    def item_ids(self) -> tuple[str, ...]:
        """By item index."""
        return self.recommender.artefact.item_ids

    def index(self, item_id: str) -> int | None:
        """The item's index; None for an item that nobody had chosen when the training looked."""
        place = self.place(item_id)
        return None if place is None or item_id in self.fresh or self.recommender.is_cold(place) else place

    def place(self, item_id: str) -> int | None:
        """The item's index, also where only its content is known; None for an item of which nothing is known."""
        item_ids = self.item_ids
        trained = len(item_ids) - len(self.fresh)
        place = bisect.bisect_left(item_ids, item_id, hi=trained)
        return place if place < trained and item_ids[place] == item_id else self.fresh.get(item_id)

    def indices(self, item_ids: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        """The indices of those items of which something is known."""
        found = [place for item_id in item_ids if (place := self.place(item_id)) is not None]
        return np.array(found, dtype=np.int32)

    def history(
        self,
        events: Sequence[tuple[str, float]],
        weights: Sequence[float] = (),
        against: Sequence[tuple[str, float, float]] = (),
        said: Sequence[tuple[str, float]] = (),
    ) -> History:
        """(item id, unix second) pairs, oldest first, as the recommender wants them; unknown items are left out.

        Times that the training took for those of a load count as they did there.

        `weights` says what each event counts by its type, 1 without; `against` are (item id, unix second, weight below
        0). `said` are types and values of the events, which count as they did in the training.
        """
        counted = self._weights(events, weights or (1.0,) * len(events), said)
        rows = [*((item_id, at, weight) for (item_id, at), weight in zip(events, counted, strict=True)), *against]
        known = [(place, at, weight) for item_id, at, weight in rows if (place := self.place(item_id)) is not None]
        if not known:
            return History.empty()
        items, times, said = zip(*known, strict=True)
        return History(
            items=np.array(items, dtype=np.int32),
            times=effective_times(
                np.array(times, dtype=np.float64), loads_from_json(self.recommender.artefact.chosen.get("order"))
            ),
            weights=np.array(said, dtype=np.float32),
        )

    def _weights(
        self, events: Sequence[tuple[str, float]], weights: Sequence[float], said: Sequence[tuple[str, float]]
    ) -> Sequence[float]:
        rules = weightings_from_json(self.recommender.artefact.chosen.get("values"))
        if not said or not rules:
            return weights
        names = tuple(sorted({name for name, _ in said}))
        values = EventValues(
            np.array([names.index(name) for name, _ in said]),
            np.array([value for _, value in said], dtype=np.float32),
            names,
            {},
        )
        _, items = np.unique(np.array([item_id for item_id, _ in events]), return_inverse=True)
        counted = strength_factors(rules, values, np.zeros(len(items), dtype=np.int64), items)
        return [weight * factor for weight, factor in zip(weights, counted.tolist(), strict=True)]


_loaded: LRUCache[str, Loaded] = LRUCache(settings.ARTEFACTS_IN_MEMORY)
process_caches.register(_loaded.clear)
_lock = threading.Lock()
_log = structlog.get_logger(__name__)


def folder(tenant_id: int) -> str:
    """Where a tenant's artefacts lie in the storage."""
    return f"artefacts/{tenant_id}"


def store(fitted: Fitted, *, tenant_id: int) -> tuple[str, int]:
    """Writes the artefact under a name of its own; returns the name and the size in bytes."""
    with tempfile.TemporaryFile() as spool:
        fitted.save(spool)
        size = spool.tell()
        spool.seek(0)
        name = default_storage.save(f"{folder(tenant_id)}/{uuid.uuid4().hex}.npz", File(spool))
    return name, size


def load(*, artefact_id: int, file: str) -> Loaded:
    """The artefact from this process's memory, else from this host's copy, else from the storage.

    The last ARTEFACTS_IN_MEMORY that were asked for stay in memory: one serves, one may be about to, and arms of an
    experiment may have their own.

    Raises: OSError when the storage does not have it, UnreadableArtefact when it is of another format.
    """
    with _lock:
        if (found := _loaded.get(file)) is not None:
            return found
        loaded = _loaded[file] = Loaded(artefact_id, Recommender(_shared(file)))
        if loaded.recommender.lacks_second_stage:
            _log.warning("second_stage_not_read", artefact_id=artefact_id, hint=RANKER_HINT)
        return loaded


def _shared(file: str) -> Fitted:
    """The artefact mapped from this host's copy, which is made first where there is none."""
    home = Path(settings.ARTEFACT_CACHE_DIR)
    copy = home / file.replace("/", "-")
    try:
        found = Fitted.mapped(copy)
        os.utime(copy)  # used last
    except (UnreadableArtefact, OSError):
        pass
    else:
        return found
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
    """Those not used lately. Files that a process still maps stay until it lets them go."""
    copies = [each for each in home.iterdir() if not each.name.startswith(".")]
    for each in sorted(copies, key=lambda path: path.stat().st_mtime)[: -settings.ARTEFACT_CACHE_KEEP]:
        shutil.rmtree(each, ignore_errors=True)
