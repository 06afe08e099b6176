"""The lists of people: from Redis, else PostgreSQL, else the placement's fallback.

However many people are asked for, it is one round trip that reads from Redis, with admission, and where Redis does not
know a list, a bounded number of statements and of further round trips.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from accounts.tenancy import flags
from core import deadline
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import StoredList
from recommendations.list_kinds import POPULAR
from recommendations.placements import placement_cache
from recommendations.serving.lists import fallback_chain
from recommendations.serving.lists.fallback import USUAL, Instead, StandIns, popular_list, refill
from recommendations.serving.lists.fallback_chain import Admit
from recommendations.serving.read import selectors
from recommendations.serving.read.resolved import DATABASE_AWAY, Chosen, withdrawn_of

NEGATIVE_TTL_SECONDS = 30


def lists(
    *, tenant_id: int, placement: str, user_ids: Sequence[str], now: datetime, admit: Admit, spare: bool = False
) -> list[Chosen]:
    """One choice a person, in order. Warm: one Redis round trip for all, with admission, and no SQL.

    `spare` brings the popular list as well, for a request that leaves items out.
    A tenant over its quota whose plan gives a static list gets the popular one for all.
    Raises: what `admit` raises; UnknownPlacement, before Redis is asked for a list.
    """
    try:
        placement_cache.require(tenant_id=tenant_id, name=placement)
    except placement_cache.UnknownPlacement:
        admit([])  # it is charged like any other
        raise
    on = [flags.is_on(flags.RECOMMENDATIONS, tenant_id=tenant_id, user_id=user_id) for user_id in user_ids]
    for_all = keys.reference_list(tenant_id, POPULAR.key)
    wanted = [
        keys.user_list(tenant_id, placement, user_id) if personal else for_all
        for user_id, personal in zip(user_ids, on, strict=True)
    ]
    if spare:
        wanted.append(for_all)
    decision = admit(list_cache.reads(tenant_id, wanted))
    if decision.static:
        return [fallback_chain.over_quota(tenant_id, now, placement)] * len(user_ids)
    redis_up, found, gone = fallback_chain.brought(tenant_id, decision, wanted, now)
    asked = _Asked(tenant_id, placement, now, redis_up, gone)
    chosen = asked.choose(user_ids, on, found[: len(user_ids)])
    if not spare:
        return chosen
    common = found[-1] or popular_list(tenant_id, redis_up, now)
    return [replace(each, spare=common) for each in chosen]


@dataclass(slots=True)
class _Asked:
    """One request for lists at a placement; what is the same for several people is found once."""

    tenant_id: int
    placement: str
    now: datetime
    redis_up: bool
    gone: Mapping[str, float] | None
    fallbacks: dict[tuple[str | None, Instead], Chosen] = field(default_factory=dict)

    def choose(self, user_ids: Sequence[str], on: Sequence[bool], found: Sequence[StoredList | None]) -> list[Chosen]:
        """What answers for each: `found` is what Redis holds, popular for those for whom the flag is off."""
        held = {
            user_id: stored
            for user_id, personal, stored in zip(user_ids, on, found, strict=True)
            if personal and stored is not None and stored.owner == user_id
        }
        off = next((stored for personal, stored in zip(on, found, strict=True) if not personal), None)
        missing = [user_id for user_id, personal in zip(user_ids, on, strict=True) if personal and user_id not in held]
        away = False
        if missing:
            try:
                held |= self._from_postgres(list(dict.fromkeys(missing)))
            except DATABASE_AWAY:
                away = True
        gone = self.gone
        if gone is None and not away:
            gone = withdrawn_of(self.tenant_id, held.values(), self.now)
        others = StandIns(self.tenant_id, self.placement, self.now, self.redis_up, self.gone, popular=off)
        nothing = {user_id: Instead.of(stored.reading) for user_id, stored in held.items() if not stored.total}
        with suppress(*DATABASE_AWAY):  # each says so again, below
            others.load(nothing.values())
        chosen = []
        for user_id, personal in zip(user_ids, on, strict=True):
            stored = held.get(user_id)
            if personal and stored is not None and stored.total:
                chosen.append(Chosen(stored, stored.provenance.degraded, gone or {}, language=_language(stored)))
                continue
            degraded = "database" if stored is None else stored.provenance.degraded
            found_instead = self._fallback(others, degraded if personal else "flag", nothing.get(user_id, USUAL))
            chosen.append(replace(found_instead, language=_language(stored)))
        return chosen

    def _fallback(self, others: StandIns, degraded: str | None, what: Instead) -> Chosen:
        key = (degraded, what)
        if key not in self.fallbacks:
            self.fallbacks[key] = others.choose(degraded, what)
        return self.fallbacks[key]

    def _from_postgres(self, user_ids: Sequence[str]) -> dict[str, StoredList]:
        """The rows, put back into Redis; for nobody's row what says why and stands in, kept for half a minute."""
        rows = selectors.user_lists(tenant_id=self.tenant_id, placement=self.placement, user_ids=user_ids)
        found: dict[str, StoredList] = {}
        known: list[tuple[str, bytes]] = []
        nobodys: list[tuple[str, bytes]] = []
        others = StandIns(self.tenant_id, self.placement, self.now, self.redis_up, self.gone)
        others.introduce({user_id: row for user_id, row in rows.items() if isinstance(row, selectors.Missing)})
        for user_id in user_ids:
            deadline.check()
            row, name = rows[user_id], keys.user_list(self.tenant_id, self.placement, user_id)
            stored = selectors.decoded(row) if isinstance(row, bytes) else None
            if isinstance(row, bytes) and stored is not None:
                known.append((name, row))
            else:
                raw = others.instead_of(user_id, selectors.Missing("no_build", 0) if isinstance(row, bytes) else row)
                stored = list_codec.decode(raw)
                nobodys.append((name, raw))
            found[user_id] = stored
        if self.redis_up:
            refill(known, list_cache.REFILL_TTL_SECONDS)
            refill(nobodys, NEGATIVE_TTL_SECONDS)
        return found


def _language(stored: StoredList | None) -> str:
    """That of the person whose list it is; nothing where they are unknown."""
    return stored.voice.language if stored is not None and stored.voice is not None else ""
