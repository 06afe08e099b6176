"""The question put to a ranking, and its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommendations.cache.list_codec import Entry
from recommendations.placements.models import HOME
from recommendations.serving.read.list_query import Options

MAX_ITEMS = 1_000

UNKNOWN, WITHDRAWN, UNAVAILABLE = "unknown_item", "withdrawn", "unavailable"
EXCLUDED, FILTER, RULES, CONSUMED = "excluded", "filter", "rules", "consumed"
LEFT_OUT_DETAILS: Mapping[str, str] = {
    UNKNOWN: "Unknown item.",
    WITHDRAWN: "The item is hidden, deleted or not available now.",
    UNAVAILABLE: "The item is not shown now.",
    EXCLUDED: "The request excludes the item.",
    FILTER: "The item does not meet the request's category or filter.",
    RULES: "The placement's rules leave the item out.",
    CONSUMED: "The user has already chosen or rejected the item.",
}


@dataclass(frozen=True, slots=True)
class RankQuery:
    """The items, each once, and for whom. Without a `placement` no rules hold.

    `consumed_too`: what the person has chosen already is ranked like the rest, whatever the rules say. `plainly`: the
    caller may not be told what there is in the catalogue that is not shown.
    """

    tenant_id: int
    user_id: str
    item_ids: Sequence[str]
    placement: str = ""
    options: Options = field(default_factory=Options)
    consumed_too: bool = False
    plainly: bool = False

    @property
    def list_at(self) -> str:
        """The placement whose lists and fallback stand in."""
        return self.placement or HOME


@dataclass(frozen=True, slots=True)
class Ranking:
    """The items that are ranked, best first, why each of the others is not, and how the order was made."""

    entries: Sequence[Entry]
    left_out: Mapping[str, str]
    source: str
    degraded: str | None = None
    artefact: int | None = None
    simulated: bool = False
    arm: str = ""
