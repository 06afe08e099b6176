"""The facts of one rerank: cleaned, capped, screened and numbered.

Prompt and validation read the same sheet, so a reason is checked against exactly the facts that the model saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from recommendations.text_safety.prompt_injection import gives_orders
from recommendations.text_safety.sanitize import clean_text

TITLE_LIMIT = 120
ABOUT_LIMIT = 240
CATEGORY_LIMIT = 40
ATTRIBUTE_LIMIT = 80
MAX_HISTORY = 20
MAX_CATEGORIES = 6
MAX_ATTRIBUTES = 6

ItemId = int | str
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """An item of the user's history; texts as in the catalogue."""

    title: str
    categories: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An item proposed by the algorithms; texts as in the catalogue. `item_id` is never sent."""

    item_id: ItemId
    title: str = ""
    categories: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Only attributes that the tenant allows to be sent."""
    description: str = ""
    part: str = ""
    """The part of the model that proposed it, for the template reason."""
    evidence: Sequence[str] = ()
    """Titles from the history that the part used, for the template reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFacts:
    """One numbered history entry."""

    title: str
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFacts:
    """One numbered candidate; ``rank`` is its place in the model's order from 1."""

    rank: int
    title: str
    facts: Mapping[str, str]
    about: str
    withheld: bool
    """One of its texts contains instructions: none is sent, and the candidate keeps its rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSheet:
    """All facts of one call. ``candidates`` is in the order that the model sees; the position is the number."""

    history: Mapping[str, HistoryFacts]
    user_attributes: Mapping[str, str]
    candidates: tuple[CandidateFacts, ...]


def fact_sheet(
    *,
    history: Sequence[HistoryItem],
    user_attributes: Mapping[str, str],
    candidates: Sequence[tuple[int, Candidate]],
) -> FactSheet:
    """Number the facts; `history` is latest first, `candidates` holds (rank, candidate) in the order of the prompt.

    History entries and user attributes that contain instructions are left out. Only the first `MAX_HISTORY` entries
    are used.
    """
    entries = (_history(each) for each in history[:MAX_HISTORY])
    attributes = (_attribute(name, value) for name, value in list(user_attributes.items())[:MAX_ATTRIBUTES])
    return FactSheet(
        history=_numbered("h", [each for each in entries if each is not None]),
        user_attributes=_numbered("p", [each for each in attributes if each]),
        candidates=tuple(_candidate(rank, each) for rank, each in candidates),
    )


def content_summary(sheet: FactSheet) -> dict[str, Any]:
    """Return a sheet's summary without texts: numbers, lengths and names of attributes."""
    texts = [each.title for each in sheet.candidates] + [each.about for each in sheet.candidates]
    return {
        "history": len(sheet.history),
        "history_characters": sum(len(each.title) for each in sheet.history.values()),
        "person": [fact.partition(":")[0] for fact in sheet.user_attributes.values()],
        "candidates": len(sheet.candidates),
        "candidate_characters": sum(len(each) for each in texts),
        "facts": sum(len(each.facts) for each in sheet.candidates),
        "withheld": sum(each.withheld for each in sheet.candidates),
    }


def _numbered(prefix: str, values: Sequence[T]) -> dict[str, T]:
    return {f"{prefix}{number}": value for number, value in enumerate(values)}


def _history(item: HistoryItem) -> HistoryFacts | None:
    title = clean_text(item.title, limit=TITLE_LIMIT)
    categories = _categories(item.categories)
    if not title or gives_orders(" . ".join((item.title[:1000], *categories))):
        return None
    return HistoryFacts(title=title, categories=categories)


def _candidate(rank: int, candidate: Candidate) -> CandidateFacts:
    title = clean_text(candidate.title, limit=TITLE_LIMIT)
    about = clean_text(candidate.description, limit=ABOUT_LIMIT)
    categories = _categories(candidate.categories)
    attributes = [_pair(name, value) for name, value in list(candidate.attributes.items())[:MAX_ATTRIBUTES]]
    if any(gives_orders(text) for text in (title, about, *categories, *attributes)):
        return CandidateFacts(rank=rank, title="", facts={}, about="", withheld=True)
    facts = _numbered("f", [*categories, *(each for each in attributes if each)])
    return CandidateFacts(rank=rank, title=title, facts=facts, about=about, withheld=False)


def _categories(categories: Sequence[str]) -> tuple[str, ...]:
    cleaned = (clean_text(each, limit=CATEGORY_LIMIT) for each in categories[:MAX_CATEGORIES])
    return tuple(each for each in cleaned if each)


def _attribute(name: str, value: str) -> str:
    text = _pair(name, value)
    return "" if gives_orders(text) else text


def _pair(name: str, value: str) -> str:
    value = clean_text(value, limit=ATTRIBUTE_LIMIT)
    return f"{clean_text(name, limit=CATEGORY_LIMIT)}: {value}" if value else ""
