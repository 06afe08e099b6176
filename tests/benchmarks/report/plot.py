"""A plot of ratios as SVG: for each kind of work a bar with its extremes, and a line where the peer is."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from tests.benchmarks.report.results import Comparison

_ROW, _LABELS, _PLOT, _MARGIN = 30, 330, 420, 24
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.axis{stroke:#bbb}.peer{stroke:#333;stroke-dasharray:4 3}"
    ".bar{fill:#4c78a8}.range{stroke:#1d3557;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.axis{stroke:#555}.peer{stroke:#ddd}.range{stroke:#cfe1f5}}"
)


def ratios(comparisons: Sequence[Comparison]) -> str:
    """The SVG document."""
    widest = max([1.2, *(each.greatest for each in comparisons)])
    step = 0.25 if widest <= 2 else 0.5 if widest <= 4 else 1.0
    end = math.ceil(widest / step) * step
    height = _MARGIN * 2 + _ROW * len(comparisons)
    width = _LABELS + _PLOT + _MARGIN

    def x(value: float) -> float:
        return round(_LABELS + value / end * _PLOT, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Rates as multiples of the peer's</title><style>",
        _STYLE,
        "</style>",
    ]
    for number in range(round(end / step) + 1):
        value = number * step
        parts.append(f'<line class="axis" x1="{x(value)}" x2="{x(value)}" y1="{_MARGIN}" y2="{height - _MARGIN}"/>')
        parts.append(f'<text x="{x(value)}" y="{height - 6}" text-anchor="middle">{value:g}</text>')
    for row, each in enumerate(comparisons):
        top = _MARGIN + row * _ROW
        middle = top + _ROW / 2
        parts += [
            f'<text x="{_LABELS - 10}" y="{middle + 4}" text-anchor="end">{escape(each.work)}</text>',
            f'<rect class="bar" x="{_LABELS}" y="{top + 6}" width="{x(each.ratio) - _LABELS}" height="{_ROW - 12}"/>',
            f'<line class="range" x1="{x(each.least)}" x2="{x(each.greatest)}" y1="{middle}" y2="{middle}"/>',
        ]
    parts.append(f'<line class="peer" x1="{x(1)}" x2="{x(1)}" y1="{_MARGIN - 6}" y2="{height - _MARGIN}"/>')
    parts.append(f'<text x="{x(1)}" y="{_MARGIN - 10}" text-anchor="middle">the peer</text></svg>')
    return "\n".join(parts) + "\n"
