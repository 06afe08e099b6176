"""A report as one HTML file: tables, and plots as inline SVG. Nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from recommendations.algorithms.metrics.beyond_accuracy import BEYOND_ACCURACY
from recommendations.algorithms.metrics.ranking import METRICS
from recommendations.algorithms.validation.report import describe_fold, protocol_mismatch_hint

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #d5dce3; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
tr.served td { font-weight: 600 }
svg text { font: 12px system-ui, sans-serif; fill: #1c2733 }
.note { color: #51606e }
"""
_WIDTH, _BAR, _LABELS = 720, 24, 170
_COLOUR, _SERVED = "#7f9bb8", "#1f5f99"


def render_page(document: Mapping[str, Any]) -> str:
    """Return the whole file for what `evaluate --json` prints."""
    served = document["served"]
    rows = sorted(document["models"].items(), key=lambda entry: -entry[1]["ndcg@10"])
    stages = document["stages"]
    rows = [("served: second stage" if stages else "served: the blend", served), *stages.items(), *rows]
    low, high = served["ndcg@10_ci"]
    facts = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in document["data"].items())
    segments = [(f"{name} ({each['people']:,})", each) for name, each in served["segments"].items()]
    chosen = document["chosen"]
    weights = [(name, {"weight": weight}) for name, weight in chosen["weights"].items()]
    reached = (
        f"What is served reaches an NDCG@10 of <b>{served['ndcg@10']:.4f}</b>, 95 % interval {low:.4f} to "
        f"{high:.4f} (bootstrap over users)."
    )
    judged = f"Chosen on a validation fold inside the train part, {describe_fold(chosen)}"
    hint = protocol_mismatch_hint(document["protocol"], chosen)
    parts = [
        f"<h1>Evaluation: {escape(document['protocol'])}, seed {document['seed']}</h1>",
        f"<p>{escape(document['meaning'])}</p><p class=note>{escape(facts)}</p>",
        f"<p>{reached}</p>",
        *([f"<p class=note>{escape(hint)}</p>"] if hint else []),
        *(f"<p>{escape(_lead(name, lead, alone=name not in stages))}</p>" for name, lead in document["leads"].items()),
        "<h2>NDCG@10 by model</h2>",
        bars([(name, each["ndcg@10"], each.get("ndcg@10_ci")) for name, each in rows]),
        table(("model", *METRICS, "coverage@10", *BEYOND_ACCURACY), rows),
        "<h2>By history of users</h2>",
        "<p class=note>Rows known: cold below 5, sparse below 20, regular below 100, heavy from there on.</p>",
        bars([(name, each["ndcg@10"], each["ndcg@10_ci"]) for name, each in segments]),
        table(("segment", *METRICS), segments),
        "<h2>Accuracy and popularity</h2>",
        "<p class=note>To the right: recommends more popular items than users choose themselves (1 is as popular).</p>",
        scatter([(name, each["popularity_bias@10"], each["ndcg@10"]) for name, each in rows]),
        "<h2>Weights of the blend</h2>",
        bars([(name, each["weight"], None) for name, each in weights]),
        f"<p class=note>{escape(judged)}</p>",
    ]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><style>{_STYLE}</style>"
    title = f"<title>Evaluation: {escape(document['protocol'])}</title>"
    return f"<!doctype html><html lang=en><head>{head}{title}</head><body>{''.join(parts)}</body></html>\n"


def _lead(name: str, lead: Mapping[str, Any], *, alone: bool) -> str:
    low, high = lead["ci"]
    other = f"the best single part, {name}" if alone else "the blend without the second stage"
    word = "worse" if lead["worse"] else "not worse"
    return f"Against {other}: {lead['ndcg@10']:+.4f} within users, 95 % {low:+.4f} to {high:+.4f}: {word} beyond noise."


def table(columns: Sequence[str], rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a table whose first column is the rows' names."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = []
    for name, each in rows:
        cells = "".join(f"<td>{each[column]:.4f}</td>" for column in columns[1:])
        mark = " class=served" if name.startswith("served") else ""
        body.append(f"<tr{mark}><td>{escape(name)}</td>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def bars(rows: Sequence[tuple[str, float, Sequence[float] | None]]) -> str:
    """Return horizontal bars from 0, each with its value and, where given, its interval as a whisker."""
    most = max([1e-9, *(max(value, (spread or [0, 0])[1]) for _, value, spread in rows)])
    room = _WIDTH - _LABELS - 60
    parts = []
    for place, (name, value, spread) in enumerate(rows):
        top, length = place * _BAR, room * value / most
        colour = _SERVED if name.startswith("served") else _COLOUR
        parts.append(f"<text x={_LABELS - 8} y={top + 16} text-anchor=end>{escape(name)}</text>")
        parts.append(f"<rect x={_LABELS} y={top + 4} width={max(length, 0.5):.1f} height={_BAR - 8} fill='{colour}'/>")
        end = length
        if spread is not None:
            low, high = (_LABELS + room * each / most for each in spread)
            middle = top + _BAR / 2
            parts.append(f"<path d='M{low:.1f} {middle}H{high:.1f}' stroke='#1c2733' stroke-width='1.5'/>")
            end = high - _LABELS
        parts.append(f"<text x={_LABELS + end + 6:.1f} y={top + 16}>{value:.4f}</text>")
    return _svg(parts, len(rows) * _BAR + 4)


def scatter(points: Sequence[tuple[str, float, float]]) -> str:
    """Return points with their names; both axes begin at 0."""
    height, left, foot = 320, 50, 280
    right_most = max([1e-9, *(across for _, across, _ in points)])
    highest = max([1e-9, *(up for *_, up in points)])
    parts = [f"<path d='M{left} 10V{foot}H{_WIDTH - 20}' stroke='#51606e' fill='none'/>"]
    for name, across, up in points:
        x, y = left + (_WIDTH - 220) * across / right_most, foot - (foot - 30) * up / highest
        colour = _SERVED if name.startswith("served") else _COLOUR
        parts.append(f"<circle cx={x:.1f} cy={y:.1f} r=5 fill='{colour}'/>")
        parts.append(f"<text x={x + 8:.1f} y={y + 4:.1f}>{escape(name)}</text>")
    parts.append(
        f"<text x={_WIDTH - 20} y={foot + 20} text-anchor=end>popularity bias@10, up to {right_most:.2f}</text>"
    )
    parts.append(f"<text x={left} y=8 dy=4>NDCG@10, up to {highest:.4f}</text>")
    return _svg(parts, height)


def _svg(parts: Sequence[str], height: int) -> str:
    return f"<svg role=img viewBox='0 0 {_WIDTH} {height}' width=100%>{''.join(parts)}</svg>"
