"""The ladder: which list answers, and what to say about it. Never blank while one server or the process knows one.

personal list in Redis -> in Postgres -> what the placement's fallback names (recommendations.serving.lists.fallback) ->
(both servers away) the process's last known popular list. `source` and `degraded` name the step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from core.ratelimit import Decision, Read
from core.redis import RedisUnavailable
from recommendations.cache import keys, list_cache, withdrawn_items
from recommendations.cache.list_codec import StoredList
from recommendations.list_kinds import LATEST, POPULAR
from recommendations.placements.models import HOME
from recommendations.serving.lists.fallback import StandIns, refill
from recommendations.serving.read import reason_language, selectors
from recommendations.serving.read.resolved import DATABASE_AWAY, Chosen, shows_anything, with_gone

LATEST_TTL_SECONDS = 20
# Judges the request and reads for it, in one round trip; raises what refuses it.
Admit = Callable[[Sequence[Read]], Decision]
_log = structlog.get_logger(__name__)
# Whether Redis answers, the lists in the order asked, and the withdrawn items where they are known.
Found = tuple[bool, Sequence[StoredList | None], Mapping[str, float] | None]


def popular(*, tenant_id: int, now: datetime, admit: Admit | None = None) -> Chosen:
    """The tenant's popular list, or what stands for it. Without `admit`, for a request that is admitted already."""
    wanted = [keys.reference_list(tenant_id, POPULAR.key)]
    if admit is None:
        redis_up, found, gone = fetch(tenant_id, wanted, now)
    elif (decision := admit(list_cache.reads(tenant_id, wanted))).static:
        return over_quota(tenant_id, now)
    else:
        redis_up, found, gone = brought(tenant_id, decision, wanted, now)
    return fallback(tenant_id, gone, redis_up, now, popular=found[0])


def neighbours(*, tenant_id: int, kind: str, item_id: str, now: datetime, admit: Admit) -> Chosen | None:
    """An item's neighbours of this kind, SIMILAR or TOGETHER; None when there are none that may be shown.

    Raises: what `admit` raises. Over the quota, as `personal.lists`.
    """
    wanted = [keys.reference_list(tenant_id, kind, item_id)]
    decision = admit(list_cache.reads(tenant_id, wanted))
    if decision.static:
        return over_quota(tenant_id, now)
    redis_up, found, gone = brought(tenant_id, decision, wanted, now)
    try:
        stored = found[0] or _reference(tenant_id, kind, item_id, redis_up)
    except DATABASE_AWAY:
        return fallback(tenant_id, gone, redis_up, now, degraded="database")
    if stored is None:
        return None
    chosen = with_gone(tenant_id, stored, stored.provenance.degraded, gone, now)
    if not shows_anything(chosen, now.timestamp()):
        return None
    # Not filled with anything else: whatever stood there would not be similar.
    return replace(chosen, refills=False)


def for_everybody(*, tenant_id: int, kind: str, window: str, now: datetime, admit: Admit) -> Chosen:
    """The popular or trending list of a window; the popular one of all time where there is none.

    Raises: what `admit` raises. Over the quota, as `personal.lists`.
    """
    wanted = [keys.reference_list(tenant_id, kind, window), keys.reference_list(tenant_id, POPULAR.key)]
    decision = admit(list_cache.reads(tenant_id, wanted))
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
    key = keys.reference_list(tenant_id, LATEST.key)
    decision = admit(list_cache.reads(tenant_id, [key]))
    if decision.static:
        return over_quota(tenant_id, now)
    redis_up, found, gone = brought(tenant_id, decision, [key], now)
    stored = found[0]
    if stored is None:
        try:
            stored, raw = selectors.latest(tenant_id=tenant_id, now=now, locale=reason_language.of_tenant(tenant_id))
        except DATABASE_AWAY:
            return fallback(tenant_id, gone, redis_up, now, degraded="database")
        if redis_up and stored.total:
            refill([(key, raw)], LATEST_TTL_SECONDS)
    return with_gone(tenant_id, stored, stored.provenance.degraded, gone, now)


def neighbours_from_postgres(
    *, tenant_id: int, item_ids: Sequence[str], kinds: Sequence[str], held: Sequence[StoredList | None]
) -> list[StoredList | None]:
    """The lists that are missing in `held`, which is in the order of items and, for each, of kinds. One statement."""
    found = selectors.reference_lists(tenant_id=tenant_id, kinds=kinds, subjects=item_ids)
    wanted = [(kind, item_id) for item_id in item_ids for kind in kinds]
    return [each or selectors.decoded(found.get(pair)) for pair, each in zip(wanted, held, strict=True)]


def _reference(tenant_id: int, kind: str, subject: str, redis_up: bool) -> StoredList | None:
    """The list from Postgres, put back into Redis."""
    raw = selectors.reference_list(tenant_id=tenant_id, kind=kind, subject=subject)
    stored = selectors.decoded(raw)
    if raw is not None and stored is not None and redis_up:
        refill([(keys.reference_list(tenant_id, kind, subject), raw)], list_cache.REFILL_TTL_SECONDS)
    return stored


def over_quota(tenant_id: int, now: datetime, placement: str = HOME) -> Chosen:
    """The popular list, and why."""
    redis_up, found, gone = fetch(tenant_id, [keys.reference_list(tenant_id, POPULAR.key)], now)
    return fallback(tenant_id, gone, redis_up, now, placement=placement, degraded="quota", popular=found[0])


def brought(tenant_id: int, decision: Decision, wanted: Sequence[str], now: datetime) -> Found:
    """What admission has read; nothing where it had to do without Redis."""
    if decision.values is None:
        return False, [None] * len(wanted), None
    return _completed(tenant_id, list_cache.parse(decision.values, wanted), now)


def fetch(tenant_id: int, wanted: Sequence[str], now: datetime) -> Found:
    """Read what Redis holds of these lists, for a request whose admission has read nothing."""
    try:
        return _completed(tenant_id, list_cache.fetch(tenant_id, wanted), now)
    except RedisUnavailable:
        return False, [None] * len(wanted), None


def _completed(tenant_id: int, fetched: list_cache.Fetched, now: datetime) -> Found:
    """With the withdrawn items from Postgres, where Redis does not know them."""
    if fetched.gone is not None:
        return True, fetched.lists, fetched.gone
    try:
        withdrawn = selectors.withdrawn(tenant_id=tenant_id, now=now)
        withdrawn_items.load(tenant_id, withdrawn)
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
) -> Chosen:
    """What is popular, or what stands for it; the last known popular list without any server."""
    return StandIns(tenant_id, placement, now, redis_up, gone, popular=popular).choose(degraded)
