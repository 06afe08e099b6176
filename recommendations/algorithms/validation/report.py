"""Descriptions of an artefact's validation fold, for staff and reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the module loads numpy, which a web process does without
    from recommendations.algorithms.validation.splitting import Protocol

# The protocol that tests the same as each kind of fold.
EQUIVALENT_PROTOCOL: Mapping[str, Protocol] = MappingProxyType(
    {"time": "global80", "last": "last10", "random": "rand10"}
)
_ASKS = {
    "time": "events of returning users after {moments}",
    "last": "each user's last events",
    "random": "random events of each user",
}


def fold_kind(chosen: Mapping[str, Any]) -> str:
    """Return the kind of the fold: time, last or random; empty for an artefact from before it was stored."""
    kind: str = chosen.get("validation", {}).get("fold", "")
    return kind


def describe_fold(chosen: Mapping[str, Any]) -> str:
    """Return which events were held out, for how many users, and why; empty without a stored kind."""
    kind = fold_kind(chosen)
    if not kind:
        return ""
    fold = chosen["validation"]
    moments = "one moment" if fold["cuts"] == 1 else f"each of {fold['cuts']} moments"
    asks = _ASKS[kind].format(moments=moments)
    judged = "1 validation user" if fold["people"] == 1 else f"{fold['people']:,} validation users"
    undecided = "" if chosen.get("decided", True) else " They are too few to choose weights; the defaults are used."
    return f"{kind}: {asks}; {judged}.{undecided} {fold['why']}"


def protocol_mismatch_hint(protocol: str, chosen: Mapping[str, Any]) -> str:
    """Return a hint where the protocol tests something else than the weights were chosen for; else empty."""
    kind = fold_kind(chosen)
    wanted = next((fold for fold, equivalent in EQUIVALENT_PROTOCOL.items() if equivalent == protocol), "")
    if not kind or kind == wanted:
        return ""
    return (
        f"{protocol} tests something other than the weights were chosen for, as in production; "
        f"--validation {wanted} chooses them for it."
    )
