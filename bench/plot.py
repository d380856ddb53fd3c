"""
The ratios as a bar plot in SVG: to the right of 1 dregistry is better, to the left the other.
"""

from __future__ import annotations

import math
from html import escape

from figures import OURS, THEIRS, Figure

_LABELS = 250
_PLOT = 420
_RIGHT = 60
_TOP = 78
_STEP = 24
_BAR = 15
_BETTER = "#2a7f4f"
_WORSE = "#b5482f"
_LIMIT = "#7a8694"


def draw(figures: list[Figure], subtitle: str) -> str:
    bars = _bars(figures)
    scale = _Scale([value for _, value, _ in bars])
    height = _TOP + _STEP * len(bars) + 16
    width = _LABELS + _PLOT + _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{OURS}: how many times as good as {THEIRS}</text>',
        f'<text x="12" y="40" fill="#555555">{escape(subtitle)}; grey: beside nginx or the disk</text>',
        *_grid(scale, height),
        *(_bar(scale, row, *bar) for row, bar in enumerate(bars)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bars(figures: list[Figure]) -> list[tuple[str, float, str]]:
    """Label, how many times as good, and colour. What failed has no bar."""
    bars = []
    for figure in figures:
        for name in figure.values:
            ratio = figure.ratio(OURS, name)
            if name == OURS or not ratio:
                continue
            good = 1 / ratio if figure.less_is_better else ratio
            if name == THEIRS:
                bars.append((figure.name, good, _BETTER if good >= 1 else _WORSE))
            else:
                bars.append((f"beside {name}", good, _LIMIT))
    return bars


class _Scale:
    """Logarithmic, from a power of two to another, with 1 between them."""

    def __init__(self, values: list[float]) -> None:
        logarithms = [math.log2(value) for value in values]
        self.low = math.floor(min([-1.0, *logarithms]))
        self.high = math.ceil(max([1.0, *logarithms]))

    def x(self, value: float) -> float:
        return _LABELS + _PLOT * (math.log2(value) - self.low) / (self.high - self.low)

    def marks(self) -> list[float]:
        step = math.ceil((self.high - self.low) / 10)
        return [2.0**power for power in range(self.low, self.high + 1) if power % step == 0]


def _grid(scale: _Scale, height: int) -> list[str]:
    parts = []
    for mark in scale.marks():
        x = scale.x(mark)
        colour = "#333333" if mark == 1 else "#dddddd"
        text = f"{mark:g}" if mark >= 1 else f"1/{1 / mark:g}"
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 12}" stroke="{colour}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="#555555">{text}</text>')
    return parts


def _bar(scale: _Scale, row: int, label: str, value: float, colour: str) -> str:
    y = _TOP + _STEP * row
    start, end = sorted((scale.x(1), scale.x(value)))
    text = f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return (
        f'<text x="{_LABELS - 10}" y="{y + 12}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="{_BAR}" fill="{colour}"/>'
        f'<text x="{end + 5:.1f}" y="{y + 12}">{text}</text>'
    )
