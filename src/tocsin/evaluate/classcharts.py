"""The pictures of a report of classes: who is taken for whom, by class, promised against kept, and how it was learned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.evaluate.charts import Axis, Band, Line, bars, count, lines, percent
from tocsin.evaluate.confusion import ClassFindings
from tocsin.evaluate.enough import NAME as ENOUGH
from tocsin.evaluate.enough import Enough
from tocsin.evaluate.matrix import matrix, pairs
from tocsin.learn.task import Epoch

_MOST_CLASSES = 30
_STEPS = 24


@dataclass(frozen=True, slots=True)
class Chart:
    """A heading, a sentence that says what is seen, and the picture as HTML."""

    heading: str
    words: str
    picture: str


@dataclass(frozen=True, slots=True)
class Course:
    """How it was learned, as far as that is known.

    Parameters
    ----------
    epochs : (number, training loss, judged loss) of each epoch; ``best`` is the one whose weights were kept.
    enough : accuracy against the number of examples, where it was measured.
    """

    epochs: tuple[tuple[int, float, float], ...] = ()
    best: int = 0
    enough: Enough | None = None


def course_of(folder: Path) -> Course | None:
    """What stands beside a model: the training loop's ``training.json`` and ``enough.json``; None where neither says anything."""
    enough = Enough.kept(folder / ENOUGH)
    try:
        said = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        epochs = tuple((int(e["number"]), float(e["loss"]), float(e["judged"])) for e in said["epochs"])
        best = int(said.get("best", 0))
    except (OSError, ValueError, KeyError, TypeError):
        epochs, best = (), 0
    return Course(epochs, best, enough) if epochs or enough else None


def course_of_epochs(epochs: Sequence[Epoch], enough: Enough | None = None) -> Course | None:
    """The epochs of a training, as they went, and what more examples bring; None where neither is known."""
    if not epochs and enough is None:
        return None
    best = min(epochs, key=lambda epoch: epoch.judged).number if epochs else 0
    return Course(tuple((e.number, e.loss, e.judged) for e in epochs), best, enough)


def charts(found: ClassFindings, course: Course | None) -> list[Chart]:
    """All pictures there is something to show in, in the order one reads them."""
    out = [Chart("Which is taken for which", _matrix_words(found), matrix(found)), _by_class(found)]
    out.append(Chart("Is 90 % really 9 in 10?", _calibration_words(found), _calibration(found)))
    out.append(Chart("If the doubtful are left to a person", _selective_words(found), _selective(found)))
    if course is not None and course.enough is not None:
        out.append(Chart("Would more examples help?", course.enough.words(), _growth(course.enough)))
    if course is not None and len(course.epochs) > 1:
        out.append(Chart("How it learned", _epochs_words(course), _epochs(course)))
    return out


def _matrix_words(found: ClassFindings) -> str:
    mixed = pairs(found)
    if not mixed:
        return "Not one is taken for another."
    told = "; ".join(f"{a} for {b}, {n:,}" for a, b, n, _ in mixed[:3])
    return f"{found.examples - found.right:,} of {found.examples:,} are taken for another class. Most often {told}."


def _by_class(found: ClassFindings) -> Chart:
    there = [c for c in found.classes if c.examples]
    shown = sorted(there, key=lambda c: c.recall.value)[:_MOST_CLASSES]
    rows = [(c.name, c.recall.value, f"{c.recall.value:.0%} of {c.examples:,}") for c in shown]
    left = f" The {_MOST_CLASSES} weakest of {len(there)}." if len(there) > _MOST_CLASSES else ""
    precise = min((c for c in found.classes if c.said), key=lambda c: c.precision.value)
    words = (
        f"Share of each class that was found, the weakest first.{left} Of what was said to be {precise.name}, "
        f"{precise.precision.value:.0%} was, the lowest precision."
    )
    return Chart("Which classes it finds", words, bars(rows))


def _calibration(found: ClassFindings) -> str:
    low = min([0.5, *(b.promised for b in found.reliability), *(b.right for b in found.reliability)])
    low = max(0.0, int(low * 10) / 10)
    promised, right = [b.promised for b in found.reliability], [b.right for b in found.reliability]
    return lines(
        [Line("perfect", [low, 1.0], [low, 1.0], "faint"), Line("this model", promised, right, "s1", dots=True)],
        Axis(low, 1.0, "how sure it said it was", percent),
        Axis(low, 1.0, "", percent),
        title="How sure it said it was against the share that was right",
    )


def _calibration_words(found: ClassFindings) -> str:
    q = found.quality
    most = max(found.reliability, key=lambda b: abs(b.promised - b.right))
    return (
        f"Upwards: the share that was right. Expected calibration error {q.calibration_error:.3f}, log-loss {q.log_loss:.3f}. "
        f"Furthest off: where it said {most.promised:.0%}, {most.right:.0%} of {most.examples:,} were right."
    )


def _selective(found: ClassFindings) -> str:
    answered, right = [a for a, _ in found.selective], [r for _, r in found.selective]
    low = max(0.0, int(min(right) * 20) / 20 - 0.05)
    return lines(
        [Line("", answered, right, "s2")],
        Axis(0, 1, "share it answers itself, the surest first", percent),
        Axis(low, 1.0, "", percent),
        title="Share answered against share of these that is right",
    )


def _selective_words(found: ClassFindings) -> str:
    every = next((a for a, r in reversed(found.selective) if r >= 0.99), None)
    if every is None:
        return "Upwards: the share of right answers. Even of its surest answers fewer than 99 % are right."
    if every >= 0.999:
        return "Upwards: the share of right answers. 99 % and more are right even when it answers everything."
    return (
        f"Upwards: the share of right answers. It can answer {every:.0%} of them itself and be right on 99 % of these."
    )


def _growth(enough: Enough) -> str:
    """What was measured with fewer, the curve through it on to twice as many, and where other curves lie."""
    growth, twice = enough.growth, 2 * enough.taught
    sizes, right = [float(p.examples) for p in growth.points], [p.right for p in growth.points]
    steps = [sizes[0] * (twice / sizes[0]) ** (i / _STEPS) for i in range(_STEPS + 1)]
    expected = [growth.right(round(n)) for n in steps]
    between = [growth.between(round(n)) for n in steps]
    low = max(0.0, int(min([*right, between[0][0]]) * 20 - 1e-9) / 20)
    return lines(
        [Line("measured", sizes, right, "s1 bare", dots=True), Line("expected", steps, expected, "faint")],
        Axis(sizes[0], float(twice), "examples learned from", count, log=True),
        Axis(low, 1.0, "", percent),
        title="Examples learned from against the share that is right, drawn on to twice as many",
        mark=float(enough.taught),
        mark_name=f"now, {enough.taught:,}",
        band=Band("nine of ten curves", steps, [a for a, _ in between], [b for _, b in between]),
    )


def _epochs(course: Course) -> str:
    number = [float(n) for n, _, _ in course.epochs]
    every = [v for _, *both in course.epochs for v in both]
    high = max(every) * 1.05 or 1.0
    return lines(
        [
            Line("training", number, [a for _, a, _ in course.epochs], "s1"),
            Line("examples not trained on", number, [b for _, _, b in course.epochs], "s2", dots=True),
        ],
        Axis(number[0], number[-1], "epoch", count),
        Axis(0.0, high, ""),
        title="Loss by epoch, of training and of examples not trained on",
        mark=float(course.best) if course.best else None,
        mark_name="kept",
    )


def _epochs_words(course: Course) -> str:
    last, best = course.epochs[-1][0], course.best
    kept = f"The weights of epoch {best} of {last} were kept." if best else "No epoch bettered the untrained network."
    return f"Loss, lower is better. {kept}"
