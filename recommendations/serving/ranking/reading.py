"""The reads of Redis for a ranking, together with admission, and what follows from the list that a person has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from accounts.tenancy import flags
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import StoredList
from recommendations.explanations import templates
from recommendations.list_kinds import POPULAR
from recommendations.pipeline.ranking.variants import Following
from recommendations.placements import placement_cache
from recommendations.serving.lists import fallback_chain
from recommendations.serving.lists.fallback_chain import Admit
from recommendations.serving.ranking.database import Known
from recommendations.serving.ranking.ranking_query import Asked
from recommendations.serving.read import reason_language, selectors
from recommendations.serving.read.resolved import DATABASE_AWAY

QUOTA, FLAG = "quota", "flag"


@dataclass(frozen=True, slots=True)
class Held:
    """The data that Redis holds: the person's list, the popular one, and what is withdrawn.

    `why` says why nothing personal may be used, where that is so.
    """

    redis_up: bool
    own: StoredList | None
    popular: StoredList | None
    gone: Mapping[str, float] | None
    why: str | None


def admitted(asked: Asked, *, now: datetime, admit: Admit) -> Held:
    """Charges the request and brings the lists along, in one round trip to Redis.

    Raises: what `admit` raises; UnknownPlacement.
    """
    try:
        if asked.placement:
            placement_cache.require(tenant_id=asked.tenant_id, name=asked.placement)
    except placement_cache.UnknownPlacement:
        admit([])  # it is charged like any other
        raise
    personal = flags.is_on(flags.RECOMMENDATIONS, tenant_id=asked.tenant_id, user_id=asked.user_id)
    wanted = [keys.reference_list(asked.tenant_id, POPULAR.key)]
    if personal:
        wanted.append(keys.user_list(asked.tenant_id, asked.list_at, asked.user_id))
    decision = admit(list_cache.reads(asked.tenant_id, wanted))
    if decision.static:
        redis_up, found, gone = fallback_chain.fetch(asked.tenant_id, wanted, now)
    else:
        redis_up, found, gone = fallback_chain.brought(asked.tenant_id, decision, wanted, now)
    why = QUOTA if decision.static else None if personal else FLAG
    own = found[1] if why is None else None
    if own is not None and (own.owner != asked.user_id or not own.total):
        own = None
    return Held(redis_up, own, found[0], gone, why)


def arm_of(asked: Asked, follow: Following | None, held: Held) -> str:
    """The arm of an experiment that the person's list names: list and ranking belong to one, as near line has it.

    Of AI's comparison there is no arm here: AI orders no given items.
    """
    if follow is None or not follow.arms or held.why:
        return ""
    own = held.own or _list_in_postgres(asked)
    label = own.provenance.arm if own is not None else ""
    return label if label in follow.arms else ""


def _list_in_postgres(asked: Asked) -> StoredList | None:
    user_ids = [asked.user_id]
    try:
        rows = selectors.user_lists(tenant_id=asked.tenant_id, placement=asked.list_at, user_ids=user_ids)
    except DATABASE_AWAY:
        return None
    row = rows[asked.user_id]
    return selectors.decoded(row) if isinstance(row, bytes) else None


def language_of(asked: Asked, held: Held, told: Known) -> str:
    """The person's; else that of their list; else the one that the request prefers; else the tenant's."""
    ours = reason_language.of_tenant(asked.tenant_id)
    if told.person is not None:
        return templates.language(told.person.locale) if told.person.locale else ours
    own = held.own.voice.language if held.own is not None and held.own.voice is not None else ""
    return own or asked.options.language or ours
