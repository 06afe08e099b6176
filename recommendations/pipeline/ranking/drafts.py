"""Drafts of single lists: a user's candidates, or those for cold-start users, under a placement's rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from recommendations import filter_language
from recommendations.algorithms.inference.recommender import Recommendations
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.cache.list_codec import CERTAIN, HEAD, MAX_ITEMS, Chance, Entry
from recommendations.list_kinds import BECAUSE, FOR_YOU, LATEST, SEGMENT
from recommendations.list_kinds import POPULAR as POPULAR_KIND
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates.pools import Pools
from recommendations.pipeline.lists.entries import MODEL, POPULAR, STATIC, Draft, cached_reason, to_entries
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.profiles import UserProfile
from recommendations.pipeline.ranking import exploration
from recommendations.pipeline.ranking.kind_mixing import CandidateSource
from recommendations.pipeline.ranking.rules_engine import apply_rules, eligibility_filter
from recommendations.pipeline.ranking.trace import Trace
from recommendations.pipeline.ranking.user_candidates import consumed
from recommendations.placements.fallback_policy import segment_subjects
from recommendations.placements.rules import KindShare, PlacementRules

# Parts of entries that come from the pools, whose reasons are in the tenant's language.
_POOL_PARTS = frozenset({"popularity", "recent_popularity", SEGMENT.key, LATEST.key})


@dataclass(frozen=True, slots=True)
class DraftBuilder:
    """Builds drafts; holds what all lists of one call share. `pools` contain available items only."""

    loaded: Loaded
    pools: Pools
    facts: Mapping[str, ItemFacts]
    now: datetime
    locale: str
    trace: Trace | None = None

    def draft(
        self,
        rules: PlacementRules,
        user: UserProfile,
        own: Recommendations,
        because: Recommendations | None,
        *,
        is_cold: bool,
    ) -> Draft:
        """One user's list at one placement."""
        locale = user.locale or self.locale
        chance = CERTAIN
        if is_cold:
            candidates, chance = self._for_cold_user(rules, user)
        else:
            candidates = self._entries(own, locale, rated_below_mean=user.rated_below_mean)
            if self.trace is not None:
                self.trace.record_candidates(candidates)
            if rules.plain:
                return Draft(user, MODEL, tuple(candidates[:MAX_ITEMS]))
        sources = [CandidateSource(kind, self._of_kind(kind, candidates, because, locale)) for kind in rules.kinds]
        if all(source.kind.kind != FOR_YOU.key for source in sources):
            sources.append(CandidateSource(KindShare(FOR_YOU.key), candidates))
        entries = self._ruled(sources, rules, user)
        if len(entries) < HEAD:
            entries = self._filled(entries, rules, user)
        source = MODEL
        if is_cold:
            source = STATIC if all(entry.part == LATEST.key for entry in entries) else POPULAR
        return Draft(user, source, tuple(_translated(entry, locale) for entry in entries), chance=chance)

    def _entries(
        self,
        proposals: Recommendations,
        locale: str,
        *,
        reason_kind: str = "",
        rated_below_mean: frozenset[str] = frozenset(),
    ) -> list[Entry]:
        return to_entries(
            loaded=self.loaded,
            proposals=proposals,
            facts=self.facts,
            locale=locale,
            reason_kind=reason_kind,
            rated_below_mean=rated_below_mean,
        )

    def _of_kind(
        self, kind: KindShare, own: Sequence[Entry], because: Recommendations | None, locale: str
    ) -> Sequence[Entry]:
        if kind.kind == FOR_YOU.key:
            return own
        if kind.kind == BECAUSE.key:
            return () if because is None else self._entries(because, locale, reason_kind=BECAUSE.key)
        return self.pools.of_kind(kind.kind)

    def _ruled(self, sources: Sequence[CandidateSource], rules: PlacementRules, user: UserProfile) -> list[Entry]:
        return apply_rules(
            sources=sources,
            rules=rules,
            facts=self.facts,
            user=_filter_subject(user),
            consumed=consumed(rules, user, self.now),
            latest=self.pools.of_kind(LATEST.key),
            similarity=self._similarity,
            now=self.now,
            limit=MAX_ITEMS,
            trace=self.trace,
        )

    def _filled(self, entries: list[Entry], rules: PlacementRules, user: UserProfile) -> list[Entry]:
        """A list of which the rules left little, filled up with popular and new items that they allow."""
        listed = {entry.item_id for entry in entries}
        sources = [
            CandidateSource(
                KindShare(kind.key), [entry for entry in self.pools.of_kind(kind.key) if entry.item_id not in listed]
            )
            for kind in (POPULAR_KIND, LATEST)
        ]
        more = self._ruled(sources, replace(rules, diversity=None, caps=(), fresh=None), user)
        return [*entries, *more][:MAX_ITEMS]

    def _for_cold_user(self, rules: PlacementRules, user: UserProfile) -> tuple[list[Entry], Chance]:
        """Segment-popular items, then globally popular ones, with a few new items mixed in.

        Ineligible items go before anything is drawn, so that the probabilities are those of the list's positions.
        """
        subjects = segment_subjects(rules.segment_by, segments=user.segments, attributes=user.attributes)
        pools = {**self.pools.by_kind, SEGMENT.key: self.pools.of_segments(subjects)}
        order = [name for name in rules.fallback if name in pools and name != LATEST.key] or [LATEST.key]
        candidates: dict[str, Entry] = {}
        for entry in (entry for name in order for entry in pools[name]):
            candidates.setdefault(entry.item_id, entry)
        if self.trace is not None:
            self.trace.record_candidates(list(candidates.values()))
        eligible = eligibility_filter(
            rules,
            facts=self.facts,
            user=_filter_subject(user),
            consumed=consumed(rules, user, self.now),
            now=self.now,
            trace=self.trace,
        )
        known = eligible(candidates.values())
        listed = {entry.item_id for entry in known[:HEAD]}
        new = [entry for entry in eligible(self.pools.of_kind(LATEST.key)) if entry.item_id not in listed]
        mixed, chance = exploration.draw(
            known=known, new=new, share=rules.exploration, user_id=user.user_id, day=self.now.date()
        )
        keeps_chance = chance == CERTAIN or exploration.keeps_positions(rules)
        return mixed, chance if keeps_chance else Chance(told=False)

    def _similarity(self, item_ids: Sequence[str]) -> NDArray[np.float64]:
        """Cosine of the items' rows in the matrix that answers "similar items"; 0 for items without one."""
        artefact = self.loaded.recommender.artefact
        part = artefact.fitted[artefact.chosen["similar_from"]]
        assert not isinstance(part, ItemVector)
        indices = [self.loaded.trained_index(item_id) for item_id in item_ids]
        rows = part.dense_rows(np.array([index if index is not None else 0 for index in indices], dtype=np.int32))
        known = np.array([index is not None for index in indices], dtype=np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        scale = np.divide(known, lengths, out=np.zeros_like(known), where=lengths > 0)
        unit = rows * scale[:, None].astype(np.float32)
        return np.asarray(np.clip(unit @ unit.T, 0.0, 1.0), dtype=np.float64)


def _filter_subject(user: UserProfile) -> filter_language.Person:
    """The user as conditions see them."""
    return filter_language.Person(user.user_id, user.locale, user.segments, user.attributes)


def _translated(entry: Entry, locale: str) -> Entry:
    """A pool's entry with its reason in the user's language; the others have theirs."""
    if entry.part not in _POOL_PARTS or entry.evidence:
        return entry
    return structs.replace(entry, reason=cached_reason(entry.part, (), locale))
