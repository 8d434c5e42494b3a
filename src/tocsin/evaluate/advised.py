"""An advice as one looks at it: learning curves drawn with letters for a terminal, and a page of HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

import numpy as np

from tocsin.evaluate.advisor import Advice, Candidate
from tocsin.evaluate.charts import Axis, Line, count, lines, percent
from tocsin.evaluate.style import STYLE

WIDTH, HEIGHT = 60, 12
COLOURS = ("s1", "s2", "s3")


def headline(advice: Advice) -> str:
    """The recommendation in a sentence."""
    one = advice.chosen
    way = f"--way {one.way}" + (f" with {one.network}" if one.network else "")
    return (
        f"{advice.learning[0].upper()}{advice.learning[1:]}: {way}, {score(advice, one)} expected, in {minutes(one)}."
    )


def score(advice: Advice, one: Candidate) -> str:
    """What is expected, in the measure's own words."""
    if advice.measure == "share right":
        return f"{one.expected:.1%} right ({one.low:.1%} to {one.high:.1%})"
    return f"{advice.measure} {one.expected:.3f} ({one.low:.3f} to {one.high:.3f})"


def minutes(one: Candidate) -> str:
    """How long, in words; not more exactly than it is known."""
    if one.minutes < 1.5:
        return f"about {max(5, round(one.minutes * 12) * 5)} seconds"
    return f"about {one.minutes:.0f} minutes"


def rows(advice: Advice) -> list[tuple[str, str, str, str]]:
    """The table: way and network, expected, how long, what it rests on."""
    return [
        (f"{one.way} {one.network}".strip(), score(advice, one), minutes(one), one.grounds) for one in advice.candidates
    ]


def drawing(advice: Advice) -> list[str]:
    """The measured curves, and where they lead, in letters: measured capital, drawn on small, all of them on a log scale."""
    curves = [one for one in advice.candidates if one.growth is not None]
    if not curves:
        return []
    least = min(one.growth.points[0].examples for one in curves if one.growth is not None)
    most = 2 * advice.examples
    at = np.geomspace(least, most, WIDTH)
    drawn = {one.way: [one.growth.right(round(n)) for n in at] for one in curves if one.growth is not None}
    low = min(min(values) for values in drawn.values())
    high = max(max(values) for values in drawn.values())
    low, high = max(0.0, low - 0.02), min(1.0, high + 0.02)
    canvas = [[" "] * WIDTH for _ in range(HEIGHT)]

    def put(n: float, value: float, letter: str) -> None:
        column = round((WIDTH - 1) * np.log(n / least) / np.log(most / least))
        row = round((HEIGHT - 1) * (high - value) / (high - low))
        if 0 <= column < WIDTH and 0 <= row < HEIGHT:
            canvas[row][column] = letter

    for way, values in drawn.items():
        for n, value in zip(at, values, strict=True):
            put(n, value, way[0])
    for one in curves:
        assert one.growth is not None
        for point in one.growth.points:
            put(point.examples, point.right, one.way[0].upper())
    said = [f"{high - (high - low) * i / (HEIGHT - 1):6.1%} |{''.join(line)}" for i, line in enumerate(canvas)]
    left, right = f"{least:,}", f"{most:,} examples"
    said.append(" " * 8 + left + "-" * (WIDTH - len(left) - len(right)) + right)
    names = ", ".join(f"{way[0].upper()} {way}" for way in drawn)
    said.append(" " * 8 + f"{names}; capitals measured, small letters drawn on, to twice the examples there are")
    return said


def page(advice: Advice) -> str:
    """The advice as one HTML file."""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(advice))
    why = "".join(f"<p>{escape(said)}</p>" for said in advice.why)
    unless = "".join(f"<p>{escape(said)}</p>" for said in (*advice.unless, *advice.notes))
    title = "Which way to learn?"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body><main>'
        f'<h1>{title}</h1><p class="about">{escape(advice.what)} · {escape(advice.machine)}</p>'
        f'<section class="lead"><p class="first">{escape(headline(advice))}</p><p><code>{escape(advice.command)}</code></p>'
        f'{why}</section><div class="cards">{_picture(advice)}<section class="card"><h2>What would change this</h2>{unless}'
        "</section></div><table><thead><tr><th>way</th><th>expected</th><th>time</th><th>rests on</th></tr></thead>"
        f"<tbody>{body}</tbody></table><footer>Made by Tocsin on {datetime.now(UTC):%d %B %Y}, in {advice.seconds:.0f} "
        "seconds; the test part was not looked at.</footer></main></body></html>"
    )


def _picture(advice: Advice) -> str:
    series = []
    curves = [one for one in advice.candidates if one.growth is not None]
    if not curves:
        return ""
    most = 2 * advice.examples
    least = min(one.growth.points[0].examples for one in curves if one.growth is not None)
    at = np.geomspace(least, most, 40)
    for colour, one in zip(COLOURS, curves, strict=False):
        assert one.growth is not None
        series.append(Line(one.way, at.tolist(), [one.growth.right(round(n)) for n in at], colour))
        points = one.growth.points
        series.append(Line("", [p.examples for p in points], [p.right for p in points], colour, dots=True))
    low = min(min(line.y) for line in series)
    x = Axis(float(least), float(most), "labelled examples", count, log=True)
    y = Axis(max(0.0, low - 0.05), 1.0, advice.measure, percent)
    picture = lines(series, x, y, title="learning curves", mark=float(advice.examples), mark_name="all you have")
    return f'<section class="card"><h2>Would more examples help?</h2>{picture}</section>'
