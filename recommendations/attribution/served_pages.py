"""Served pages as they are kept, so that other lists can be judged by their clicks: with items and how they were drawn.

A page is kept where its reader is a person with a list of their own, as its first page and with nothing narrowed; of it
the first HEAD places. It travels with the impression and is stored as zlib of JSON; a page on which nothing was drawn
takes its item ids and some twenty bytes more.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recommendations.cache.list_codec import CERTAIN, HEAD, Chance, pack_chance, unpack_chance

_SEPARATOR = "\n"  # a control character, which cannot stand in an id


@dataclass(frozen=True, slots=True)
class Rotation:
    """The order was drawn when the page was read: from which items, in which places of the list (from 0), and which
    places of the page (from 0) were pinned and so not drawn.
    """

    places: tuple[int, ...]
    item_ids: tuple[str, ...]
    pinned: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was shown. `made_at` is when its list was made (RFC 3339), `artefact` what with."""

    item_ids: tuple[str, ...]
    made_at: str
    artefact: int | None
    chance: Chance = CERTAIN
    rotation: Rotation | None = None


def wire(page: Page) -> list[Any]:
    """As it travels beside the page's item ids, which are not in it."""
    rotation: list[Any] | None = None
    if (drawn := page.rotation) is not None:
        usual = drawn.places == tuple(range(len(drawn.places)))
        rotation = [None if usual else list(drawn.places), _SEPARATOR.join(drawn.item_ids), list(drawn.pinned)]
    return [page.made_at, page.artefact, None if page.chance == CERTAIN else pack_chance(page.chance), rotation]


def stored(item_ids: Sequence[str], wired: Sequence[Any]) -> bytes:
    """Return the stored form of a page with these items, from what `wire` returned."""
    body = [_SEPARATOR.join(item_ids[:HEAD]), *wired]
    return zlib.compress(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def read(body: bytes) -> Page | None:
    """The page that `stored` wrote; None for bytes that are none of ours."""
    try:
        listed, made_at, artefact, chance, rotation = json.loads(zlib.decompress(body))
        return Page(
            tuple(listed.split(_SEPARATOR)),
            made_at,
            artefact,
            CERTAIN if chance is None else unpack_chance(chance),
            None if rotation is None else _rotation(*rotation),
        )
    except (zlib.error, ValueError, TypeError, IndexError, AttributeError):
        return None


def _rotation(places: Sequence[int] | None, listed: str, pinned: Sequence[int]) -> Rotation:
    item_ids = tuple(listed.split(_SEPARATOR)) if listed else ()
    return Rotation(tuple(range(len(item_ids)) if places is None else places), item_ids, tuple(pinned))
