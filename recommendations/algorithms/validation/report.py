"""The validation fold that chose an artefact's weights, in words for staff and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the module loads numpy, which a web process does without
    from recommendations.algorithms.validation.splitting import Protocol

# The split whose test part asks what each kind of fold asks.
EQUIVALENT_PROTOCOL: Mapping[str, Protocol] = MappingProxyType(
    {"time": "global80", "last": "last10", "random": "rand10"}
)
_ASKS = {
    "time": "what returning people did after {moments}",
    "last": "each person's last events",
    "random": "random events of each person",
}


def fold_kind(chosen: Mapping[str, Any]) -> str:
    """Return the kind of the fold that chose, time, last or random; empty where an older artefact does not say."""
    kind: str = chosen.get("validation", {}).get("fold", "")
    return kind


def describe_fold(chosen: Mapping[str, Any]) -> str:
    """Say which events were held back, how many users judged by them, and why it were these; empty as above."""
    kind = fold_kind(chosen)
    if not kind:
        return ""
    said = chosen["validation"]
    moments = "one moment" if said["cuts"] == 1 else f"each of {said['cuts']} moments"
    asks = _ASKS[kind].format(moments=moments)
    judged = "1 person judges" if said["people"] == 1 else f"{said['users']:,} people judge"
    undecided = "" if chosen.get("decided", True) else " They are too few to choose weights; the usual ones serve."
    return f"{kind}: {asks}; {judged}.{undecided} {said['why']}"


def protocol_mismatch_hint(protocol: str, chosen: Mapping[str, Any]) -> str:
    """Return a hint where weights were chosen for something else than what this protocol tests; else nothing."""
    kind = fold_kind(chosen)
    wanted = next((each for each, like in EQUIVALENT_PROTOCOL.items() if like == protocol), "")
    if not kind or kind == wanted:
        return ""
    return (
        f"{protocol} tests something else than the weights were chosen for, as production would serve them; "
        f"--validation {wanted} chooses them for it."
    )
