"""A bounded store of what each web process keeps ready for ranking: the placements asked for last, and in memory few
artefacts (ARTEFACTS_IN_MEMORY). A request never reads an artefact itself: it would wait too long, and hold a thread.

One thread reads what is asked for, and anew what is asked for again and older than PROCESS_REFRESH_SECONDS; until then
what is known serves on. Where no thread runs, as in a command, whoever asks reads.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import Error, connection
from psycopg_pool import PoolTimeout

from core import deadline, process_caches
from recommendations.degradation import ARTEFACT, DATABASE
from recommendations.serving.ranking import prepared
from recommendations.serving.ranking.prepared import PreparedRanking

Key = tuple[int, str]
# Placements, of all tenants. Beyond the artefacts they share, each holds its rules.
MOST = 256
# What has not been looked at for so long may be of another time: a request waits for it as if there were none.
STALE_SECONDS = 60.0
# A reading ends then; what it has not got is tried again by whoever asks next.
_READING_SECONDS = 60.0
_STOP_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    """A placement's prepared ranking, with the moments (monotonic seconds) at which it was read and last tried.

    If it is not `whole`, only the rules are there, and a thread is reading the artefact.
    """

    what: PreparedRanking
    read_at: float
    tried_at: float
    whole: bool = True

    @property
    def doubtful(self) -> bool:
        """True if it is worth waiting for something better."""
        old = time.monotonic() - self.read_at > STALE_SECONDS
        return old or not self.whole or self.what.lacking == DATABASE

    @property
    def renewed(self) -> bool:
        """True if it has been tried just now."""
        return self.whole and time.monotonic() - self.tried_at < settings.PROCESS_REFRESH_SECONDS


class PreparedCache:
    """One for each process; safe among threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[Key, _CacheEntry] = OrderedDict()
        self._wanted: OrderedDict[Key, None] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def get(self, tenant_id: int, placement: str, *, seconds: float) -> PreparedRanking | None:
        """Return what is ready at a placement, waiting so long at most; None where nothing is known in time."""
        key = (tenant_id, placement)
        with self._changed:
            held = self._of(key)
            if held is not None and held.renewed:
                return held.what
            threaded = self._thread is not None and self._thread.is_alive()
            if threaded:
                self._ask(key)
                if held is None or held.doubtful:
                    query = time.monotonic()
                    self._changed.wait_for(lambda: self._was_read(key, query), seconds)
        if not threaded:
            self._read(key)
        with self._changed:
            found = self._of(key)
            return found.what if found else None

    def start(self) -> None:
        """Reads in a thread from now on. Called once in each web process, after the fork."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name="ranking", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        with self._changed:
            thread, self._stopping = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(_STOP_SECONDS)

    def clear(self) -> None:
        """Forgets everything."""
        with self._changed:
            self._held.clear()
            self._wanted.clear()

    def _of(self, key: Key) -> _CacheEntry | None:
        if (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
        return held

    def _was_read(self, key: Key, since: float) -> bool:
        held = self._held.get(key)
        return held is not None and held.whole and held.tried_at >= since

    def _ask(self, key: Key) -> None:
        if key not in self._wanted and len(self._wanted) < MOST:
            self._wanted[key] = None
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._stopping)
                if self._stopping:
                    return
                key, _ = self._wanted.popitem(last=False)
                held = self._held.get(key)
            if held is not None and held.renewed:
                continue
            try:
                with deadline.within(_READING_SECONDS, background=True):
                    self._read(key)
            except Exception:  # noqa: BLE001  # a thread that ends would leave every later tenant without an artefact
                _log.exception("not_ready_for_ranking", tenant_id=key[0])
                self._put(key, held.what if held is not None else PreparedRanking(lacking=ARTEFACT))
            finally:
                connection.close()

    def _read(self, key: Key) -> None:
        """First the rules, which are quick, then with the artefact. Without a database what is known stays."""
        with self._changed:
            before = self._held.get(key)
        try:
            serving = prepared.source(tenant_id=key[0], placement=key[1])
            if before is None:
                self._put(key, PreparedRanking(serving.rules, lacking=ARTEFACT, said=serving.said), whole=False)
            self._put(key, prepared.read(serving, before.what if before else None))
        except (Error, PoolTimeout) as error:
            _log.warning("not_ready_for_ranking", tenant_id=key[0], error=str(error))
            if before is None:
                self._put(key, PreparedRanking(lacking=DATABASE))
            else:
                self._put(key, before.what, read_at=before.read_at)

    def _put(self, key: Key, what: PreparedRanking, *, whole: bool = True, read_at: float | None = None) -> None:
        now = time.monotonic()
        with self._changed:
            self._held[key] = _CacheEntry(what, now if read_at is None else read_at, now, whole)
            self._held.move_to_end(key)
            while len(self._held) > 1 and (len(self._held) > MOST or self._artefacts() > settings.ARTEFACTS_IN_MEMORY):
                self._held.popitem(last=False)
            self._changed.notify_all()

    def _artefacts(self) -> int:
        return len(frozenset().union(*(held.what.artefacts for held in self._held.values())))


prepared_rankings = PreparedCache()
process_caches.register(prepared_rankings.clear)


def start() -> None:
    """For the web process's warm-up."""
    prepared_rankings.start()


def stop() -> None:
    """For the web process's end."""
    prepared_rankings.stop()
