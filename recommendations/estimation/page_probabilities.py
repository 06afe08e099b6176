"""From pages and lists to laws: with which probability each item stood at each place, and would by other rules.

What is compared is conditional on what both share: the list that a page's order was drawn from, and, for people without
a history, the day's draw where both only differ in what is drawn after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from recommendations.algorithms.offpolicy import exploration, propensities
from recommendations.algorithms.offpolicy.propensities import PagePropensities
from recommendations.attribution.served_pages import Page
from recommendations.cache.list_codec import CERTAIN, HEAD, Chance, Exploration
from recommendations.serving.page.read_time_rules import ROTATED, pins_at, rotation_weight

# Stands for whichever new item was drawn: both laws draw it from the same ones. No id is empty.
NEW = ""
_NOWHERE = "\n"  # no id either


@dataclass(frozen=True, slots=True)
class Target:
    """A list as other rules would have made it; `reading` is what its reader has to do, as in a stored list."""

    item_ids: tuple[str, ...]
    chance: Chance = CERTAIN
    reading: Mapping[str, Any] | None = None

    @property
    def rotates(self) -> bool:
        """True where its order is drawn when it is read."""
        return bool((self.reading or {}).get("rotate"))


@dataclass(frozen=True, slots=True)
class Pair:
    """The law that a page came of, the other one, what was shown in their words, and what it was drawn from."""

    logged: PagePropensities
    target: PagePropensities
    shown: tuple[str, ...]
    base: tuple[str, ...]


def pair(page: Page, target: Target, at: datetime) -> Pair | None:
    """Both laws of a page; None where it is not known with which probabilities its items came."""
    places = len(page.item_ids)
    other = _read(target, at, places)
    if page.rotation is not None:
        return Pair(_rotated(page), other, page.item_ids, page.rotation.item_ids)
    if not page.chance.told:
        return None
    drawn = page.chance.exploration
    if drawn is None:
        return Pair(propensities.deterministic(page.item_ids, places), other, page.item_ids, page.item_ids)
    also = target.chance.exploration
    if also is not None and not target.rotates:
        shown = tuple(NEW if place in drawn.drawn else item_id for place, item_id in enumerate(page.item_ids))
        of_target = _explored(target.item_ids, also, places)
        return Pair(_explored(page.item_ids, drawn, places), of_target, shown, _known(page.item_ids, drawn))
    if target.chance.exploration is not None or not target.chance.told:
        # It hangs on the same draw as the page does: given that, nothing of the page was drawn.
        other = PagePropensities((_NOWHERE,), np.ones((1, places)))
    return Pair(_explored(page.item_ids, drawn, places, named=True), other, page.item_ids, _known(page.item_ids, drawn))


def _rotated(page: Page) -> PagePropensities:
    assert page.rotation is not None
    drawn = page.rotation
    pinned = {place: page.item_ids[place] for place in drawn.pinned if place < len(page.item_ids)}
    rest = {*drawn.item_ids, *pinned.values()}
    return propensities.sampled(
        drawn.item_ids,
        [rotation_weight(place) for place in drawn.places],
        len(page.item_ids),
        behind=[item_id for item_id in page.item_ids if item_id not in rest],
        pinned=pinned,
    )


def _read(target: Target, at: datetime, places: int) -> PagePropensities:
    """The law of a list's first places as it would have been read at this moment."""
    valid = sorted(pins_at(target.reading or {}, at.timestamp()))
    fixed = {item_id for _, item_id, _ in valid}
    listed = [(place, item_id) for place, item_id in enumerate(target.item_ids) if item_id not in fixed]
    pinned: dict[int, str] = {}
    for position, item_id, _ in valid:
        pinned[min(position - 1, len(listed) + len(pinned))] = item_id
    if not target.rotates:
        return propensities.sampled((), (), places, behind=[item_id for _, item_id in listed], pinned=pinned)
    head = [(place, item_id) for place, item_id in listed if place < ROTATED]
    return propensities.sampled(
        [item_id for _, item_id in head],
        [rotation_weight(place) for place, _ in head],
        places,
        behind=[item_id for place, item_id in listed if place >= ROTATED],
        pinned=pinned,
    )


def _known(item_ids: Sequence[str], drawn: Exploration) -> tuple[str, ...]:
    """The known items in their order, as many as might stand on the page."""
    placed = [item_id for place, item_id in enumerate(item_ids) if place not in drawn.drawn]
    return (*placed, *drawn.further)


def _explored(item_ids: Sequence[str], drawn: Exploration, places: int, *, named: bool = False) -> PagePropensities:
    """The law of a list with explored places. A new item is any of them, or, if `named`, itself."""
    of_known, of_new = exploration.chances(drawn.share, drawn.known, drawn.new, places)
    known = _known(item_ids[:HEAD], drawn)[: len(of_known)]
    new = [item_ids[place] for place in drawn.drawn if place < places] if named else [NEW]
    of_each = of_new / drawn.new if named else of_new
    # Behind all that was drawn from stands what filled the list.
    behind = list(item_ids[drawn.known + drawn.new : places])
    rows = [of_known[: len(known)], np.tile(of_each, (len(new), 1))]
    if behind:
        rows.append(np.eye(len(behind), places, k=drawn.known + drawn.new))
    return PagePropensities((*known, *new, *behind), np.vstack(rows))
