"""The snapshot as one self-contained HTML page: no script, no request to anywhere."""

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string

from core.slo.charts import Chart, draw
from core.slo.snapshot import Document

TEMPLATE = "slo/snapshot.html"


def render(document: Document, *, nonce: str = "", links: Mapping[str, str] | None = None) -> str:
    """The page of a snapshot (`core.slo.snapshot.take`).

    `nonce` lets it be served under a content policy; `links` are addresses of other windows, by name.
    """
    curves = document["curves"]
    drawn = [
        {
            "title": chart.title,
            "note": chart.note,
            "names": list(chart.curves) if len(chart.curves) > 1 else [],
            "svg": draw(chart, curves["at"], step_seconds=curves["step_seconds"]),
        }
        for chart in _charts(curves)
        if not chart.is_empty
    ]
    return render_to_string(
        TEMPLATE, {"snapshot": document, "charts": drawn, "nonce": nonce, "links": links or {}, **_texts(document)}
    )


def _charts(curves: Mapping[str, Any]) -> list[Chart]:
    minutes = curves["step_seconds"] // 60
    reads = {name: curves[f"reads_{name}"] for name in ("p50", "p95", "p99")}
    latency_limits = {"78 ms": 0.078, "220 ms": 0.22}
    fallbacks = {"fallbacks": curves["fallback_rate"]}
    return [
        Chart("Requests", f"Valid requests in {minutes} min", {"requests": curves["requests"]}, count, {}, 10),
        Chart("Server errors", "Share of 5xx", {"5xx": curves["error_share"]}, share, {"0.5 %": 0.005}, 0.01),
        Chart("Latency of reads", "Answers with lists", reads, duration, latency_limits),
        Chart("Degraded lists", "Share of the lists served", {"degraded": curves["degraded_share"]}, share, {}, 0.1),
        Chart("AI fallback rate", "Share of the eligible lists published", fallbacks, share, {"10 %": 0.1}, 0.1),
        Chart("AI costs", f"US dollars in {minutes} min", {"costs": curves["ai_cost_usd"]}, dollars, {}),
        Chart("Redis", "p95 of calls", {"p95": curves["redis_p95"]}, duration, {"10 ms": 0.01}),
        Chart("Queues", "Age of the oldest waiting message", {"age": curves["queue_age"]}, duration, {}),
    ]


def count(value: float) -> str:
    """A number of things."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def share(value: float) -> str:
    """A percentage with as many digits as it needs."""
    if value in (0, 1):
        return f"{value:.0%}"
    return f"{value:.3%}" if 0 < value < 0.01 or 0.99 < value < 1 else f"{value:.1%}"


def duration(value: float) -> str:
    """Seconds or milliseconds."""
    if value == 0:
        return "0"
    return f"{value:,.1f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def dollars(value: float) -> str:
    """An amount of money."""
    return f"${value:,.4f}" if 0 < value < 1 else f"${value:,.2f}"


def _or_none(value: float | None, show: Any) -> str:
    return "no data" if value is None else show(value)


def _texts(document: Document) -> dict[str, Any]:
    """Rows of the tables, with values as text."""
    worst = document["worst_five_minutes"]
    return {
        "covered": share(document["window"]["covered_share"]),
        "length": _length(document["window"]["minutes"]),
        "objectives": [_objective(each) for each in document["objectives"]],
        "worst": worst
        and {
            **worst,
            "share": share(worst["share"]),
            "requests": count(worst["requests"]),
            "errors": count(worst["errors"]),
        },
        "reads": _latency(document["reads"]),
        "within": {
            name.removeprefix("within_").replace("_", " "): _or_none(value, share)
            for name, value in document["reads"].items()
            if name.startswith("within_")
        },
        "endpoints": [
            {**each, "requests": count(each["requests"]), "errors": count(each["errors"]), **_latency(each["latency"])}
            for each in document["endpoints"]
        ],
        "lists": [{**each, "lists": count(each["lists"]), "share": share(each["share"])} for each in document["lists"]],
        "ai": {
            **document["ai"],
            "fallback_rate": _or_none(document["ai"]["fallback_rate"], share),
            "cost_usd": dollars(document["ai"]["cost_usd"]),
            "eligible_lists": count(document["ai"]["eligible_lists"]),
        },
        "redis": _latency(document["redis"]),
        "queues": {name: duration(age) for name, age in document["queues"].items()},
    }


def _length(minutes: int) -> str:
    return f"{minutes} min" if minutes % 60 else f"{minutes // 60} h"


def _objective(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **state,
        "good": _or_none(state["good_share"], share),
        "aim": share(state["target"]),
        "requests": count(state["requests"]),
        "bad": count(state["bad"]),
        "burn": _or_none(state["burn"], "{:.2f}".format),
        "budget": _or_none(state["budget_left"], share),
        "burns": [
            {
                **each,
                "long_burn": _or_none(each["long_burn"], "{:.2f}".format),
                "short_burn": _or_none(each["short_burn"], "{:.2f}".format),
            }
            for each in state["burns"]
        ],
    }


def _latency(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: _or_none(found[name], duration) for name in ("p50", "p95", "p99")}
