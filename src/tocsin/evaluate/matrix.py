"""Who is taken for whom: the confusion matrix as a picture and as a table, and the pairs most often mixed up."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluate.confusion import ClassFindings, ClassResult

_DRAWN = 20
"""With more classes than this, squares would be too small to see; the pairs and the table tell."""
_NUMBERED = 12
_SIDE, _LEFT, _TOP = 440, 96, 22
_LARGEST = 84
"""A cell of few classes is no larger."""


def pairs(found: ClassFindings) -> list[tuple[str, str, int, int]]:
    """(true class, said class, how often, of how many), the most frequent first."""
    counts = found.quality.confusion
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[: int((wrong > 0).sum())]
    names = [c.name for c in found.classes]
    places = [divmod(int(place), len(counts)) for place in order]
    return [(names[a], names[b], int(wrong[a, b]), int(counts[a].sum())) for a, b in places]


def matrix(found: ClassFindings) -> str:
    """The picture, and behind it the table that says the same in numbers."""
    counts, names = found.quality.confusion, [c.name for c in found.classes]
    drawn = _drawn(counts, names) if len(names) <= _DRAWN else ""
    return f"{drawn}<details><summary>The same as a table</summary>{_table(counts, names)}</details>"


def by_class(classes: Sequence[ClassResult]) -> str:
    """One row a class: how many, recall, precision and F1, with their 95 % intervals."""
    head = "".join(
        f"<th>{h}</th>" for h in ("Class", "Examples", "Found (recall)", "Right when said (precision)", "F1")
    )
    rows = "".join(
        f"<tr><td>{escape(c.name)}</td><td>{c.examples:,}</td><td>{_share(c.right, c.examples, c.recall.low, c.recall.high)}"
        f"</td><td>{_share(c.right, c.said, c.precision.low, c.precision.high)}</td><td>{c.f1:.3f}</td></tr>"
        for c in classes
    )
    return f'<div class="scroll" tabindex="0"><table class="months"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _share(right: int, of: int, low: float, high: float) -> str:
    if not of:
        return "–"
    return f"{100 * right / of:.1f} % <small>{100 * low:.0f} to {100 * high:.0f}</small>"


def _drawn(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    k = len(names)
    cell = min(_LARGEST, (_SIDE - _LEFT - 8) / k)
    parts = [f'<text class="title" x="{_LEFT}" y="13">said to be →</text><text class="title" x="0" y="13">is ↓</text>']
    for row, name in enumerate(names):
        total = max(1, int(counts[row].sum()))
        middle = _TOP + cell * (row + 0.5) + 4
        parts.append(f'<text text-anchor="end" x="{_LEFT - 6}" y="{middle:.1f}">{escape(_short(name, 14))}</text>')
        for column in range(k):
            share, left, top = counts[row, column] / total, _LEFT + cell * column, _TOP + cell * row
            kind = "s3" if row == column else "s1"
            said = escape(f"{name} said to be {names[column]}: {counts[row, column]:,} of {counts[row].sum():,}")
            parts.append(
                f'<rect class="cell" x="{left:.1f}" y="{top:.1f}" width="{cell - 1.5:.1f}" height="{cell - 1.5:.1f}"/>'
                f'<rect class="{kind}" fill-opacity="{_ink(share):.2f}" x="{left:.1f}" y="{top:.1f}" '
                f'width="{cell - 1.5:.1f}" height="{cell - 1.5:.1f}"><title>{said}</title></rect>'
            )
            if k <= _NUMBERED and counts[row, column]:
                light = " light" if kind == "s3" and share > 0.5 else ""
                parts.append(
                    f'<text class="count{light}" text-anchor="middle" x="{left + cell / 2:.1f}" y="{middle:.1f}">'
                    f"{counts[row, column]:,}</text>"
                )
    width = max(3, int(cell / 6.2))
    bottom = _TOP + cell * k
    tilt = any(len(name) > width for name in names)
    for column, name in enumerate(names):
        x = _LEFT + cell * (column + 0.5)
        turned = f' transform="rotate(-40 {x:.1f} {bottom + 12:.1f})"' if tilt else ""
        anchor = "end" if turned else "middle"
        parts.append(
            f'<text text-anchor="{anchor}" x="{x:.1f}" y="{bottom + 14:.1f}"{turned}>{escape(_short(name, 14))}</text>'
        )
    height = bottom + (66 if tilt else 22)
    title = "Which class is said to be which: " + "; ".join(
        f"{name} rightly {counts[i, i]} of {counts[i].sum()}" for i, name in enumerate(names)
    )
    return f'<svg viewBox="0 0 {_SIDE} {height:.0f}" role="img" aria-label="{escape(title, quote=True)}">{"".join(parts)}</svg>'


def _ink(share: float) -> float:
    """How strongly a cell is coloured: a rare mistake must still be seen."""
    return 0.0 if share <= 0 else 0.12 + 0.88 * float(share) ** 0.6


def _table(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(_short(name, 12))}</th>" for name in names)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{n:,}</td>' for n in counts[i].tolist())}</tr>"
        for i, name in enumerate(names)
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="months"><thead><tr><th>is ↓ said →</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
