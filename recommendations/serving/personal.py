"""The lists of people: from Redis, else PostgreSQL, else the placement's fallback.

However many people are asked for, it is one round trip that reads from Redis, with admission, and where Redis does not
know a list, a bounded number of statements and of further round trips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from accounts import flags
from recommendations.cache import form, keys, store
from recommendations.cache.form import StoredList
from recommendations.placements.rules import DEFAULT_FALLBACK
from recommendations.serving import ladder, queries
from recommendations.serving.ladder import DATABASE_AWAY, POPULAR, Admit, Chosen

NEGATIVE_TTL_SECONDS = 30


def lists(
    *, tenant_id: int, placement: str, user_ids: Sequence[str], now: datetime, admit: Admit, spare: bool = False
) -> list[Chosen]:
    """One choice a person, in order. Warm: one Redis round trip for all, with admission, and no SQL.

    `spare` brings the popular list as well, for a request that leaves items out.
    Raises: what `admit` raises. A tenant over its quota whose plan gives a static list gets the popular one for all.
    """
    on = [flags.is_on(flags.RECOMMENDATIONS, tenant_id=tenant_id, user_id=user_id) for user_id in user_ids]
    for_all = keys.reference_list(tenant_id, POPULAR)
    wanted = [
        keys.user_list(tenant_id, placement, user_id) if personal else for_all
        for user_id, personal in zip(user_ids, on, strict=True)
    ]
    if spare:
        wanted.append(for_all)
    decision = admit(store.reads(tenant_id, wanted))
    if decision.static:
        return [ladder.over_quota(tenant_id, now, placement)] * len(user_ids)
    redis_up, found, gone = ladder.brought(tenant_id, decision, wanted, now)
    asked = _Asked(tenant_id, placement, now, redis_up, gone)
    chosen = asked.choose(user_ids, on, found[: len(user_ids)])
    if not spare:
        return chosen
    common = found[-1] or ladder.popular_list(tenant_id, redis_up)
    return [replace(each, spare=common) for each in chosen]


@dataclass(slots=True)
class _Asked:
    """One request for lists at a placement; what is the same for several people is found once."""

    tenant_id: int
    placement: str
    now: datetime
    redis_up: bool
    gone: Mapping[str, float] | None
    fallbacks: dict[tuple[str | None, tuple[str, ...]], Chosen] = field(default_factory=dict)

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
            gone = ladder.withdrawn_of(self.tenant_id, held.values(), self.now)
        each = zip(user_ids, on, strict=True)
        return [self._one(held.get(user_id), personal, off, gone) for user_id, personal in each]

    def _one(
        self, stored: StoredList | None, personal: bool, off: StoredList | None, gone: Mapping[str, float] | None
    ) -> Chosen:
        if not personal:
            return self._fallback("flag", DEFAULT_FALLBACK, popular=off)
        if stored is None:
            return self._fallback("database", DEFAULT_FALLBACK)
        if stored.total == 0:
            order = tuple(stored.reading.get("fallback", DEFAULT_FALLBACK))
            return self._fallback(stored.provenance.degraded, order)
        return Chosen(stored, stored.provenance.degraded, gone or {})

    def _fallback(self, degraded: str | None, order: tuple[str, ...], popular: StoredList | None = None) -> Chosen:
        key = (degraded, order)
        if key not in self.fallbacks:
            self.fallbacks[key] = ladder.fallback(
                self.tenant_id,
                self.gone,
                self.redis_up,
                self.now,
                placement=self.placement,
                degraded=degraded,
                popular=popular,
                order=order,
            )
        return self.fallbacks[key]

    def _from_postgres(self, user_ids: Sequence[str]) -> dict[str, StoredList]:
        """The rows, put back into Redis; for nobody's row an empty list that says why, kept for half a minute."""
        rows = queries.user_lists(tenant_id=self.tenant_id, placement=self.placement, user_ids=user_ids)
        found: dict[str, StoredList] = {}
        known: list[tuple[str, bytes]] = []
        nobodys: list[tuple[str, bytes]] = []
        for user_id in user_ids:
            row, name = rows[user_id], keys.user_list(self.tenant_id, self.placement, user_id)
            stored = queries.decoded(row) if isinstance(row, bytes) else None
            if isinstance(row, bytes) and stored is not None:
                known.append((name, row))
            else:
                raw = self._nothing(user_id, queries.Missing("no_build", 0) if isinstance(row, bytes) else row)
                stored = form.decode(raw)
                nobodys.append((name, raw))
            found[user_id] = stored
        if self.redis_up:
            ladder.refill(known, store.REFILL_TTL_SECONDS)
            ladder.refill(nobodys, NEGATIVE_TTL_SECONDS)
        return found

    def _nothing(self, user_id: str, why: queries.Missing) -> bytes:
        made = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        provenance = form.Provenance(why.build, 0, "static", made, degraded=why.reason)
        return form.encode(provenance=provenance, owner=user_id, entries=[], reading={"fallback": why.fallback})
