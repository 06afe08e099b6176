"""The kinds of lists. Each is declared once: its key, label, default reason, writer, lifetime and fallback.

Rules of placements, the pipeline, the cache, serving and statistics read them from `KINDS`. A new kind is a module in
`recommendations.pipeline.candidates` and one entry here (docs/conventions.md, "A kind of list").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "liked", "similar", "together", "after", "session", "popular", "trending", "latest", "featured", "general"
]
EVERYONE, SEGMENT_SUBJECT, ITEM_SUBJECT, USER_SUBJECT = "everyone", "segment", "item", "user"


@dataclass(frozen=True, slots=True)
class ListKind:
    """One kind of list.

    Attributes:
        key: The name in cache keys, tables, rules of placements, and statistics (`@key`).
        label: The name for staff.
        reason: The template of its items' default reason (`recommendations.explanations.templates`).
        belongs_to: The owner of one list: everyone, a segment, an item or a user.
        subject: The subject of the list that serves as a fallback, such as a window.
        writer: Dotted path of the function that makes its lists in a build; empty for lists made when they are read.
        pool: Dotted path of the function that returns its items for mixing, where `pools` has none for it.
        ttl_seconds: The lifetime in Redis of a list that a reader puts there.
        fallback: The kinds that replace a missing list, best first.
        mixed: A placement may mix it into users' lists (`kinds`).
        replaces: A placement may name it in `fallback`.
        served: An operation of the API answers with it under its own name.
    """

    key: str
    label: str
    reason: Reason
    belongs_to: str = EVERYONE
    subject: str = ""
    writer: str = ""
    pool: str = ""
    ttl_seconds: int = 3600
    fallback: tuple[str, ...] = ("popular", "pinned", "latest")
    mixed: bool = False
    replaces: bool = False
    served: bool = False

    @property
    def stored(self) -> bool:
        """Tell whether a build makes and stores its lists."""
        return bool(self.writer)


_CANDIDATES = "recommendations.pipeline.candidates"
FOR_YOU = ListKind(
    "for_you",
    "For the user",
    "liked",
    belongs_to=USER_SUBJECT,
    fallback=("segment", "popular", "pinned", "latest"),
    mixed=True,
)
BECAUSE = ListKind("because", "Because of a recent choice", "liked", belongs_to=USER_SUBJECT, mixed=True)
SEGMENT = ListKind(
    "segment",
    "Popular in a segment",
    "popular",
    belongs_to=SEGMENT_SUBJECT,
    writer=f"{_CANDIDATES}.segment_popular.make_lists",
    replaces=True,
)
TRENDING = ListKind(
    "trending",
    "Trending",
    "trending",
    subject="7d",
    writer=f"{_CANDIDATES}.trending.make_lists",
    mixed=True,
    replaces=True,
    served=True,
)
POPULAR = ListKind(
    "popular",
    "Popular",
    "popular",
    writer=f"{_CANDIDATES}.popular.make_lists",
    fallback=("pinned", "latest"),
    mixed=True,
    replaces=True,
    served=True,
)
LATEST = ListKind("latest", "Newest items", "latest", ttl_seconds=20, mixed=True, replaces=True, served=True)
PINNED = ListKind("pinned", "Pinned items", "featured", ttl_seconds=10, fallback=("latest",), replaces=True)
SIMILAR = ListKind(
    "similar",
    "Similar items",
    "similar",
    belongs_to=ITEM_SUBJECT,
    writer=f"{_CANDIDATES}.similar_items.make_lists",
    served=True,
)
TOGETHER = ListKind(
    "together",
    "Bought together",
    "together",
    belongs_to=ITEM_SUBJECT,
    writer=f"{_CANDIDATES}.bought_together.make_lists",
    served=True,
)
SESSION = ListKind("session", "For a visit", "session", belongs_to=USER_SUBJECT, served=True)
RANK = ListKind("rank", "Given items, ranked", "general", belongs_to=USER_SUBJECT, served=True)

KINDS: Mapping[str, ListKind] = {
    kind.key: kind
    for kind in (
        FOR_YOU,
        BECAUSE,
        SEGMENT,
        TRENDING,
        POPULAR,
        LATEST,
        PINNED,
        SIMILAR,
        TOGETHER,
        SESSION,
        RANK,
    )
}
MIXED: Sequence[str] = [kind.key for kind in KINDS.values() if kind.mixed]
FALLBACKS: Sequence[str] = [kind.key for kind in KINDS.values() if kind.replaces]
SERVED_KINDS: Sequence[str] = [kind.key for kind in KINDS.values() if kind.served]
# Stored lists that belong to no item, so that users without a list of their own get one of them.
SHARED: Sequence[str] = [kind.key for kind in KINDS.values() if kind.stored and kind.belongs_to != ITEM_SUBJECT]


def stored_choices() -> list[tuple[str, str]]:
    """Return key and label of each kind whose lists a build stores: the choices of `ReferenceList.kind`."""
    return [(kind.key, kind.label) for kind in KINDS.values() if kind.stored]


def writers(*, of_items: bool) -> list[str]:
    """Return the dotted paths of the writers of lists of items, or of the shared lists, each once."""
    wanted = [kind for kind in KINDS.values() if kind.stored and (kind.belongs_to == ITEM_SUBJECT) == of_items]
    return list(dict.fromkeys(kind.writer for kind in wanted))
