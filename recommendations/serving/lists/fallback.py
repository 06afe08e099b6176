"""What stands in for a list that somebody does not have: the first step of the placement's fallback that has anything.

`segment`, `trending` and `popular` are lists of the active build: for all people of a request one round trip to Redis,
and one statement for those that it does not hold. `pinned` are the placement's items, `latest` the catalogue's newest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any

import structlog

from core import process_caches
from core.redis import RedisUnavailable
from recommendations import filter_language
from recommendations.cache import keys, list_cache, list_codec
from recommendations.cache.list_codec import MAX_ITEMS, Entry, StoredList, Voice
from recommendations.explanations import templates
from recommendations.list_kinds import FOR_YOU
from recommendations.serving.page.filtering import Matcher
from recommendations.serving.read import reason_language, selectors
from recommendations.serving.read.resolved import DATABASE_AWAY, Chosen, withdrawn_of

SEGMENT, TRENDING, POPULAR, PINNED, LATEST = "segment", "trending", "popular", "pinned", "latest"
# Of the trending lists.
WINDOW = "7d"
LAST_RESORT_TTL_SECONDS = 10
_REMEMBERED_MAX = 2_000
_log = structlog.get_logger(__name__)
_last_popular: dict[int, StoredList] = {}
# A list of the build, by kind and subject.
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Instead:
    """What the rules say: the order, the subjects of the person's segments, and what is never shown."""

    order: tuple[str, ...] = FOR_YOU.fallback
    segments: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()

    @classmethod
    def of(cls, reading: Mapping[str, Any]) -> "Instead":
        """As an empty list brings it (recommendations.placements.fallback_rules)."""
        order, segments, hide = (reading.get(name) for name in ("fallback", "segments", "hide"))
        return cls(FOR_YOU.fallback if order is None else tuple(order), tuple(segments or ()), tuple(hide or ()))

    def common(self) -> list[Pair]:
        """The lists of the build that may stand in, best first."""
        named: Mapping[str, Sequence[str]] = {SEGMENT: self.segments, TRENDING: [WINDOW], POPULAR: [""]}
        return [(step, subject) for step in self.order for subject in named.get(step, ())]


USUAL = Instead()


class StandIns:
    """What stands in at a placement, for all people of one request; everything is read once at most."""

    def __init__(
        self,
        tenant_id: int,
        placement: str,
        now: datetime,
        redis_up: bool,
        gone: Mapping[str, float] | None,
        *,
        popular: StoredList | None = None,
    ) -> None:
        self._tenant_id = tenant_id
        self._placement = placement
        self._now = now
        self._redis_up = redis_up
        self._gone = gone
        self._held: dict[Pair, StoredList] = {} if popular is None else {(POPULAR, ""): popular}
        self._asked: set[Pair] = set(self._held)
        self._static: dict[tuple[str, bool], StoredList] = {}
        self._matchers: dict[str, Matcher] = {}
        # Without Redis: of how many of the lists it is known what of them may not be shown, and what.
        self._looked_up: tuple[int, Mapping[str, float]] = (0, {})

    def load(self, what: Iterable[Instead]) -> None:
        """Reads at once what several people may need.

        Raises: one of DATABASE_AWAY where none of it is known.
        """
        orders = [each.common() for each in what]
        new = [pair for pair in dict.fromkeys(pair for order in orders for pair in order) if pair not in self._asked]
        if not new:
            return
        self._asked |= set(new)
        self._from_redis(new)
        # What comes before the first that is held decides; what comes after it is of no interest.
        before = {pair for order in orders for pair in takewhile(lambda pair: pair not in self._held, order)}
        try:
            self._from_postgres([pair for pair in new if pair in before])
        except DATABASE_AWAY:
            if not self._held:
                raise

    def held(self, pair: Pair) -> StoredList | None:
        """A list that was loaded, if it is there."""
        return self._held.get(pair)

    def choose(self, degraded: str | None, what: Instead = USUAL) -> Chosen:
        """The first step that has anything; the last known popular list without any server."""
        try:
            self.load([what])
            found = self._first(degraded, what)
        except DATABASE_AWAY:
            remembered = _last_popular.get(self._tenant_id) or _nothing(self._now)
            return self._chosen(remembered, "database", self._gone or {}, what)
        if found.provenance.source == "static":
            return self._chosen(found, found.provenance.degraded, self._gone or {}, what)
        return self._chosen(found, degraded, self._withdrawn(), what)

    def _withdrawn(self) -> Mapping[str, float]:
        if self._gone is not None:
            return self._gone
        if self._looked_up[0] < len(self._held):
            self._looked_up = len(self._held), withdrawn_of(self._tenant_id, self._held.values(), self._now)
        return self._looked_up[1]

    def introduce(self, missing: Mapping[str, selectors.Missing]) -> None:
        """Reads at once what the placement's filter asks of these people."""
        for wanted in {why.instead.get("filter") or "" for why in missing.values()}:
            if wanted:
                self._matcher(wanted).introduce(list(missing))

    def instead_of(self, user_id: str, why: selectors.Missing) -> bytes:
        """The list that is kept for somebody without one: an empty one, which says why and what stands in.

        Where the placement has a filter it is what stands in as far as it meets it, then the newest items that do: a
        list of its own, and empty only where nothing in the catalogue meets it.
        """
        wanted = why.instead.get("filter")
        # Of somebody unknown each request says what they read.
        voice = Voice(templates.language(why.locale or reason_language.of_tenant(self._tenant_id)) if why.known else "")
        made = list_codec.Provenance(
            why.build, 0, "static", self._now.strftime("%Y-%m-%dT%H:%M:%SZ"), degraded=why.reason
        )
        if not wanted:
            return list_codec.encode(provenance=made, owner=user_id, entries=[], reading=why.instead, voice=voice)
        what, matcher = Instead.of(why.instead), self._matcher(wanted)
        found, entries = self._meeting(matcher, user_id, why.reason, what)
        if found is not None:
            made = replace(made, source=found.provenance.source, artefact=found.provenance.artefact)
        there = {entry.item_id for entry in entries} | set(what.hide)
        newest = [item_id for item_id in matcher.latest(user_id) if item_id not in there]
        entries += [Entry(item_id, 0.0, "", (), LATEST) for item_id in newest[: MAX_ITEMS - len(entries)]]
        spoken = voice.language or reason_language.of_tenant(self._tenant_id)
        entries = [replace(entry, reason=templates.explain(part=entry.part, locale=spoken)) for entry in entries]
        until, reading = found.until if found else {}, None if entries else why.instead
        return list_codec.encode(
            provenance=made, owner=user_id, entries=entries, until=until, reading=reading, voice=voice
        )

    def _meeting(
        self, matcher: Matcher, user_id: str, reason: str, what: Instead
    ) -> tuple[StoredList | None, list[Entry]]:
        """What meets a filter of the first step before the newest items that has anything which does."""
        self.load([Instead((step,), what.segments) for step in what.order])
        for step in takewhile(lambda step: step != LATEST, what.order):
            if step == PINNED:
                lists = [self._last_resort(reason, pinned=True)]
            else:
                lists = [self._held[pair] for pair in what.common() if pair[0] == step and pair in self._held]
            for stored in lists:
                both = zip(stored.entries(), stored.parts, strict=True)
                listed = [(entry, part) for entry, part in both if step != PINNED or part == PINNED]
                kept = matcher.kept(user_id, [entry["item_id"] for entry, _ in listed]) - set(what.hide)
                if entries := [_entry(entry, part) for entry, part in listed if entry["item_id"] in kept]:
                    return stored, entries
        return None, []

    def _matcher(self, wanted: str) -> Matcher:
        if wanted not in self._matchers:
            node = filter_language.parse(wanted)
            self._matchers[wanted] = Matcher(
                tenant_id=self._tenant_id, category="", node=node, now=self._now, limited=False
            )
        return self._matchers[wanted]

    def _chosen(self, stored: StoredList, degraded: str | None, gone: Mapping[str, float], what: Instead) -> Chosen:
        return Chosen(stored, degraded, {**gone, **dict.fromkeys(what.hide, 0.0)} if what.hide else gone)

    def _first(self, degraded: str | None, what: Instead) -> StoredList:
        """In the order of the rules; in the end pinned and latest items, whatever they say: no list is blank."""
        for place, step in enumerate(what.order):
            if step in (PINNED, LATEST):
                found = self._last_resort(degraded or "no_build", pinned=step == PINNED)
                # Behind pinned items come the latest; without the former, whatever else stands in comes first.
                pinned = found.total and found.parts[0] == PINNED
                if pinned or (found.total and (step == LATEST or set(what.order[place + 1 :]) <= {LATEST})):
                    return found
                continue
            lists = (self._held.get(pair) for pair in what.common() if pair[0] == step)
            if (common := next((each for each in lists if each is not None and each.total), None)) is not None:
                if step == POPULAR:
                    _remember(self._tenant_id, common)
                return common
        return self._last_resort(degraded or "no_build", pinned=True)

    def _from_redis(self, pairs: Sequence[Pair]) -> None:
        if not self._redis_up:
            return
        try:
            found = list_cache.fetch(
                self._tenant_id, [keys.reference_list(self._tenant_id, *pair) for pair in pairs]
            ).lists
        except RedisUnavailable:
            self._redis_up = False
        else:
            self._held |= {pair: each for pair, each in zip(pairs, found, strict=True) if each is not None}

    def _from_postgres(self, pairs: Sequence[Pair]) -> None:
        if not pairs:
            return
        kinds, subjects = {kind for kind, _ in pairs}, {subject for _, subject in pairs}
        rows = selectors.reference_lists(tenant_id=self._tenant_id, kinds=kinds, subjects=subjects)
        found = {pair: rows[pair] for pair in pairs if selectors.decoded(rows.get(pair)) is not None}
        self._held |= {pair: list_codec.decode(raw) for pair, raw in found.items()}
        if self._redis_up and found:
            named = [(keys.reference_list(self._tenant_id, *pair), raw) for pair, raw in found.items()]
            refill(named, list_cache.REFILL_TTL_SECONDS)

    def _last_resort(self, reason: str, *, pinned: bool) -> StoredList:
        """Pinned and latest items; kept in Redis for seconds: a tenant without a build costs Postgres little."""
        if (held := self._static.get((reason, pinned))) is not None:
            return held
        subject = f"{self._placement}:{reason}" + ("" if pinned else ":latest")
        key = keys.reference_list(self._tenant_id, "static", subject)
        if self._redis_up:
            try:
                if found := list_cache.fetch(self._tenant_id, [key]).lists[0]:
                    return self._static.setdefault((reason, pinned), found)
            except RedisUnavailable:
                self._redis_up = False
        stored, raw = selectors.last_resort(
            tenant_id=self._tenant_id,
            placement=self._placement,
            pinned=pinned,
            now=self._now,
            reason=reason,
            locale=reason_language.of_tenant(self._tenant_id),
        )
        if self._redis_up and stored.total:
            refill([(key, raw)], LAST_RESORT_TTL_SECONDS)
        return self._static.setdefault((reason, pinned), stored)


def popular_list(tenant_id: int, redis_up: bool, now: datetime) -> StoredList | None:
    """The popular list from Redis or Postgres; None where there is none, or the database is away."""
    lists = StandIns(tenant_id, "", now, redis_up, {})
    try:
        lists.load([Instead(order=(POPULAR,))])
    except DATABASE_AWAY:
        return None
    return lists.held((POPULAR, ""))


def remembered(tenant_id: int) -> StoredList | None:
    """The popular list that the process knew last."""
    return _last_popular.get(tenant_id)


def refill(bodies: Sequence[tuple[str, bytes]], ttl_seconds: int) -> None:
    """Puts lists back into Redis, if it can be reached."""
    try:
        list_cache.put_many(bodies, ttl_seconds=ttl_seconds)
    except RedisUnavailable:
        _log.info("refill_skipped", reason="redis")


@process_caches.register
def forget() -> None:
    """Forgets what the process remembers."""
    _last_popular.clear()


def _entry(entry: Mapping[str, Any], part: str) -> Entry:
    evidence = tuple(each["item_id"] for each in entry["evidence"])
    return Entry(entry["item_id"], entry["score"], entry["reason"], evidence, part)


def _nothing(now: datetime) -> StoredList:
    made = now.strftime("%Y-%m-%dT%H:%M:00Z")
    return list_codec.decode(
        list_codec.encode(provenance=list_codec.Provenance(0, 0, "static", made), owner="", entries=[])
    )


def _remember(tenant_id: int, popular: StoredList) -> None:
    if len(_last_popular) >= _REMEMBERED_MAX:
        _last_popular.clear()
    _last_popular[tenant_id] = popular
