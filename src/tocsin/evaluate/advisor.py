"""Machine learning or deep learning, which way, for how long, and why: advice from measurements on the user's own examples.

What is plain and what a published network's features bring is measured, with an eighth, a quarter, half and all of the
examples that fit the time given, and drawn on to all there are. What teaching a network would bring cannot be measured in a
minute: there an earlier finding stands (``LEAVES``), and the advice says so. The test part is never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tocsin.evaluate.growth import Growth

LEAVES: dict[tuple[str, str], tuple[float, float, float]] = {
    ("images", "transfer"): (1.00, 0.85, 2.00),
    ("sound", "transfer"): (0.70, 0.50, 1.10),
    ("text", "transfer"): (0.85, 0.65, 1.15),
    ("images", "scratch"): (1.10, 0.30, 1.60),
    ("sound", "scratch"): (0.25, 0.15, 1.50),
    ("text", "scratch"): (0.97, 0.80, 1.50),
}
"""What share of the errors a way leaves, and the least and the greatest of it: transfer of the errors of extract, scratch of those
of plain. Decision 0014 says what it was taken from."""
ENOUGH = 100
"""Examples of a class from which on that share is reached; with fewer, nearer to 1, and beyond it for a fresh network."""
WORTH = 0.01
"""More minutes are worth it from this much more accuracy on."""
MACHINE, DEEP, BOTH = "machine learning", "deep learning", "deep learning's features, machine learning on top"
IS: dict[str, str] = {"plain": MACHINE, "extract": BOTH, "transfer": DEEP, "scratch": DEEP}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to learn, and what is expected of it.

    Parameters
    ----------
    way : of ``tocsin learn``. network : of the registry; empty for none.
    expected, low, high : share right on new examples, once it has learned from all.
    minutes : on this machine, by its own speed as just measured.
    growth : the learning curve, where it was measured. grounds : in words, what the expectation rests on.
    """

    way: str
    network: str
    expected: float
    low: float
    high: float
    minutes: float
    growth: Growth | None = None
    grounds: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation, and all it rests on.

    Parameters
    ----------
    what : in words, what was looked at. examples : labelled ones that may be learned from.
    chosen : of ``candidates``. learning : machine learning, deep learning, or one on the other.
    command : what to type next.
    why, unless : reasons, and what would change this advice; sentences.
    seconds : how long the advice took. machine : cores and graphics card, in words.
    measure : what is counted, such as ``share right``.
    """

    what: str
    examples: int
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    command: str
    why: tuple[str, ...]
    unless: tuple[str, ...]
    seconds: float
    machine: str
    measure: str = "share right"
    notes: tuple[str, ...] = ()
    kind: str = field(default="")

    @property
    def learning(self) -> str:
        """Machine learning or deep learning."""
        return IS.get(self.chosen.way, MACHINE)


def expected_of(way: str, kind: str, base: Candidate, examples_a_class: float) -> Candidate:
    """What a way that cannot be measured in a minute is expected to do, by one that was measured.

    Parameters
    ----------
    base : extract for transfer, plain for scratch. examples_a_class : mean number of labelled examples of a class.
    """
    middle, least, most = LEAVES[kind, way]
    reached = min(1.0, examples_a_class / ENOUGH)
    poor = 1.0 if way == "transfer" else 2.0  # with hardly an example a fresh network is worse than what it is held to
    left, lowest, highest = (reached * share + (1 - reached) * poor for share in (middle, least, most))
    error = 1.0 - base.expected
    grounds = (
        f"not measured: on other sets of this size it left {left:.0%} ({lowest:.0%} to {highest:.0%}) of the errors of "
        f"{base.way}"
    )
    return Candidate(
        way,
        "",
        max(0.0, 1.0 - left * error),
        max(0.0, 1.0 - highest * (1.0 - base.low)),
        min(1.0, 1.0 - lowest * (1.0 - base.high)),
        0.0,
        None,
        grounds,
    )


def choose(candidates: tuple[Candidate, ...]) -> Candidate:
    """The quickest of those that are within ``WORTH`` of the best expectation."""
    best = max(one.expected for one in candidates)
    return min((one for one in candidates if one.expected >= best - WORTH), key=lambda one: one.minutes)


def reasons(chosen: Candidate, candidates: tuple[Candidate, ...], examples: int, classes: int) -> tuple[str, ...]:
    """Why this one, in sentences."""
    said = []
    by = {one.way: one for one in candidates}
    plain, extract = by.get("plain"), by.get("extract")
    if plain is not None and extract is not None:
        gain = extract.expected - plain.expected
        if gain > WORTH:
            said.append(
                f"What a published network sees in your examples is worth {100 * gain:.1f} points over plain features "
                f"({extract.expected:.1%} against {plain.expected:.1%}, both drawn on from what was measured on your data)."
            )
        else:
            said.append(
                f"A published network sees no more in your examples than plain features do ({extract.expected:.1%} against "
                f"{plain.expected:.1%}, both drawn on from what was measured on your data)."
            )
    dearer = [one for one in candidates if one.expected > chosen.expected and one is not chosen]
    for one in dearer:
        more = 100 * (one.expected - chosen.expected)
        said.append(
            f"{one.way} may bring {more:.1f} points more, which is within what cannot be told apart, for "
            f"{one.minutes:.0f} minutes instead of {chosen.minutes:.0f}."
        )
    if chosen.way in ("transfer", "scratch"):
        base = by.get("extract" if chosen.way == "transfer" else "plain")
        if base is not None:
            said.append(
                f"With {examples / max(1, classes):,.0f} examples a class, teaching the network itself is expected to bring "
                f"{100 * (chosen.expected - base.expected):.1f} points over {base.way}; that is {chosen.grounds}."
            )
    elif "scratch" in by and by["scratch"].expected < chosen.expected:
        said.append(
            f"{examples:,} examples, {examples / max(1, classes):,.0f} a class, are too few for a network begun from nothing "
            f"(about {by['scratch'].expected:.0%})."
        )
    return tuple(said)


def more_labels(candidate: Candidate, examples: int) -> str:
    """What twice the labels would bring, in a sentence; empty where no curve was measured."""
    if candidate.growth is None:
        return ""
    now, then = candidate.growth.right(examples), candidate.growth.right(2 * examples)
    low, high = candidate.growth.between(2 * examples)
    return (
        f"Twice the labels would bring {candidate.way} about {100 * (then - now):+.1f} points, to {then:.1%} "
        f"({low:.1%} to {high:.1%})."
    )


def with_minutes(candidate: Candidate, network: str, seconds: float) -> Candidate:
    """The same with its network and its time."""
    return replace(candidate, network=network, minutes=seconds / 60)
