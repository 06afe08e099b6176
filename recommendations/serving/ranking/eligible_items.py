"""Selects the given items that may be ranked, by their present state in the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.serving.page import render
from recommendations.serving.ranking.database import CatalogueState
from recommendations.serving.ranking.ranking_query import EXCLUDED, FILTER, UNAVAILABLE, UNKNOWN, WITHDRAWN, RankQuery

_NOTHING_KNOWN = ItemFacts("", None)


@dataclass(frozen=True, slots=True)
class EligibleItems:
    """The items that may be ranked, in the order given, and why the others are not.

    Without `known` the catalogue could not be query, and `facts` are empty ones: only what Redis says is withdrawn is
    left out.
    """

    facts: Mapping[str, ItemFacts]
    left_out: Mapping[str, str]
    known: bool = True

    @property
    def item_ids(self) -> Sequence[str]:
        """Those that may be ranked."""
        return list(self.facts)


def look(
    query: RankQuery, standing: CatalogueState | None, *, withdrawn: Mapping[str, float] | None, now: datetime
) -> EligibleItems:
    """Return what the catalogue says, as it was read; then what the request leaves out.

    Raises: as `Matcher.kept` where the request has a category or filter; without a database, its errors.
    """
    looked = _without_catalogue(query, withdrawn, now) if standing is None else _in_catalogue(query, standing)
    excluded = {item_id: EXCLUDED for item_id in looked.facts if item_id in query.options.exclude}
    left = [item_id for item_id in looked.facts if item_id not in excluded]
    matcher = render.matcher_of(tenant_id=query.tenant_id, options=query.options, now=now)
    kept = matcher.kept(query.user_id, left) if matcher.narrows and left else set(left)
    unmet = {item_id: FILTER for item_id in left if item_id not in kept}
    facts = {item_id: looked.facts[item_id] for item_id in left if item_id in kept}
    return EligibleItems(facts, {**looked.left_out, **excluded, **unmet}, looked.known)


def _in_catalogue(query: RankQuery, standing: CatalogueState) -> EligibleItems:
    found, withheld = standing.facts, standing.withheld
    shown = {item_id: found[item_id] for item_id in query.item_ids if item_id in found and item_id not in withheld}
    return EligibleItems(
        shown,
        {item_id: _why(item_id in withheld, query.plainly) for item_id in query.item_ids if item_id not in shown},
    )


def _without_catalogue(query: RankQuery, withdrawn: Mapping[str, float] | None, now: datetime) -> EligibleItems:
    moment, known = now.timestamp(), withdrawn or {}
    ended = {item_id for item_id in query.item_ids if known.get(item_id, moment + 1) <= moment}
    shown = {item_id: _NOTHING_KNOWN for item_id in query.item_ids if item_id not in ended}
    return EligibleItems(shown, dict.fromkeys(ended, UNAVAILABLE if query.plainly else WITHDRAWN), known=False)


def _why(is_withdrawn: bool, plainly: bool) -> str:
    if plainly:
        return UNAVAILABLE
    return WITHDRAWN if is_withdrawn else UNKNOWN
