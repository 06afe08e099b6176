"""The reads of Redis for a ranking, together with admission, and what follows from the list that a person has."""

from dataclasses import dataclass
from datetime import datetime

from accounts.tenancy import flags
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import StoredList
from recommendations.degradation import FLAG, QUOTA
from recommendations.explanations import templates
from recommendations.list_kinds import POPULAR
from recommendations.pipeline.ranking.variants import VariantAssignment
from recommendations.placements import placement_cache
from recommendations.serving.lists.cached_lists import CachedLists
from recommendations.serving.lists.limiter import Limiter
from recommendations.serving.ranking.database import UserState
from recommendations.serving.ranking.ranking_query import RankQuery
from recommendations.serving.read import reason_language, selectors
from recommendations.serving.read.resolved import DATABASE_AWAY


@dataclass(frozen=True, slots=True)
class RankInputs:
    """The user's list and the popular one. `why` says why no data of the user may be used; None if it may."""

    cached: CachedLists
    own: StoredList | None
    popular: StoredList | None
    why: str | None


def read_cache(query: RankQuery, *, now: datetime, limiter: Limiter) -> RankInputs:
    """Admit the request and read its lists, in one round trip to Redis.

    Raises: what `limiter` raises; UnknownPlacement.
    """
    personal = flags.is_on(flags.RECOMMENDATIONS, tenant_id=query.tenant_id, user_id=query.user_id)
    wanted = [keys.reference_list(query.tenant_id, POPULAR.key)]
    if personal:
        wanted.append(keys.user_list(query.tenant_id, query.list_at, query.user_id))
    decision = limiter.admit(list_cache.read_commands(query.tenant_id, wanted))
    if query.placement:
        placement_cache.require_placement(tenant_id=query.tenant_id, name=query.placement)
    if decision.static:
        cached = CachedLists.fetch(query.tenant_id, wanted, now)
    else:
        cached = CachedLists.from_decision(query.tenant_id, decision, wanted, now)
    why = QUOTA if decision.static else None if personal else FLAG
    own = cached.lists[1] if why is None else None
    if own is not None and (own.owner != query.user_id or not own.total):
        own = None
    return RankInputs(cached, own, cached.lists[0], why)


def arm_of(query: RankQuery, follow: VariantAssignment | None, held: RankInputs) -> str:
    """The arm of an experiment that the person's list names: list and ranking belong to one, as near line has it.

    Of AI's comparison there is no arm here: AI orders no given items.
    """
    if follow is None or not follow.arms or held.why:
        return ""
    own = held.own or _list_in_postgres(query)
    label = own.provenance.arm if own is not None else ""
    return label if label in follow.arms else ""


def _list_in_postgres(query: RankQuery) -> StoredList | None:
    user_ids = [query.user_id]
    try:
        rows = selectors.user_lists(tenant_id=query.tenant_id, placement=query.list_at, user_ids=user_ids)
    except DATABASE_AWAY:
        return None
    row = rows[query.user_id]
    return list_codec.decode_or_none(row) if isinstance(row, bytes) else None


def language_of(query: RankQuery, held: RankInputs, told: UserState) -> str:
    """The person's; else that of their list; else the one that the request prefers; else the tenant's."""
    ours = reason_language.of_tenant(query.tenant_id)
    if told.person is not None:
        return templates.language(told.person.locale) if told.person.locale else ours
    own = held.own.language if held.own is not None else ""
    return own or query.options.language or ours
