"""An estimation in words: the same lines for the command and the admin."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from recommendations.algorithms.offpolicy.estimators import Interval
from recommendations.estimation.estimate import Arm, Estimation
from recommendations.estimation.overlap import NOT_ENOUGH


class Row(NamedTuple):
    """One estimate: of what, clicks per page, its interval, and the change with its own."""

    name: str
    value: str
    interval: str
    change: str


def rows(found: Estimation) -> list[Row]:
    """Return what was measured and what is estimated; nothing without enough overlap."""
    if (made := found.estimates) is None:
        return []
    version = f"version {found.version}"
    return [
        Row("what was shown, measured", _value(made.logged), _interval(made.logged), ""),
        Row(f"{version}, self-normalised IPS", _value(made.snips), _interval(made.snips), _change(made.snips_change)),
        Row(
            f"{version}, doubly robust",
            _value(made.doubly_robust),
            _interval(made.doubly_robust),
            _change(made.doubly_robust_change),
        ),
    ]


def report_lines(found: Estimation) -> Iterator[str]:
    """Yield the report line by line: the verdict, the pages it rests on, and notes."""
    if not found.verdict.enough:
        yield f"{NOT_ENOUGH.capitalize()}: {found.verdict.reason}."
        yield found.verdict.hint
    seen = found.overlap
    yield (
        f"Data: {seen.pages:,} pages of {seen.people:,} users with {seen.clicks:,} clicks, shown from "
        f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC."
    )
    if seen.pages:
        yield (
            f"Overlap: they say as much as {seen.effective:,.0f} pages of the version itself would; "
            f"{seen.unsupported:.1%} of what it shows could not have been shown; the largest weight is "
            f"{seen.largest_weight:.1f}."
        )
    for arm in found.arms if len(found.arms) > 1 else ():
        yield _arm(arm)
    for reason, count in sorted(found.left_out.items()):
        yield f"Left out: {count:,} pages ({reason})."
    yield from found.notes


def as_json(found: Estimation) -> dict[str, Any]:
    """For programs; moments as RFC 3339."""
    return {
        **dataclasses.asdict(found),
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
    }


def _arm(arm: Arm) -> str:
    name = f"Arm {arm.arm}" if arm.arm else "In no arm"
    used = f"used, each for {arm.stands_for:.2f}" if arm.used else "not used"
    return (
        f"{name} ({arm.share:.0%} of users): {arm.pages:,} pages, as good as {arm.effective:,.0f}; "
        f"{arm.unsupported:.1%} could not have been shown; {used}."
    )


def _value(found: Interval) -> str:
    return f"{found.value:.4f}"


def _interval(found: Interval) -> str:
    return f"{found.low:.4f} to {found.high:.4f}"


def _change(found: Interval) -> str:
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
