"""The curves of a training, as a page that shows itself anew while it is under way, and as numbers for other programs.

Drawn by hand as SVG, like the report's, but small: two pictures, no script, nothing from anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from math import floor, log10
from pathlib import Path

from tocsin.learn.checkpoint import replace
from tocsin.learn.rate import one_cycle
from tocsin.learn.task import LoopSettings, Progress

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 36
REFRESH = 3
"""Seconds after which the page of a training under way shows itself anew."""


def draw(folder: Path, settings: LoopSettings, progress: Progress, notes: Sequence[str]) -> None:
    """Write ``training.json`` and ``training.html``, each in one step.

    Parameters
    ----------
    notes : what the doctor says.

    Raises
    ------
    OSError : the folder cannot be written.
    """
    numbers = {
        "finished": progress.finished,
        "step": progress.step,
        "peak_rate": progress.peak,
        "judged_before": progress.start,
        "judged_best": progress.judged,
        "best": progress.best,
        "epochs": [asdict(epoch) for epoch in progress.epochs],
        "trace": progress.trace,
        "settings": asdict(settings),
        "doctor": list(notes),
    }
    replace(folder / "training.json", json.dumps(numbers, indent=1).encode())
    replace(folder / "training.html", page(settings, progress, notes, datetime.now(UTC)).encode())


def page(settings: LoopSettings, progress: Progress, notes: Sequence[str], at: datetime) -> str:
    """The page as it is at a moment; it asks to be loaded again as long as the training is not done."""
    again = "" if progress.finished else f'<meta http-equiv="refresh" content="{REFRESH}">'
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    doctor = f"<h2>What is wrong</h2><ul>{said}</ul>" if said else ""
    written = "" if progress.finished else f'<p class="small">As of {at:%H:%M:%S} UTC. {ENDED}</p>'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}<title>Training</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main><h1>Training</h1><p>{escape(standing(settings, progress))}</p>"
        f'{doctor}<div class="two"><section><h2>Loss</h2>{_losses(settings, progress)}</section>'
        f"<section><h2>Learning rate</h2>{_rates(settings, progress)}</section></div>{_table(progress)}{written}"
        "</main></body></html>\n"
    )


def standing(settings: LoopSettings, progress: Progress) -> str:
    """Where a training stands, in a sentence or two."""
    best = f"The judged loss was {progress.start:.5g} before the first step"
    if progress.best:
        best += f" and is {progress.judged:.5g} after epoch {progress.best}, the best."
    else:
        best += "; no epoch has bettered it yet." if not progress.finished else "; no epoch bettered it."
    if progress.finished:
        spent = sum(epoch.seconds for epoch in progress.epochs)
        return f"Done: {len(progress.epochs)} epochs in {_time(spent)}. {best}"
    left = ""
    if progress.epochs:
        usual = sum(epoch.seconds for epoch in progress.epochs) / len(progress.epochs)
        left = f", about {_time(max(0.0, usual * (settings.epochs + 1 - progress.epoch) - progress.seconds))} left"
    return f"Epoch {progress.epoch} of {settings.epochs}{left}. {best}"


def _losses(settings: LoopSettings, progress: Progress) -> str:
    judged = [(0.0, progress.start), *((float(e.number), e.judged) for e in progress.epochs)]
    usual = sorted(y for _, y in progress.trace)[: max(1, round(0.98 * len(progress.trace)))]  # a spike hides the rest
    frame = _Frame(float(settings.epochs), [*(y for _, y in judged), *usual])
    legend = '<p class="legend"><span class="s1">training</span> <span class="s2">judged</span></p>'
    dots = "".join(f'<circle class="s2" cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="3"/>' for a, b in judged)
    if progress.best:
        at = frame.x(progress.best)
        dots += f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    drawn = frame.line(progress.trace, "s1") + frame.line(judged, "s2") + dots
    return legend + frame.svg(drawn, "training loss and judged loss by epoch")


def _rates(settings: LoopSettings, progress: Progress) -> str:
    done = progress.trace[-1][0] if progress.trace else 0.0
    course = [(i / 20, one_cycle(i / 20 / settings.planned, progress.peak)) for i in range(settings.epochs * 20 + 1)]
    frame = _Frame(float(settings.epochs), [0.0, progress.peak])
    legend = '<p class="legend"><span class="s3">gone through</span> <span class="faint">to come</span></p>'
    drawn = frame.line(course, "faint") + frame.line([p for p in course if p[0] <= done], "s3")
    return legend + frame.svg(drawn, "learning rate by epoch")


def _table(progress: Progress) -> str:
    rows = "".join(
        f"<tr{' class=best' if e.number == progress.best else ''}><td>{e.number}</td><td>{e.loss:.5g}</td>"
        f"<td>{e.judged:.5g}</td><td>{e.rate:.2g}</td><td>{e.seconds:.1f}</td></tr>"
        for e in progress.epochs
    )
    heads = "".join(f"<th>{head}</th>" for head in ("epoch", "training", "judged", "rate", "seconds"))
    return f'<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>' if rows else ""


class _Frame:
    """Epochs to the right, numbers upwards; where they lie in the picture."""

    def __init__(self, epochs: float, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        spare = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        self.epochs, self.low, self.high = epochs, low - spare * (low != 0), high + spare

    def x(self, epoch: float) -> float:
        return LEFT + epoch / self.epochs * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def line(self, points: Sequence[Sequence[float]], colour: str) -> str:
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        return f'<polyline class="line {colour}" points="{path}"/>'

    def svg(self, drawn: str, title: str) -> str:
        parts = []
        for value in _ticks(self.low, self.high):
            at = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(f'<text text-anchor="end" x="{LEFT - 6}" y="{at + 4:.1f}">{value:.4g}</text>')
        floor_ = HEIGHT - BOTTOM
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor_}" y2="{floor_}"/>')
        parts.extend(
            f'<text text-anchor="middle" x="{self.x(epoch):.1f}" y="{floor_ + 16}">{epoch:.0f}</text>'
            for epoch in _ticks(0, self.epochs)
            if epoch == int(epoch)
        )
        parts.append(f'<text text-anchor="middle" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">epoch</text>')
        picture = "".join(parts) + drawn
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{picture}</svg>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between, about five."""
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999)
    first = -floor(-low / step + 1e-9)
    return [step * (first + i) for i in range(12) if step * (first + i) <= high + 1e-9 * step]


def _time(seconds: float) -> str:
    for unit, size in pairwise([("h", 3600), ("min", 60), ("s", 1)]):
        if seconds >= unit[1]:
            return f"{seconds // unit[1]:.0f} {unit[0]} {seconds % unit[1] // size[1]:.0f} {size[0]}"
    return f"{seconds:.0f} s"


ENDED = "If that is long ago, the training was ended; the same command goes on from its last checkpoint."

STYLE = """:root{color-scheme:light dark;--paper:light-dark(#f6f4ef,#16181a);--card:light-dark(#fff,#1e2124);
--ink:light-dark(#1f2023,#e9e7e3);--muted:light-dark(#62646a,#a3a6ab);--line:light-dark(#e3dfd7,#34383c);
--s1:light-dark(#b0660f,#dc9f50);--s2:light-dark(#44708f,#86b0d1);--s3:light-dark(#5d7a3a,#a3c47c)}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums}main{max-width:1000px;margin:0 auto;padding:24px 16px}h1{font-size:22px;margin:0}
h2{font-size:13px;color:var(--muted);margin:0 0 6px}p{margin:4px 0 14px;max-width:80ch}.small{color:var(--muted);
font-size:12px}ul{margin:0 0 16px;padding:12px 12px 12px 30px;background:var(--card);border:1px solid var(--line);
border-left:3px solid var(--s1);border-radius:6px}.two{display:grid;gap:16px;margin-bottom:16px;
grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}section,.scroll{background:var(--card);
border:1px solid var(--line);border-radius:6px;padding:12px 14px;min-width:0;overflow-x:auto}svg{display:block;width:100%;
height:auto}text{fill:var(--muted);font-size:11px}.grid{stroke:var(--line)}.axis{stroke:var(--muted)}
.mark{stroke:var(--ink);stroke-dasharray:3 3}.line{fill:none;stroke-width:2;stroke-linejoin:round}
.line.s1{stroke:var(--s1);stroke-width:1.3}.line.s2{stroke:var(--s2)}.line.s3{stroke:var(--s3)}circle.s2{fill:var(--s2)}
.line.faint{stroke:var(--muted);stroke-width:1;stroke-dasharray:4 4}.legend{margin:0;font-size:12px}.legend span::before{
content:"";display:inline-block;width:14px;height:3px;margin:0 5px 0 8px;vertical-align:middle;background:var(--muted)}
.legend .s1::before{background:var(--s1)}.legend .s2::before{background:var(--s2)}.legend .s3::before{background:var(--s3)}
table{border-collapse:collapse;width:100%}th,td{text-align:right;white-space:nowrap;padding:4px 0 4px 6px;font-weight:400;
border-top:1px solid var(--line)}th{color:var(--muted);font-size:12px;border:0}.best td{font-weight:600}"""
