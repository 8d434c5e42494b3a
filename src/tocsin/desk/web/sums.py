"""A score as a sum that a person can check: the base, what each kind of data said, the total, and which of them said most."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, fsum, log10

from tocsin.desk.web.words import odds, one_in
from tocsin.schema import Reason, Score

_WIDE = 700.0  # beyond it exp() has no number; the log-odds beside it still say how far it went
_ADDS_UP = 1e-9


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the sum; ``log_odds`` and ``odds`` to four digits, ``chance`` after everything down to this line."""

    what: str
    asked: bool
    log_odds: str
    odds: str
    chance: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Base and stages, what they come to, and whether that is what the decision on record says."""

    lines: tuple[Line, ...]
    total: Line
    holds: bool
    recorded: str


def add_up(score: Score) -> Sum:
    r"""Every part of a score and their sum: in log-odds, where they add, and in odds, where they multiply.

    Examples
    --------
    >>> from tocsin.schema import StageShare
    >>> place = StageShare(stage="place", delta=1.25)
    >>> told = add_up(Score(value=0.14804719803168948, logit=-1.75, base=-3.0, stages=(place,)))
    >>> [(line.what, line.log_odds, line.chance) for line in told.lines]
    [('Base', '−3.0000', '1\xa0in\xa021'), ('place', '+1.2500', '15\xa0in\xa0100')]
    >>> told.total.odds, told.holds
    ('= 0.1738', True)
    """
    lines = [Line("Base", True, _signed(score.base), _factor(score.base), one_in(score.base))]
    parts = [score.base]
    for share in score.stages:
        if share.delta is None:
            lines.append(Line(share.stage, False, "", "not asked", ""))
            continue
        parts.append(share.delta)
        sign = "×" if share.delta >= 0 else "÷"
        factor = f"{sign}\u00a0{_factor(abs(share.delta))}"
        lines.append(Line(share.stage, True, _signed(share.delta, plus=True), factor, one_in(fsum(parts))))
    total = fsum(parts)
    chance = 1 / (1 + exp(-_within(total)))
    odd = abs(total - score.logit) > _ADDS_UP or abs(chance - score.value) > _ADDS_UP
    last = Line("Together", True, f"= {_signed(total)}", f"= {_factor(total)}", f"{_four_digits(chance * 100)}\u00a0%")
    return Sum(tuple(lines), last, not odd, f"{score.value:.6f}")


def foremost(score: Score, reasons: tuple[Reason, ...] = ()) -> str:
    """One sentence about the kind of data that moved the score most, and what in it did.

    Parameters
    ----------
    reasons : what weighed most, strongest first; those of that kind of data are named, two at most.
    """
    asked = [share for share in score.stages if share.delta is not None]
    most = max(asked, key=lambda share: abs(share.delta or 0.0), default=None)
    if most is None or most.delta is None or odds(most.delta) == "no change":
        return "No kind of data changed the odds by itself."
    up = most.delta > 0
    factor = odds(most.delta).replace("\u00a0", " ").split(" ", 1)[1]
    told = [one.text for one in reasons if one.stage == most.stage and (one.delta > 0) == up][:2]
    did = f"it {'multiplied' if up else 'divided'} the odds of fraud by {factor}."
    because = f" Above all: {'; '.join(_small(one) for one in told)}." if told else ""
    return f"{most.stage[:1].upper()}{most.stage[1:]} said most: {did}{because}"


def _small(text: str) -> str:
    """A sentence as part of another: begun small, unless it is an abbreviation, and without its full stop."""
    text = text.rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _signed(value: float, *, plus: bool = False) -> str:
    return f"{value:{'+' if plus else ''},.4f}".replace("-", "−")


def _factor(log_odds: float) -> str:
    return _four_digits(exp(_within(log_odds)))


def _within(log_odds: float) -> float:
    return max(min(log_odds, _WIDE), -_WIDE)


def _four_digits(number: float) -> str:
    """Four significant digits, written out where that can be read: ``0.002387``, ``31.00``, ``1,933``."""
    if not 1e-6 < number < 1e9:
        return f"{number:.3e}"
    places = max(3 - floor(log10(number)), 0)
    return f"{number:,.{places}f}"
