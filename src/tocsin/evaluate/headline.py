"""What a report of classes says in words: how good, against what, where it is weak; and what the model is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.artifact.classes import ClassesCard
from tocsin.evaluate.confusion import ClassFindings
from tocsin.evaluate.matrix import pairs

KINDS = {"images": "pictures", "sound": "sounds", "text": "texts"}
_WAYS = {
    "scratch": "a network learned from nothing",
    "transfer": "a network that had learned elsewhere, taught on",
    "extract": "a network that had learned elsewhere, read and not taught, and a machine learned on what it sees",
    "plain": "plain machine learning, without a network",
}
_INTO = {
    "svm": "a linear support-vector machine",
    "logistic": "logistic regression",
    "trees": "boosted trees",
    "": "none",
}


@dataclass(frozen=True, slots=True)
class Rival:
    """Another way on the same examples.

    Parameters
    ----------
    words : what it is. accuracy : its share of right answers.
    margin : by how much its difference from the model may be chance, as a share, both judged by the same examples (95 %); None
        where that is not known.
    """

    words: str
    accuracy: float
    margin: float | None = None


def first_sentence(card: ClassesCard, found: ClassFindings) -> str:
    """The one sentence: what it tells apart, and how often it is right."""
    names = card.classes
    kinds = KINDS[card.kind]
    what = f"{_listed(names)}" if len(names) <= 4 else f"{len(names)} classes of {kinds}"
    a = found.accuracy
    where = f" from {found.groups:,} groups" if found.groups else ""
    return (
        f"It tells {what} apart{f' in {kinds}' if len(names) <= 4 else ''} and was right on {_percent(a.value)} of "
        f"{found.examples:,}{where} (95 % interval {100 * a.low:.1f} to {100 * a.high:.1f})."
    )


def sentences(found: ClassFindings, plain: Rival | None = None) -> list[str]:
    """What to hold against it, where it is weak, and what it knows of its own doubt."""
    name, share = found.majority
    out = [f"Always saying “{name}”, the commonest, would be right on {_percent(share)}."]
    if plain is not None:
        out.append(against(plain, found.accuracy.value))
    weak = _weak(found)
    if weak:
        out.append(weak)
    out.append(_doubt(found))
    few = [c.name for c in found.classes if 0 < c.examples < 30]
    if few:
        out.append(f"Of {_listed(few)} there are fewer than 30 examples here: what is said of that is rough.")
    if none := [c.name for c in found.classes if not c.examples]:
        out.append(f"Of {_listed(none)} there is no example here: nothing is known of that.")
    return out


def against(rival: Rival, accuracy: float) -> str:
    """How a model of this accuracy stands against the rival; and that the rival does better, or as well, where it does."""
    gap = 100 * (accuracy - rival.accuracy)
    than = "the same" if abs(gap) < 0.05 else f"{abs(gap):.1f} points {'fewer' if gap > 0 else 'more'}"
    out = f"{rival.words} is right on {_percent(rival.accuracy)} of the same examples: {than}"
    if rival.margin is None:
        return f"{out}."
    if abs(gap) <= 100 * rival.margin or abs(gap) < 0.05:
        chance = "" if abs(gap) < 0.05 else ", which may be chance"
        return f"{out}{chance}. It needs no network and answers sooner: look at --way plain."
    return f"{out}." if gap > 0 else f"{out}. Plain machine learning does better here: take --way plain."


def _weak(found: ClassFindings) -> str:
    mixed = pairs(found)
    if not mixed:
        return "Not one was wrong."
    true, said, often, of = mixed[0]
    worst = min((c for c in found.classes if c.examples), key=lambda c: c.recall.value)
    out = f"Its commonest mistake: “{true}” said to be “{said}”, {often:,} of {of:,}."
    if len(found.classes) > 2:
        out += f" Weakest class: “{worst.name}”, {_percent(worst.recall.value)} of {worst.examples:,} found."
    return out


def _doubt(found: ClassFindings) -> str:
    error = found.quality.calibration_error
    n = found.examples
    honest = "It is about as sure as it is right" if error < 0.03 else "It is not as sure as it is right"
    sure = sum(b.promised * b.examples for b in found.reliability) / n
    lean = "" if error < 0.03 else (", too sure" if sure > found.accuracy.value else ", too doubtful")
    out = f"{honest}: on average it promises {_percent(sure)}{lean} (calibration error {100 * error:.1f} points)."
    nine = next((right for answered, right in found.selective if answered >= 0.9), None)
    if nine is not None and n >= 50 and nine > found.accuracy.value + 0.002:
        out += f" Leave the tenth it is least sure of to a person, and {_percent(nine)} of the rest is right."
    return out


def facts(card: ClassesCard, found: ClassFindings) -> list[tuple[str, str]]:
    """The model card: what it is, what it learned from, what it was measured to be, and what it is not for."""
    learned, q = card.learned, found.quality
    out = [
        ("Version", card.version or card.name),
        ("Reads", KINDS[card.kind] + _reads(card)),
        ("Tells apart", ", ".join(card.classes)),
        ("Way", f"{card.way}: {_WAYS[card.way]}"),
    ]
    if card.network:
        out.append(("Network", card.network + (f", read at its layer {card.layer}" if card.layer else "")))
    if card.way != "plain" and (share := card.settings.get("words")):
        out.append(("Beside the network", f"the words of a text, counted, at {share:g} of its weight"))
    if card.into:
        out.append(("Decides by", _INTO[card.into]))
    counts = ", ".join(f"{name} {n:,}" for name, n in learned.classes.items())
    out += [
        ("Learned from", f"{learned.data}: {learned.rows:,} {KINDS[card.kind]} ({counts})"),
        ("Held out", learned.held_out),
        ("Temperature", f"{card.temperature:.3g}"),
        (
            "Accuracy",
            f"{_percent(found.accuracy.value)} ({100 * found.accuracy.low:.1f} to {100 * found.accuracy.high:.1f})",
        ),
        ("Mean recall of the classes", _percent(q.balanced_accuracy)),
        ("Mean F1 of the classes", f"{q.macro_f1:.3f}"),
        ("Log-loss, Brier score", f"{q.log_loss:.3f}, {found.brier:.3f}"),
        ("Expected calibration error", f"{q.calibration_error:.3f} (15 equal bins)"),
    ]
    if q.f1 is not None:
        out.append((f"F1 of {card.classes[1]}", f"{q.f1:.3f}"))
    if q.roc_auc is not None:
        out.append((f"Area under the ROC curve ({card.classes[1]})", f"{q.roc_auc:.4f}"))
    if card.settings:
        out.append(("Settings", ", ".join(f"{k} {v}" for k, v in card.settings.items() if v is not None)))
    if card.libraries:
        out.append(("Made with", ", ".join(f"{k} {v}" for k, v in card.libraries.items())))
    out.append(("Not for", _limits(card)))
    return out


def _reads(card: ClassesCard) -> str:
    p = card.preparation
    if card.kind == "images" and p.size:
        fit = {"cover": "the middle square", "squash": "squeezed to a square", "pad": "whole, with bars"}[p.fit]
        return f", {fit}, {p.size} × {p.size} pixels"
    if card.kind == "sound" and p.samples:
        return f", {p.samples / p.rate:.3g} seconds at {p.rate / 1000:g} kHz"
    if card.kind == "text" and p.length:
        counted = " by the network, all words counted" if card.way != "plain" and "words" in card.settings else ""
        return f", the first {p.length} {'words' if p.tokens == 'words' else 'word pieces'}{counted}"
    return ""


def _limits(card: ClassesCard) -> str:
    kinds = KINDS[card.kind]
    return (
        f"Whatever it is shown, it says one of these {len(card.classes)} classes, also of {kinds} that are none of them. How "
        f"good it is holds for {kinds} like those it was measured on; others, from another place or device, are to be "
        "measured anew: tocsin evaluate MODEL DATA."
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def sure(probability: float) -> str:
    """A probability below an example: whole per cents, tenths near 0 and 1; never 100 % of what is not certain.

    Examples
    --------
    >>> sure(0.8431), sure(0.99996), sure(0.0123), sure(0.00002)
    ('84 %', '99.9 %', '1.2 %', '0.0 %')
    """
    p = 100 * min(probability, 0.999) if probability < 1 else 100.0
    return f"{p:.0f} %" if 10 <= p < 99 or p == 100 else f"{p:.1f} %"
