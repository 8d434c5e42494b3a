"""Pictures as SVG text, drawn by hand: one file, sharp at any size, light and dark from the page's own colours.

A picture says its colours by class (``s1``, ``s2``, ``s3``, ``faint``), never by value; the page's style gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 440, 272
LEFT, RIGHT, TOP, BOTTOM = 46, 22, 14, 40
LOW = 176
"""The height of a picture that is only upright bars."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name, its points, its colour class, and whether to show the points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str = "s1"
    dots: bool = False
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """Between which values something is expected, shaded behind the curves."""

    name: str
    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Axis:
    """From where to where, what it says, and how a number on it is written."""

    low: float
    high: float
    title: str
    say: Callable[[float], str] = lambda v: f"{v:g}"
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value lies between 0 and 1 along the axis; kept inside it."""
        if self.log:
            floor_ = max(value, self.low)
            share = (log10(floor_) - log10(self.low)) / (log10(self.high) - log10(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def ticks(self) -> list[float]:
        """Round numbers inside the axis, about five of them."""
        if self.log:
            powers = [10.0**e for e in range(ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9) + 1)]
            return powers if len(powers) > 1 else [self.low, self.high]
        step = _round_step((self.high - self.low) / 5)
        first = ceil(self.low / step - 1e-9)
        return [step * i for i in range(first, floor(self.high / step + 1e-9) + 1)]


def percent(value: float) -> str:
    """0.25 as ``25 %``, 0.0004 as ``0.04 %``."""
    return f"{value * 100:.3g} %"


def count(value: float) -> str:
    """1500 as ``1,500``."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def lines(
    series: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    title: str,
    mark: float | None = None,
    mark_name: str = "",
    band: Band | None = None,
) -> str:
    """Curves on two axes, each named in a legend above; ``mark`` draws a named vertical line."""
    parts = [_frame(x, y), *([_shade(band, x, y)] if band else []), *(_draw(line, x, y) for line in series)]
    if mark is not None and isfinite(mark) and x.low <= mark <= x.high:
        at = _x(x, mark)
        anchor = "end" if at > WIDTH * 0.6 else "start"
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text class="note" x="{at + (-5 if anchor == "end" else 5):.1f}" y="{TOP + 10}" '
            f'text-anchor="{anchor}">{escape(mark_name)}</text>'
        )
    keys = [(line.name, line.colour) for line in series if line.name] + ([(band.name, "band")] if band else [])
    legend = "".join(f'<span class="key {colour}">{escape(name)}</span>' for name, colour in keys)
    body = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    return (f'<div class="legend">{legend}</div>' if legend else "") + body


def columns(names: Sequence[str], values: Sequence[float], y: Axis, *, title: str, colour: str = "s1") -> str:
    """One upright bar a name (a month)."""
    n = max(1, len(names))
    width = (WIDTH - LEFT - RIGHT) / n
    x = Axis(0, n, "")
    parts = [_frame(x, y, ticks=False, height=LOW)]
    for i, value in enumerate(values):
        if isfinite(value):
            top = _y(y, value, LOW)
            parts.append(
                f'<rect class="{colour}" x="{LEFT + width * (i + 0.14):.1f}" width="{width * 0.72:.1f}" y="{top:.1f}" '
                f'height="{LOW - BOTTOM - top:.1f}"><title>{escape(names[i])}: {escape(y.say(value))}</title></rect>'
            )
    every = ceil(n / 8)
    parts.extend(
        f'<text class="tick" text-anchor="middle" x="{LEFT + width * (i + 0.5):.1f}" y="{LOW - BOTTOM + 16}">'
        f"{escape(name)}</text>"
        for i, name in enumerate(names)
        if i % every == 0
    )
    return f'<svg viewBox="0 0 {WIDTH} {LOW}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def bars(rows: Sequence[tuple[str, float, str]], *, colour: str = "s1", most: float = 1.0) -> str:
    """One lying bar a row: its name, how long it is (``most`` = full), what it says. Plain boxes: they wrap when narrow."""
    cells = []
    for name, value, says in rows:
        share = min(1.0, max(0.0, value / most)) if isfinite(value) and most > 0 else 0.0
        cells.append(
            f'<div class="name">{escape(name)}</div><div class="track"><div class="fill {colour}" '
            f'style="width:{share * 100:.1f}%"></div></div><div class="says">{escape(says)}</div>'
        )
    return f'<div class="bars">{"".join(cells)}</div>'


def _frame(x: Axis, y: Axis, *, ticks: bool = True, height: int = HEIGHT) -> str:
    parts = []
    for value in y.ticks():
        at = _y(y, value, height)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(
            f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{at + 4:.1f}">{escape(y.say(value))}</text>'
        )
    parts.extend(
        f'<text class="tick" text-anchor="middle" x="{_x(x, value):.1f}" y="{height - BOTTOM + 16}">'
        f"{escape(x.say(value))}</text>"
        for value in (x.ticks() if ticks else ())
    )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height - BOTTOM}" y2="{height - BOTTOM}"/>')
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(f'<text class="title" text-anchor="middle" x="{middle}" y="{height - 6}">{escape(x.title)}</text>')
    return "".join(parts)


def _draw(line: Line, x: Axis, y: Axis) -> str:
    points = [(_x(x, a), _y(y, b)) for a, b in zip(line.x, line.y, strict=True) if isfinite(a) and isfinite(b)]
    path: list[str] = []
    for i, (a, b) in enumerate(points):
        if line.stepped and i:
            path.append(f"{a:.1f},{points[i - 1][1]:.1f}")
        path.append(f"{a:.1f},{b:.1f}")
    drawn = f'<polyline class="line {line.colour}" points="{" ".join(path)}"/>'
    if line.dots:
        drawn += "".join(f'<circle class="{line.colour}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in points)
    return drawn


def _shade(band: Band, x: Axis, y: Axis) -> str:
    above = [(_x(x, a), _y(y, b)) for a, b in zip(band.x, band.high, strict=True)]
    below = [(_x(x, a), _y(y, b)) for a, b in zip(band.x, band.low, strict=True)]
    corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*above, *reversed(below)])
    return f'<polygon class="band" points="{corners}"/>'


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float, height: int = HEIGHT) -> float:
    return height - BOTTOM - axis.place(value) * (height - TOP - BOTTOM)


def _round_step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999)
