"""Prometheus rules of objectives and alerts: recordings of error ratios, burn-rate alerts, all other alerts."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.slo.objectives import Alert, Burn, Objective, Objectives

METRIC = "docent_http_request_duration_seconds"
RUNBOOKS = "docs/operations/alerts.md"
Rule = Mapping[str, Any]


def slo_rules(objectives: Objectives) -> dict[str, Any]:
    """The rule file of the objectives."""
    groups = [
        {
            "name": f"slo_{objective.name}",
            "interval": "30s",
            "rules": [rule for window in objectives.windows for rule in _recordings(objective, window)],
        }
        for objective in objectives.objectives
    ]
    alerts = [
        _burn_alert(objective, burn, objectives.minimum_requests)
        for objective in objectives.objectives
        for burn in objectives.burns
    ]
    return {"groups": [*groups, {"name": "slo_burn_rates", "interval": "30s", "rules": alerts}]}


def alert_rules(alerts: Sequence[Alert]) -> dict[str, Any]:
    """The rule file of the other alerts."""
    rules = [
        _alert(
            alert.name,
            expr=alert.expr.replace("{threshold}", f"{alert.threshold:g}"),
            hold=alert.hold,
            labels={"severity": alert.severity},
            summary=alert.summary,
        )
        for alert in alerts
    ]
    return {"groups": [{"name": "alerts", "interval": "15s", "rules": rules}]}


def burn_alert_name(objective: Objective, burn: Burn) -> str:
    """The name of a burn-rate alert, such as AvailabilityPage1h."""
    return f"{objective.name.title().replace('_', '')}{burn.severity.title()}{burn.long}"


def runbook_anchor(alert_name: str) -> str:
    """The anchor of the alert's section in the runbooks."""
    return alert_name.lower()


def error_ratio(objective: Objective, window: str) -> str:
    """The share of bad requests in the window, as PromQL."""
    valid = f"sum(rate({METRIC}_count{{{objective.requests}}}[{window}]))"
    if objective.errors:
        bad = f"(sum(rate({METRIC}_count{{{objective.requests}, {objective.errors}}}[{window}])) or vector(0))"
        return f"{bad} / {valid}"
    bound = f'le="{objective.seconds:g}"'
    return f"1 - sum(rate({METRIC}_bucket{{{objective.requests}, {bound}}}[{window}])) / {valid}"


def _recordings(objective: Objective, window: str) -> list[Rule]:
    labels = {"slo": objective.name}
    return [
        {"record": f"slo:error_ratio:rate{window}", "expr": error_ratio(objective, window), "labels": labels},
        {
            "record": f"slo:requests:increase{window}",
            "expr": f"sum(increase({METRIC}_count{{{objective.requests}}}[{window}]))",
            "labels": labels,
        },
    ]


def _burn_alert(objective: Objective, burn: Burn, minimum_requests: int) -> Rule:
    selector = f'{{slo="{objective.name}"}}'
    limit = f"{burn.factor * objective.budget:.9g}"
    expr = (
        f"slo:error_ratio:rate{burn.long}{selector} > {limit} and slo:error_ratio:rate{burn.short}{selector} > {limit}"
        f" and slo:requests:increase{burn.long}{selector} >= {minimum_requests}"
    )
    return _alert(
        burn_alert_name(objective, burn),
        expr=expr,
        labels={"severity": burn.severity, "slo": objective.name, "window": burn.long},
        summary=f"{objective.title}: the error budget is used up {burn.factor:g} times too fast over {burn.long}.",
        anchor=objective.name,
    )


def _alert(
    name: str, *, expr: str, labels: Mapping[str, str], summary: str, hold: str = "0s", anchor: str = ""
) -> Rule:
    rule: dict[str, Any] = {"alert": name, "expr": expr}
    if hold != "0s":
        rule["for"] = hold
    annotations = {"summary": summary, "runbook": f"{RUNBOOKS}#{anchor or runbook_anchor(name)}"}
    return {**rule, "labels": dict(labels), "annotations": annotations}
