"""Selects the items of a page from a list, and fills a page that would have too few.

A page is never blank while there is an item to show. A narrowed page stays full: the list holds a hundred items for a
page of twenty, then come popular ones, then the newest. A walk shows at most a hundred items, each once, as its cursor
remembers them all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recommendations.attribution.served_pages import Rotation
from recommendations.cache.list_codec import MAX_ITEMS
from recommendations.explanations.templates import explain
from recommendations.serving.page.filtering import Matcher
from recommendations.serving.page.read_time_rules import ROTATED, arranged, pins_at
from recommendations.serving.read import cursor, reason_language
from recommendations.serving.read.list_query import Options
from recommendations.serving.read.resolved import ResolvedList, is_available

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """The page's entries, best first, whether the walk goes on, and how their order was drawn for this reading."""

    page: list[Entry]
    more: bool
    rotation: Rotation | None = None


def untouched(resolved: ResolvedList, language: str, moment: float) -> bool:
    """Tell if the stored head can be the page as it is, for a reader of this language."""
    stored, withdrawn, until = resolved.stored, resolved.withdrawn, resolved.stored.until
    if stored.reading or not stored.head_ids or not reason_language.is_spoken(stored.voice, language):
        return False
    if not withdrawn and not until:
        return True
    return all(is_available(item_id, withdrawn, until, moment) for item_id in stored.head_ids)


def select(
    *, resolved: ResolvedList, user_id: str | None, options: Options, matcher: Matcher, language: str, moment: float
) -> Selection:
    """The page that these options ask for, with reasons in this language."""
    walk = _Walk(resolved.withdrawn, options, moment)
    entries = _entries(resolved.stored.entries(), resolved.stored.parts)
    reason_language.retell(entries, resolved.stored.voice, language)
    before = entries
    if resolved.stored.reading:
        entries = _arranged(resolved, entries, walk, matcher, user_id, moment, first=len(options.shown))
    remaining = walk.unseen(entries, resolved.stored.until)
    room = min(options.limit, MAX_ITEMS - len(options.shown))
    if matcher.narrows and not resolved.stored.reading:
        remaining = _kept(remaining, matcher, user_id)
    # A page that is not narrowed is filled if the whole list has been withdrawn since.
    blank = not remaining and not options.shown
    if resolved.refills and (blank or (options.narrows and len(remaining) <= room)):
        remaining += _spare(resolved, walk, matcher, user_id, language)
        if len(remaining) <= room:
            remaining += walk.unseen(_latest(matcher.latest(user_id), language), {})
    page = remaining[:room]
    for rank, entry in enumerate(page, start=len(options.shown) + 1):
        entry["rank"] = rank
        part = entry.pop("part")
        if options.explain:
            entry["explain"] = {"part": part}
    more = len(remaining) > room and len(options.shown) + room < MAX_ITEMS
    return Selection(page, more, _rotation(resolved, before, page, moment))


def _arranged(
    resolved: ResolvedList,
    entries: list[Entry],
    walk: "_Walk",
    matcher: Matcher,
    user_id: str | None,
    moment: float,
    *,
    first: int,
) -> list[Entry]:
    """Return the entries that may be shown now, as the list's rules for the moment of reading order them."""
    stored = resolved.stored
    ids = [
        *(str(entry["item_id"]) for entry in entries),
        *(item_id for _, item_id, _ in pins_at(stored.reading, moment)),
    ]
    allowed = {item_id for item_id in ids if walk.may_follow(item_id, stored.until)}
    if matcher.narrows and allowed:
        allowed = set(matcher.kept(user_id, list(allowed)))
    return arranged(entries, stored.reading, stored.owner, moment, first=first, may_follow=allowed.__contains__)


def _rotation(resolved: ResolvedList, before: Sequence[Entry], page: Sequence[Entry], moment: float) -> Rotation | None:
    """Return what a rotating page was drawn from: items that may be shown and stand at no pin."""
    reading = resolved.stored.reading
    if not reading.get("rotate"):
        return None
    fixed = {item_id for _, item_id, _ in pins_at(reading, moment)}
    withdrawn, until = resolved.withdrawn, resolved.stored.until
    drawn = [
        (place, entry["item_id"])
        for place, entry in enumerate(before[:ROTATED])
        if entry["item_id"] not in fixed and is_available(entry["item_id"], withdrawn, until, moment)
    ]
    return Rotation(
        tuple(place for place, _ in drawn),
        tuple(item_id for _, item_id in drawn),
        tuple(place for place, entry in enumerate(page) if entry["item_id"] in fixed),
    )


class _Walk:
    """The items of one walk: shown by earlier pages, already in the page, excluded or withdrawn."""

    def __init__(self, withdrawn: Mapping[str, float], options: Options, moment: float) -> None:
        self._withdrawn = withdrawn
        self._exclude = options.exclude
        self._shown = set(options.shown)
        self._moment = moment
        self._seen: set[str] = set()

    def unseen(self, entries: Iterable[Entry], until: Mapping[str, float]) -> list[Entry]:
        """Return the entries that may come next, each item once."""
        found = []
        for entry in entries:
            item_id = entry["item_id"]
            if item_id not in self._seen and self.may_follow(item_id, until):
                self._seen.add(item_id)
                found.append(entry)
        return found

    def may_follow(self, item_id: str, until: Mapping[str, float]) -> bool:
        """Tell if an item may come after the earlier pages: available, not excluded, not shown by them."""
        if item_id in self._exclude or (self._shown and cursor.digest(item_id) in self._shown):
            return False
        return is_available(item_id, self._withdrawn, until, self._moment)


def _entries(entries: Sequence[Entry], parts: Sequence[str]) -> list[Entry]:
    for entry, part in zip(entries, parts, strict=True):
        entry["part"] = part
    return list(entries)


def _kept(entries: list[Entry], matcher: Matcher, user_id: str | None) -> list[Entry]:
    kept = matcher.kept(user_id, [entry["item_id"] for entry in entries])
    return [entry for entry in entries if entry["item_id"] in kept]


def _spare(resolved: ResolvedList, walk: _Walk, matcher: Matcher, user_id: str | None, language: str) -> list[Entry]:
    """Return popular items that meet the request. Their scores are not comparable with those of the list."""
    if resolved.spare is None:
        return []
    entries = walk.unseen(_entries(resolved.spare.entries(), resolved.spare.parts), resolved.spare.until)
    if matcher.narrows:
        entries = _kept(entries, matcher, user_id)
    reason = explain(part="popularity", locale=language)
    return [{**entry, "score": 0.0, "reason": reason, "part": "popularity"} for entry in entries]


def _latest(item_ids: Iterable[str], language: str) -> list[Entry]:
    reason = explain(part="latest", locale=language)
    return [
        {"item_id": item_id, "rank": 0, "score": 0.0, "reason": reason, "evidence": [], "part": "latest"}
        for item_id in item_ids
    ]
