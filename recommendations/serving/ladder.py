"""The ladder: which list answers, and what to say about it. Never blank while one server or the process knows one.

personal list in Redis -> in Postgres -> the placement's fallback: popular -> pinned -> latest -> (both servers away)
the process's last known popular list. `source` and `degraded` name the step.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from core.admission import Decision, Read
from core.redis import RedisUnavailable
from recommendations.cache import availability, form, keys, store
from recommendations.cache.form import StoredList
from recommendations.placements.models import HOME
from recommendations.placements.rules import DEFAULT_FALLBACK
from recommendations.serving import queries

POPULAR, SIMILAR, TOGETHER, TRENDING, LATEST = "popular", "similar", "together", "trending", "latest"
LATEST_TTL_SECONDS = 20
LAST_RESORT_TTL_SECONDS = 10
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
# Judges the request and reads for it, in one round trip; raises what refuses it.
Admit = Callable[[Sequence[Read]], Decision]
_REMEMBERED_MAX = 2_000
_STATIC = frozenset({"pinned", "latest"})
_log = structlog.get_logger(__name__)
_last_popular: dict[int, StoredList] = {}
# Whether Redis answers, the lists in the order asked, and the withdrawn items where they are known.
Found = tuple[bool, Sequence[StoredList | None], Mapping[str, float] | None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The list that answers, what to say of it, and what of it may not be shown (id -> unix second from when on).

    `refills`: a page that is narrowed is filled from `spare`, the popular list, and then with the newest items.
    """

    stored: StoredList
    degraded: str | None
    gone: Mapping[str, float]
    refills: bool = True
    spare: StoredList | None = None


def popular(*, tenant_id: int, now: datetime, admit: Admit | None = None) -> Chosen:
    """The tenant's popular list, or what stands for it. Without `admit`, for a request that is admitted already."""
    wanted = [keys.reference_list(tenant_id, POPULAR)]
    if admit is None:
        redis_up, found, gone = _fetch(tenant_id, wanted, now)
    elif (decision := admit(store.reads(tenant_id, wanted))).static:
        return over_quota(tenant_id, now)
    else:
        redis_up, found, gone = brought(tenant_id, decision, wanted, now)
    return fallback(tenant_id, gone, redis_up, now, popular=found[0])


def neighbours(*, tenant_id: int, kind: str, item_id: str, now: datetime, admit: Admit) -> Chosen | None:
    """An item's neighbours of this kind, SIMILAR or TOGETHER; None when there are none.

    Raises: what `admit` raises. Over the quota, as `personal.lists`.
    """
    wanted = [keys.reference_list(tenant_id, kind, item_id)]
    decision = admit(store.reads(tenant_id, wanted))
    if decision.static:
        return over_quota(tenant_id, now)
    redis_up, found, gone = brought(tenant_id, decision, wanted, now)
    try:
        stored = found[0] or _reference(tenant_id, kind, item_id, redis_up)
    except DATABASE_AWAY:
        return fallback(tenant_id, gone, redis_up, now, degraded="database")
    if stored is None:
        return None
    # Not filled with anything else: whatever stood there would not be similar.
    return replace(with_gone(tenant_id, stored, stored.provenance.degraded, gone, now), refills=False)


def for_everybody(*, tenant_id: int, kind: str, window: str, now: datetime, admit: Admit) -> Chosen:
    """The popular or trending list of a window; the popular one of all time where there is none.

    Raises: what `admit` raises. Over the quota, as `personal.lists`.
    """
    wanted = [keys.reference_list(tenant_id, kind, window), keys.reference_list(tenant_id, POPULAR)]
    decision = admit(store.reads(tenant_id, wanted))
    if decision.static:
        return over_quota(tenant_id, now)
    redis_up, found, gone = brought(tenant_id, decision, wanted, now)
    try:
        stored = found[0] or _reference(tenant_id, kind, window, redis_up)
    except DATABASE_AWAY:
        return fallback(tenant_id, gone, redis_up, now, degraded="database", popular=found[1])
    if stored is None:
        return fallback(tenant_id, gone, redis_up, now, popular=found[1])
    return replace(with_gone(tenant_id, stored, stored.provenance.degraded, gone, now), spare=found[1])


def latest(*, tenant_id: int, now: datetime, admit: Admit) -> Chosen:
    """The newest items of the catalogue, at most LATEST_TTL_SECONDS old; with or without a build.

    Raises: what `admit` raises. Over the quota, as `personal.lists`.
    """
    key = keys.reference_list(tenant_id, LATEST)
    decision = admit(store.reads(tenant_id, [key]))
    if decision.static:
        return over_quota(tenant_id, now)
    redis_up, found, gone = brought(tenant_id, decision, [key], now)
    stored = found[0]
    if stored is None:
        try:
            stored, raw = queries.latest(tenant_id=tenant_id, now=now)
        except DATABASE_AWAY:
            return fallback(tenant_id, gone, redis_up, now, degraded="database")
        if redis_up and stored.total:
            refill([(key, raw)], LATEST_TTL_SECONDS)
    return with_gone(tenant_id, stored, stored.provenance.degraded, gone, now)


def neighbours_from_postgres(
    *, tenant_id: int, item_ids: Sequence[str], kinds: Sequence[str], held: Sequence[StoredList | None]
) -> list[StoredList | None]:
    """The lists that are missing in `held`, which is in the order of items and, for each, of kinds. One statement."""
    found = queries.reference_lists(tenant_id=tenant_id, kinds=kinds, subjects=item_ids)
    wanted = [(kind, item_id) for item_id in item_ids for kind in kinds]
    return [each or queries.decoded(found.get(pair)) for pair, each in zip(wanted, held, strict=True)]


def _reference(tenant_id: int, kind: str, subject: str, redis_up: bool) -> StoredList | None:
    """The list from Postgres, put back into Redis."""
    raw = queries.reference_list(tenant_id=tenant_id, kind=kind, subject=subject)
    stored = queries.decoded(raw)
    if raw is not None and stored is not None and redis_up:
        refill([(keys.reference_list(tenant_id, kind, subject), raw)], store.REFILL_TTL_SECONDS)
    return stored


def over_quota(tenant_id: int, now: datetime, placement: str = HOME) -> Chosen:
    """The popular list, and why."""
    redis_up, found, gone = _fetch(tenant_id, [keys.reference_list(tenant_id, POPULAR)], now)
    return fallback(tenant_id, gone, redis_up, now, placement=placement, degraded="quota", popular=found[0])


def brought(tenant_id: int, decision: Decision, wanted: Sequence[str], now: datetime) -> Found:
    """What admission has read; nothing where it had to do without Redis."""
    if decision.values is None:
        return False, [None] * len(wanted), None
    return _completed(tenant_id, store.parse(decision.values), now)


def _fetch(tenant_id: int, wanted: Sequence[str], now: datetime) -> Found:
    try:
        return _completed(tenant_id, store.fetch(tenant_id, wanted), now)
    except RedisUnavailable:
        return False, [None] * len(wanted), None


def _completed(tenant_id: int, fetched: store.Fetched, now: datetime) -> Found:
    """With the withdrawn items from Postgres, where Redis does not know them."""
    if fetched.gone is not None:
        return True, fetched.lists, fetched.gone
    try:
        withdrawn = queries.withdrawn(tenant_id=tenant_id, now=now)
        availability.load(tenant_id, withdrawn)
    except DATABASE_AWAY:
        _log.warning("withdrawn_items_unknown", tenant_id=tenant_id)
        return True, fetched.lists, {}
    except RedisUnavailable:
        return False, fetched.lists, withdrawn
    return True, fetched.lists, withdrawn


def fallback(
    tenant_id: int,
    gone: Mapping[str, float] | None,
    redis_up: bool,
    now: datetime,
    *,
    placement: str = HOME,
    degraded: str | None = None,
    popular: StoredList | None = None,
    order: Sequence[str] = DEFAULT_FALLBACK,
) -> Chosen:
    """The first step that `order` names and that has anything; the last known popular list without any server."""
    try:
        first = next((kind for kind in order if kind == POPULAR or kind in _STATIC), POPULAR)
        found = (popular or _popular(tenant_id, redis_up)) if first == POPULAR else None
        if found is not None:
            _remember(tenant_id, found)
            return with_gone(tenant_id, found, degraded, gone, now)
        static = _last_resort(tenant_id, placement, degraded or "no_build", redis_up, now)
        return Chosen(static, static.provenance.degraded, gone or {})
    except DATABASE_AWAY:
        remembered = _last_popular.get(tenant_id) or form.decode(
            form.encode(
                provenance=form.Provenance(0, 0, "static", now.strftime("%Y-%m-%dT%H:%M:00Z")), owner="", entries=[]
            )
        )
        return Chosen(remembered, "database", gone or {})


def popular_list(tenant_id: int, redis_up: bool) -> StoredList | None:
    """The popular list from Redis or Postgres; None where there is none, or the database is away."""
    try:
        return _popular(tenant_id, redis_up)
    except DATABASE_AWAY:
        return None


def _popular(tenant_id: int, redis_up: bool) -> StoredList | None:
    key = keys.reference_list(tenant_id, POPULAR)
    if redis_up:
        try:
            if found := store.fetch(tenant_id, [key]).lists[0]:
                return found
        except RedisUnavailable:
            redis_up = False
    raw = queries.reference_list(tenant_id=tenant_id, kind=POPULAR)
    if raw is not None and redis_up:
        refill([(key, raw)], store.REFILL_TTL_SECONDS)
    return queries.decoded(raw)


def _last_resort(tenant_id: int, placement: str, reason: str, redis_up: bool, now: datetime) -> StoredList:
    """Pinned and latest items; kept in Redis for seconds, so that a tenant without a build costs Postgres little."""
    key = keys.reference_list(tenant_id, "static", f"{placement}:{reason}")
    if redis_up:
        try:
            if found := store.fetch(tenant_id, [key]).lists[0]:
                return found
        except RedisUnavailable:
            redis_up = False
    stored, raw = queries.last_resort(tenant_id=tenant_id, placement=placement, now=now, reason=reason)
    if redis_up and stored.total:
        refill([(key, raw)], LAST_RESORT_TTL_SECONDS)
    return stored


def with_gone(
    tenant_id: int, stored: StoredList, degraded: str | None, gone: Mapping[str, float] | None, now: datetime
) -> Chosen:
    """The list with what of it may not be shown, from Postgres where Redis is away."""
    if gone is None:
        gone = withdrawn_of(tenant_id, [stored], now)
    return Chosen(stored, degraded, gone)


def withdrawn_of(tenant_id: int, lists: Iterable[StoredList], now: datetime) -> Mapping[str, float]:
    """Which items of these lists may not be shown, from Postgres; none where it is away."""
    listed = {entry["item_id"] for stored in lists for entry in stored.entries()}
    try:
        return queries.withdrawn(tenant_id=tenant_id, now=now, among=listed)
    except DATABASE_AWAY:
        return {}


def refill(bodies: Sequence[tuple[str, bytes]], ttl_seconds: int) -> None:
    """Puts lists back into Redis, if it can be reached."""
    try:
        store.put_many(bodies, ttl_seconds=ttl_seconds)
    except RedisUnavailable:
        _log.info("refill_skipped", reason="redis")


def _remember(tenant_id: int, popular: StoredList) -> None:
    if len(_last_popular) >= _REMEMBERED_MAX:
        _last_popular.clear()
    _last_popular[tenant_id] = popular
