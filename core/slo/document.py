"""The tables of docs/operations/slo.md, between markers that the generator replaces."""

from collections.abc import Iterable

from core.slo.objectives import Alert, Objectives

BEGIN, END = "<!-- generated from config/slo.toml and config/alerts.toml: manage.py slo_rules -->", "<!-- end -->"


def with_tables(text: str, objectives: Objectives, alerts: Iterable[Alert]) -> str:
    """The document with the tables replaced.

    Raises:
        ValueError: The markers are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("The markers of the generated part are missing.")
    lines = ["", *_objectives(objectives), "", *_burns(objectives), "", *_alerts(alerts), ""]
    return before + BEGIN + "\n".join(lines) + END + after


def _objectives(objectives: Objectives) -> list[str]:
    rows = [
        f"| `{each.name}` | {each.title} | {each.target:.4g} | {_allowed(each.budget, objectives.window_days)} |"
        for each in objectives.objectives
    ]
    return [
        f"| objective | good requests | target over {objectives.window_days} days | budget |",
        "|---|---|---|---|",
        *rows,
    ]


def _allowed(budget: float, days: int) -> str:
    return f"{budget:.2%} of requests; a total outage of {budget * days * 24 * 60:.0f} minutes"


def _burns(objectives: Objectives) -> list[str]:
    rows = [
        f"| {each.severity} | {each.long} and {each.short} | {each.factor:g} | "
        + ", ".join(f"{objective.name} {each.factor * objective.budget:.3%}" for objective in objectives.objectives)
        + " |"
        for each in objectives.burns
    ]
    return ["| severity | windows | burn rate | error ratio above |", "|---|---|---|---|", *rows]


def _alerts(alerts: Iterable[Alert]) -> list[str]:
    rows = [
        f"| [`{each.name}`](alerts.md#{each.name.lower()}) | {each.severity} | {each.summary} | "
        f"{each.threshold:g} | {each.hold} |"
        for each in alerts
    ]
    return ["| alert | severity | meaning | above or below | for |", "|---|---|---|---|---|", *rows]
