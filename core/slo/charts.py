"""Line charts as inline SVG, without scripts: colours come from the page's style sheet, exact values from tooltips."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 760, 210
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 26
_TICKS = 4
Values = Sequence[float | None]
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: curves by name over the same times, and limits by name that are drawn as dashed lines."""

    title: str
    note: str
    curves: Mapping[str, Values]
    show: Format
    limits: Mapping[str, float]
    least: float = 1.0
    """The height where all values are 0."""

    @property
    def is_empty(self) -> bool:
        """True where no curve has a value."""
        return all(value is None for values in self.curves.values() for value in values)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Places of steps and values."""

    steps: int
    most: float

    def x(self, step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / self.steps, 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / self.most, 1.0), 1)


def draw(chart: Chart, at: Sequence[str], *, step_seconds: int) -> SafeString:
    """The chart; gaps are shaded."""
    highest = max((value for values in chart.curves.values() for value in values if value is not None), default=0.0)
    most, tick = _ceiling(highest or chart.least)
    scale = _Scale(len(at), most)
    curves = ((_curve(place, values, scale),) for place, values in enumerate(chart.curves.values()))
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}{}{}</svg>',
        WIDTH,
        HEIGHT,
        chart.title,
        _grid(chart, scale, tick),
        _times(at, scale),
        _gaps(chart, scale),
        _limits(chart, scale),
        format_html_join("", "{}", curves),
        _tooltips(chart, at, scale, step_seconds),
    )


def _ceiling(highest: float) -> tuple[float, float]:
    """A round number above the highest value, and the distance of its grid's lines."""
    raw = highest * 1.05 / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(raw))
    tick = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    return tick * _TICKS, tick


def _grid(chart: Chart, scale: _Scale, tick: float) -> SafeString:
    values = [place * tick for place in range(_TICKS + 1)]
    return format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (LEFT, WIDTH - RIGHT, scale.y(each), scale.y(each), LEFT - 8, scale.y(each) + 4, chart.show(each))
            for each in values
        ),
    )


def _times(at: Sequence[str], scale: _Scale) -> SafeString:
    every = max(1, math.ceil(len(at) / 6))
    places = range(0, len(at), every)
    days = len({each[:10] for each in at}) > 1
    return format_html_join(
        "",
        '<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>',
        ((scale.x(place + 0.5), HEIGHT - 8, _clock(at[place], days=days)) for place in places),
    )


def _gaps(chart: Chart, scale: _Scale) -> SafeString:
    """Shades the steps of which no curve knows anything."""
    missing = [place for place in range(scale.steps) if all(values[place] is None for values in chart.curves.values())]
    width = scale.x(1) - scale.x(0)
    return format_html_join(
        "",
        '<rect class="gap" x="{}" y="{}" width="{}" height="{}"/>',
        ((scale.x(place), TOP, round(width, 1), HEIGHT - TOP - BOTTOM) for place in missing),
    )


def _limits(chart: Chart, scale: _Scale) -> SafeString:
    shown = [(name, scale.y(value)) for name, value in chart.limits.items() if value <= scale.most]
    return format_html_join(
        "",
        '<line class="limit" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="limit-name" x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT, WIDTH - RIGHT, y, y, WIDTH - RIGHT - 4, y - 4, name) for name, y in shown),
    )


def _curve(place: int, values: Values, scale: _Scale) -> SafeString:
    """A line through the steps; a step whose neighbours are unknown is a dot."""
    parts: list[str] = []
    dots: list[tuple[int, float, float]] = []
    for step, value in enumerate(values):
        if value is None:
            continue
        x, y = scale.x(step + 0.5), scale.y(value)
        before = step > 0 and values[step - 1] is not None
        after = step + 1 < len(values) and values[step + 1] is not None
        parts.append(f"{'L' if before else 'M'}{x} {y}")
        if not before and not after:
            dots.append((place + 1, x, y))
    line = format_html('<path class="curve c{}" d="{}"/>', place + 1, " ".join(parts)) if parts else mark_safe("")
    return line + format_html_join("", '<circle class="dot c{}" cx="{}" cy="{}" r="2.5"/>', dots)


def _tooltips(chart: Chart, at: Sequence[str], scale: _Scale, step_seconds: int) -> SafeString:
    width = round(scale.x(1) - scale.x(0), 1)
    rows = []
    for place, time in enumerate(at):
        known = {name: values[place] for name, values in chart.curves.items()}
        text = "\n".join(
            f"{name}: {'no data' if value is None else chart.show(value)}" for name, value in known.items()
        )
        title = f"{_clock(time, days=True)} UTC, {step_seconds // 60} min\n{text}"
        rows.append((scale.x(place), TOP, width, HEIGHT - TOP - BOTTOM, title))
    return format_html_join("", '<rect class="hit" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>', rows)


def _clock(time: str, *, days: bool) -> str:
    return datetime.fromisoformat(time).strftime("%d %b %H:%M" if days else "%H:%M")
