"""Draws a dashboard's panels from series of numbers, as an SVG for light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10

# Seconds since the start, and the value then.
Points = Sequence[tuple[float, float]]

COLUMNS = 3
WIDTH, HEIGHT = 320, 200
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 28, 52
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

STYLE = """
text { font: 10px system-ui, sans-serif; fill: #59636e }
.title { font-size: 12px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.s0 { stroke: #0969da; fill: #0969da } .s1 { stroke: #bc4c00; fill: #bc4c00 }
.s2 { stroke: #1a7f37; fill: #1a7f37 } .s3 { stroke: #8250df; fill: #8250df }
.s4 { stroke: #bf3989; fill: #bf3989 } .s5 { stroke: #9a6700; fill: #9a6700 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 } .title { fill: #e6edf3 } .grid { stroke: #3d444d }
.s0 { stroke: #4493f8; fill: #4493f8 } .s1 { stroke: #f0883e; fill: #f0883e }
.s2 { stroke: #3fb950; fill: #3fb950 } .s3 { stroke: #ab7df8; fill: #ab7df8 }
.s4 { stroke: #db61a2; fill: #db61a2 } .s5 { stroke: #d29922; fill: #d29922 }
}
"""
COLOURS = 6


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    # By what the legend calls them.
    series: dict[str, Points]


def svg(panels: Sequence[Panel], seconds: float) -> str:
    """The panels side by side, each over the same `seconds`."""
    rows = -(-len(panels) // COLUMNS)
    drawn = [
        f'<g transform="translate({WIDTH * (place % COLUMNS)} {HEIGHT * (place // COLUMNS)})">'
        f"{_panel(panel, seconds)}</g>"
        for place, panel in enumerate(panels)
    ]
    box = f"0 0 {WIDTH * COLUMNS} {HEIGHT * rows}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *drawn, "</svg>", ""])


def _panel(panel: Panel, seconds: float) -> str:
    values = [value for points in panel.series.values() for _, value in points]
    top = ceiling(max(filter(isfinite, values), default=0))
    parts = [f'<text class="title" x="8" y="16">{escape(panel.title)}</text>']
    for share in (0, 0.5, 1):
        y = TOP + PLOT_HEIGHT * (1 - share)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{label(top * share, panel.unit)}</text>'
        )
    for time in (0, seconds / 2, seconds):
        x = LEFT + PLOT_WIDTH * time / seconds
        anchor = "end" if time == seconds else "middle"
        parts.append(
            f'<text x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 13}" text-anchor="{anchor}">{time:.0f} s</text>'
        )
    legend_x, legend_y = float(LEFT), HEIGHT - 24
    for number, (name, points) in enumerate(panel.series.items()):
        style = f"s{number % COLOURS}"
        for stretch in _stretches(points):
            line = " ".join(
                f"{LEFT + PLOT_WIDTH * time / seconds:.1f},{TOP + PLOT_HEIGHT * (1 - value / top):.1f}"
                for time, value in stretch
            )
            parts.append(f'<polyline class="{style}" style="fill:none" points="{line}"/>')
        width = 24 + 5.4 * len(name)
        if legend_x + width > WIDTH and legend_x > LEFT:
            legend_x, legend_y = float(LEFT), legend_y + 13
        parts.append(
            f'<rect class="{style}" x="{legend_x:.0f}" y="{legend_y - 6}" width="8" height="3"/>'
            f'<text x="{legend_x + 11:.0f}" y="{legend_y}">{escape(name)}</text>'
        )
        legend_x += width
    return "".join(parts)


def _stretches(points: Points) -> list[list[tuple[float, float]]]:
    """The points without those that are no number, which interrupt the line."""
    stretches: list[list[tuple[float, float]]] = [[]]
    for time, value in points:
        if isfinite(value):
            stretches[-1].append((time, value))
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]


def ceiling(value: float) -> float:
    """The next number that makes a good end of an axis."""
    if value <= 0:
        return 1
    power = 10 ** floor(log10(value))
    return next(power * step for step in (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= power * step * 1.0001)


def label(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.0f} %"
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:g} ms"
    suffix = {"Bps": "B/s", "ops": "/s", "reqps": "/s", "s": " s"}.get(unit, "")
    for power, letter in ((1e6, "M"), (1e3, "k")):
        if value >= power:
            return f"{value / power:g} {letter}{suffix}"
    return f"{value:g}{suffix}" if suffix.startswith(("/", " ")) else f"{value:g} {suffix}".strip()
