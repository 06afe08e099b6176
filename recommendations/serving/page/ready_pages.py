"""First pages as ready bytes: the body, ETag, recommendation id and cursor of a stored list, made once in a process.

A page is good for exactly the stored bytes that it was made from, so nothing needs to be told to this cache: a list
that was replaced, forgotten or erased is not read from Redis again, and other bytes make another page. Its cursor is
new every five minutes (`cursor.ROUNDING_SECONDS`), as everywhere.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core import process_caches
from recommendations.cache import list_codec
from recommendations.metrics import LISTS_SERVED
from recommendations.serving.page import render
from recommendations.serving.page.render import Answer
from recommendations.serving.read.cursor import ROUNDING_SECONDS
from recommendations.serving.read.list_query import Subject
from recommendations.serving.read.resolved import ResolvedList, is_available

# In one process, some 8 kB each.
MAX_PAGES = 2_000


@dataclass(frozen=True, slots=True)
class ReadyPage:
    """A page with its stored list. `answer` is None if the list needs work for each reader, as a rotating one does."""

    raw: bytes
    slot: int
    answer: Answer | None
    until: Mapping[str, float]
    body: bytes = b""
    served: Any = None  # the metric
    impression: tuple[Any, ...] = ()  # as ImpressionBuffer.record_users_pages takes it

    def is_shown_whole(self, withdrawn: Mapping[str, float], moment: float) -> bool:
        """Tell if every item of the page is available at `moment` (Unix second)."""
        assert self.answer is not None
        return all(is_available(item_id, withdrawn, self.until, moment) for item_id in self.answer.item_ids)


_pages: dict[str, ReadyPage] = {}
_adding = threading.Lock()
process_caches.register(_pages.clear)


def find(
    *,
    tenant_id: int,
    placement: str,
    lists: Iterable[tuple[str, str, bytes]],
    withdrawn: Mapping[str, float],
    timestamp: float,
) -> list[ReadyPage] | None:
    """Return the first page, with usual options, of each list: its Redis key, its user, and the bytes held there.

    None if a stored head is not the page, whatever the reader's language: `read_user_lists` then makes all of them.
    """
    slot = int(timestamp) // ROUNDING_SECONDS
    pages = []
    for key, user_id, raw in lists:
        page = _pages.get(key)
        if page is None or page.slot != slot or page.raw != raw:
            page = _made(raw, Subject(tenant_id, user_id, placement), slot, timestamp)
            _remember(key, page)
        if page.answer is None or ((withdrawn or page.until) and not page.is_shown_whole(withdrawn, timestamp)):
            return None
        pages.append(page)
    return pages


def _remember(key: str, page: ReadyPage) -> None:
    with _adding:
        if len(_pages) >= MAX_PAGES and key not in _pages:
            del _pages[next(iter(_pages))]
        _pages[key] = page


def count(pages: Iterable[ReadyPage]) -> None:
    """Count pages as served."""
    for served, times in Counter(page.served for page in pages).items():
        served.inc(times)


def _made(raw: bytes, subject: Subject, slot: int, timestamp: float) -> ReadyPage:
    stored = list_codec.decode_or_none(raw)
    if (
        stored is None
        or stored.owner != subject.user_id
        or not stored.head_ids
        or stored.reading
        or (stored.voice is not None and not stored.voice.language)
    ):
        return ReadyPage(raw, slot, None, {})
    degraded = stored.provenance.degraded
    resolved = ResolvedList(stored, degraded, {}, language=stored.language)
    answer = render.render_head(resolved=resolved, subject=subject, now=datetime.fromtimestamp(timestamp, UTC))
    listed = {item_id: at for item_id, at in stored.until.items() if item_id in stored.head_ids}
    shown = (answer.label, answer.arm, answer.source, answer.item_ids, answer.page)
    return ReadyPage(
        raw,
        slot,
        answer,
        listed,
        answer.body,
        LISTS_SERVED.labels(answer.source, degraded or "none"),
        (answer.recommendation_id, subject.user_id, *shown),
    )
