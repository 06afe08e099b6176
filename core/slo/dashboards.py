"""Grafana's dashboards from config/dashboards.toml, and the one of the objectives from config/slo.toml."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.slo.objectives import Alert, InvalidRules, Objective, Objectives
from core.slo.prometheus_rules import error_ratio

RATE, GRAFANA_RATE = "[RATE]", "[$__rate_interval]"
KINDS = ("timeseries", "stat")
COLUMNS, HEIGHT = 24, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
# Words of PromQL, and the two series that Prometheus makes of alerts.
_NO_FAMILY = {"histogram_quantile", "group_left", "alertstate", "alertname"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An expression of PromQL, and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel. `alert` is the alert whose threshold it shows; a panel with another line has `threshold`."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 8
    alert: str = ""
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Panels in reading order."""

    uid: str
    title: str
    panels: tuple[Panel, ...]

    @property
    def expressions(self) -> list[str]:
        """Every expression, as written."""
        return [query.expr for panel in self.panels for query in panel.queries]


def load_dashboards(path: Path, objectives: Objectives) -> tuple[Dashboard, ...]:
    """The dashboards of the file, and that of the objectives.

    Raises: InvalidRules, OSError.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        read = [_dashboard(each) for each in raw["dashboard"]]
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise InvalidRules(f"{path.name}: {error}") from error
    for panel in (panel for each in read for panel in each.panels):
        if panel.kind not in KINDS or not 1 <= panel.width <= COLUMNS or not panel.queries:
            raise InvalidRules(f"panel {panel.title}: kind is one of {', '.join(KINDS)}, width 1 to {COLUMNS}, queries")
    return (*read, objectives_dashboard(objectives))


def objectives_dashboard(objectives: Objectives) -> Dashboard:
    """For each objective: the budget that is left, burn rates of each window, and requests."""
    panels: list[Panel] = []
    pages = sorted({burn.factor for burn in objectives.burns if burn.severity == "page"})
    for each in objectives.objectives:
        left = Query(expr=_budget_left(each, objectives.window_days), legend="left")
        requests = Query(expr=f'slo:requests:increase1h{{slo="{each.name}"}}', legend="requests")
        burns = tuple(
            Query(expr=f'slo:error_ratio:rate{window}{{slo="{each.name}"}} / {each.budget:.9g}', legend=window)
            for window in objectives.windows
        )
        title = f"{each.title}: budget left of {objectives.window_days} days"
        panels += [
            Panel(title=title, unit="percentunit", kind="stat", width=6, queries=(left,)),
            Panel(title="Burn rate by window", unit="short", width=12, threshold=pages[0], queries=burns),
            Panel(title="Requests in an hour", unit="short", width=6, queries=(requests,)),
        ]
    return Dashboard(uid="docent-slo", title="Docent: objectives", panels=tuple(panels))


def _budget_left(objective: Objective, days: int) -> str:
    return f"1 - ({error_ratio(objective, f'{days}d')}) / {objective.budget:.9g}"


def families_of(expr: str) -> set[str]:
    """The metric families that an expression names, without the suffixes of histograms; recordings are none."""
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\b(by|on|group_left|group_right|ignoring|without)\s*\([^)]*\)", "", bare)
    names = re.findall(r"(?<![:\w$])[a-z]+(?:_[a-z0-9]+)+(?![:\w]|\s*[=!]|\s*\()", bare)
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names} - _NO_FAMILY


def model(dashboard: Dashboard, alerts: Sequence[Alert]) -> dict[str, Any]:
    """The dashboard in Grafana's JSON model.

    Raises: InvalidRules where a panel names an alert that there is not.
    """
    known = {alert.name: alert for alert in alerts}
    panels, x, y = [], 0, 0
    for number, panel in enumerate(dashboard.panels, start=1):
        if panel.alert and panel.alert not in known:
            raise InvalidRules(f"panel {panel.title}: there is no alert {panel.alert}")
        if x + panel.width > COLUMNS:
            x, y = 0, y + HEIGHT
        place = {"x": x, "y": y, "w": panel.width, "h": HEIGHT}
        panels.append({"id": number, "gridPos": place, **_panel(panel, known)})
        x += panel.width
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["docent"],
        "timezone": "utc",
        "editable": False,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _panel(panel: Panel, alerts: Mapping[str, Alert]) -> dict[str, Any]:
    threshold = alerts[panel.alert].threshold if panel.alert else panel.threshold
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "stat":
        defaults.pop("min")
    if threshold is not None:
        steps.append({"color": "red", "value": threshold})
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    described = {"description": f"The line is the threshold of the alert {panel.alert}."} if panel.alert else {}
    return {
        "type": panel.kind,
        "title": panel.title,
        **described,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": query.expr.replace(RATE, GRAFANA_RATE),
                "legendFormat": query.legend,
            }
            for number, query in enumerate(panel.queries)
        ],
    }


def _dashboard(raw: Mapping[str, Any]) -> Dashboard:
    panels = tuple(
        Panel(**{**each, "queries": tuple(Query(**query) for query in each["queries"])}) for each in raw["panel"]
    )
    return Dashboard(**{**{name: value for name, value in raw.items() if name != "panel"}, "panels": panels})
