"""The ablations on one world: each question with the rule by which a part would have to go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.bank import DAY, USUALLY, Floats, Lesson
from ablation.gains import HeldOut, figures
from ablation.models import PLAIN, SURPRISE, USUAL, Columns, Hybrid, School, ask, calibrations, learned
from tocsin.learn.layered import Rows, exits_of
from tocsin.measure.metrics import average_precision
from tocsin.nets import LayeredSettings, layered

Found = tuple[Floats, dict[str, Any]]
"""The score of every tested payment, and facts worth keeping."""
Model = Callable[[School], Found]
EVERY_PART = ("kind", "gap", "hour", "amount")


@dataclass(frozen=True)
class Study:
    """One small cell.

    Parameters
    ----------
    name, title : of the file, and in the table. against : the cell it is compared with if any.
    """

    name: str
    title: str
    run: Model
    against: str = "small-hybrid"
    lesson: Lesson = USUALLY


def trees(columns: Columns, lesson: Lesson = USUALLY) -> Model:
    """Trees alone, as calibrated log-odds."""

    def found(s: School) -> Found:
        taught, margins = s.bank.under(lesson), s.tree_margins(columns, lesson)[:, -1:]
        told = taught.windows.newest & (taught.label_at_made >= 0)
        return calibrations(margins[told], taught.label_at_made[told])[0](margins[s.tested(lesson), 0]), {}

    return found


def hybrid(model: Hybrid) -> Model:
    """Trees, and a layered network on them; the trees alone where hardly any label is left to teach a network with."""

    def found(s: School) -> Found:
        taught = s.bank.under(model.lesson)
        there = ~np.isnan(s.forward_margins(model.columns, model.lesson)[:, 0])
        frauds = int((taught.label_at_made[there] == 1).sum())
        if frauds < 10:
            score, _ = trees(model.columns, model.lesson)(s)
            return score, {"correction": 0.0, "frauds": frauds, "note": "too few frauds to teach a network"}
        answer = ask(s, model, s.tested(model.lesson))
        return answer.score, answer.facts

    return found


def shaped(**changes: Any) -> Model:
    """The hybrid with another network."""
    return hybrid(Hybrid(shape=replace(USUAL, **changes)))


def flat(s: School) -> Found:
    """One stage that holds all columns, as wide as it takes to have as many weights as the layered network."""

    def weights(ends: tuple[int, ...], shape: LayeredSettings) -> int:
        network = layered(ends, s.laid(SURPRISE).codes, s.bank.tokens.shape[1] - 1, shape)
        return sum(p.numel() for name, p in network.named_parameters() if "tables" not in name)

    ends = s.laid(SURPRISE).ends
    wanted = weights(ends, USUAL)
    shapes = [replace(USUAL, wide=wide, inner=2 * wide) for wide in range(8, 128, 2)]
    shape = min(shapes, key=lambda one: abs(weights(ends[-1:], one) - wanted))
    answer = ask(s, Hybrid(shape=shape, flat=True), s.tested())
    return answer.score, {**answer.facts, "wide": shape.wide, "weights_layered": wanted}


def exits(s: School) -> Found:
    """Of each stage: trees grown for that prefix alone with as many trees, the staged trees' exit, the network's exit."""
    rows = s.tested()
    answer, staged, label = ask(s, Hybrid(), rows), s.tree_margins(SURPRISE), s.bank.label[rows]
    last = len(s.bank.ends)
    facts = []
    for stage in range(1, last + 1):
        columns = Columns(one=True, stages=stage) if stage < last else Columns(("surprise",), one=True)
        facts.append(
            {
                "stage": stage,
                "separate trees": average_precision(label, s.tree_margins(columns)[rows, -1]),
                "staged trees": average_precision(label, staged[rows, stage - 1]),
                "layered network": average_precision(label, answer.exits[:, stage - 1]),
            }
        )
    return answer.score, {"exits": facts}


def missing(forget: float) -> Model:
    """The held-out payments once more for each stage, with nothing known of that stage."""

    def found(s: School) -> Found:
        rows, laid = s.tested(), s.laid(SURPRISE)
        model = Hybrid(shape=replace(USUAL, forget_stage=forget))
        whole = ask(s, model, rows)
        network, grown = learned(s, model).network, s.trees(SURPRISE)
        taught, margins = s.bank.under(USUALLY), s.tree_margins(SURPRISE)
        told = taught.windows.newest & (taught.label_at_made >= 0)
        calibrated, label = calibrations(margins[told], taught.label_at_made[told]), s.bank.label[rows]
        facts = []
        for stage, end in enumerate(laid.ends):
            matrix, tokens = laid.matrix[rows].copy(), s.bank.tokens[rows].copy()
            matrix[:, (0, *laid.ends)[stage] : end] = np.nan
            if stage == len(laid.ends) - 1:
                tokens[:, :-1] = 0  # nor anything of the past
            raw = grown.margins(matrix)
            odds = np.column_stack([one(raw[:, s_]) for s_, one in enumerate(calibrated)])
            said = exits_of_rows(network, matrix, odds, tokens, label)
            score = odds[:, -1] + whole.correction * (said[:, -1] - odds[:, -1])
            facts.append(
                {
                    "missing": stage + 1,
                    "trees": average_precision(label, odds[:, -1]),
                    "hybrid": average_precision(label, score),
                }
            )
        return whole.score, {"missing": facts}

    return found


def exits_of_rows(
    network: Any, matrix: Floats, odds: Floats, tokens: NDArray[np.uint32], label: NDArray[np.int8]
) -> Floats:
    """float64[m, stages]: what a network says of rows made up for the occasion."""
    return exits_of(network, Rows.of(matrix, odds, tokens, label, np.arange(len(label))))


DRIFT = Lesson(held_out=0.5)


def by_month(model: Model) -> Model:
    """Learn from the first half of the time; figures for every thirty days after."""

    def found(s: School) -> Found:
        score, facts = model(s)
        rows = s.tested(DRIFT)
        tested = HeldOut.of(s.bank, rows)
        month = (s.bank.at[rows] - s.bank.under(DRIFT).windows.made) // (30 * DAY)
        facts = {**facts, "months": []}
        for m in range(int(month.max()) + 1):
            part = month == m
            if (tested.label[part] == 1).sum() < 20:
                continue
            one = figures(HeldOut(tested.label[part], tested.kind[part], tested.account[part]), score[part])
            facts["months"].append(
                {"month": m + 1, "frauds": one["frauds"], "average_precision": one["average_precision"]}
            )
        return score, facts

    return found


def averaged(first: Model, second: Model) -> Model:
    """The mean of two models' log-odds."""

    def found(s: School) -> Found:
        (one, _), (other, _) = first(s), second(s)
        return (one + other) / 2, {}

    return found


RECENT = Lesson(days=60)
NO_PAST = replace(USUAL, past=0)
WIDE_PAST = replace(USUAL, past=48, past_reads=EVERY_PART)


def _labels() -> list[Study]:
    out = []
    for share in (0.3, 0.1, 0.03, 0.01):
        lesson, name = Lesson(share=share), f"labels-{share * 100:g}"
        out += [
            Study(f"{name}-trees", f"labels of {share:.0%} of the accounts: trees", trees(PLAIN, lesson), "", lesson),
            Study(
                f"{name}-hybrid",
                f"labels of {share:.0%} of the accounts: hybrid",
                hybrid(Hybrid(lesson=lesson)),
                f"small-{name}-trees",
                lesson,
            ),
        ]
    return out


def _delays() -> list[Study]:
    out = []
    for days in (0, 7, 30):
        lesson, name = Lesson(delay=days), f"delay-{days}"
        out += [
            Study(f"{name}-trees", f"labels known after {days} days: trees", trees(PLAIN, lesson), "", lesson),
            Study(
                f"{name}-hybrid",
                f"labels known after {days} days: hybrid",
                hybrid(Hybrid(lesson=lesson)),
                f"small-{name}-trees",
                lesson,
            ),
        ]
    return out


HALF_STUDIES: list[Study] = [
    Study("trees", "half the payments: trees", trees(PLAIN), ""),
    Study(
        "lags", "half the payments: trees + columns of the last five payments", trees(Columns(("lags",))), "half-trees"
    ),
    Study("surprise", "half the payments: trees + surprise", trees(SURPRISE), "half-trees"),
    Study("hybrid", "half the payments: hybrid", hybrid(Hybrid()), "half-trees"),
    Study("flat", "half the payments: all columns in one stage, as many weights", flat, "half-hybrid"),
]
"""On a world of half the size; the others on the first of the large ones."""

STUDIES: list[Study] = [
    Study("trees", "trees", trees(PLAIN), ""),
    Study("surprise", "trees + surprise, no network", trees(SURPRISE), "small-trees"),
    Study("hybrid", "hybrid as it stands: the reference", hybrid(Hybrid()), "small-trees"),
    Study("flat", "all columns in one stage, as many weights", flat),
    Study("past-surprise", "windows and surprise, network reads no past", hybrid(Hybrid(shape=NO_PAST))),
    Study("alone", "network alone: no trees", shaped(trees=False)),
    Study("in-sample", "taught with in-sample scores of the trees", hybrid(Hybrid(margins="in-sample"))),
    Study("join-add", "the past joined by adding log-odds", shaped(join="add")),
    Study("members-1", "one network instead of four", shaped(members=1)),
    Study("reads-all-8", "reads all of a payment, 8 of them", shaped(past_reads=EVERY_PART)),
    Study("reads-kinds", "reads kinds without gaps", shaped(past_reads=("kind",))),
    Study("lags", "trees + columns of the last five payments", trees(Columns(("lags",)))),
    Study("exits", "every exit against trees for that prefix", exits),
    Study("past-gru", "windows, network reads the past, no surprise", hybrid(Hybrid(PLAIN))),
    *_labels(),
    Study("drift-trees", "learned from the first half, by month: trees", by_month(trees(PLAIN, DRIFT)), "", DRIFT),
    Study(
        "drift-hybrid",
        "learned from the first half, by month: hybrid",
        by_month(hybrid(Hybrid(lesson=DRIFT))),
        "small-drift-trees",
        DRIFT,
    ),
    Study("missing", "a stage missing at the test, forgotten in training", missing(USUAL.forget_stage)),
    Study("reads-33", "reads kind and gap of 33 payments", shaped(past_last=33)),
    Study("recent-trees", "the last 60 days: trees + surprise", trees(SURPRISE, RECENT), "small-surprise"),
    Study("recent-hybrid", "the last 60 days: hybrid", hybrid(Hybrid(lesson=RECENT))),
    Study(
        "memories-trees",
        "two memories averaged: trees + surprise",
        averaged(trees(SURPRISE), trees(SURPRISE, RECENT)),
        "small-surprise",
    ),
    Study(
        "memories-hybrid", "two memories averaged: hybrid", averaged(hybrid(Hybrid()), hybrid(Hybrid(lesson=RECENT)))
    ),
    Study("loss-last", "loss of the last exit only", hybrid(Hybrid(loss="last exit only"))),
    Study("loss-weights", "class weights", hybrid(Hybrid(loss="class weights"))),
    Study("loss-focal", "focal loss", hybrid(Hybrid(loss="focal"))),
    Study("missing-unused", "a stage missing at the test, never in training", missing(0.0)),
    Study("waves", "numbers spread over 12 waves", shaped(waves=12)),
    Study("quantiles", "numbers as quantiles", hybrid(Hybrid(quantiles=True))),
    Study("past-none", "four stages, no history at all", hybrid(Hybrid(Columns(stages=4), shape=NO_PAST))),
    Study("past-windows", "five stages, windows only", hybrid(Hybrid(PLAIN, shape=NO_PAST))),
    Study("past-48", "a reader of the label-free model's shape, from scratch", hybrid(Hybrid(shape=WIDE_PAST))),
    Study(
        "past-48-begun",
        "the same, begun with the label-free model's weights",
        hybrid(Hybrid(shape=WIDE_PAST, begin="watcher")),
        "small-past-48",
    ),
    *_delays(),
    Study("reads-all-33", "reads all of a payment, 33 of them", shaped(past_reads=EVERY_PART, past_last=33)),
    Study("alone-waves", "network alone, 12 waves", shaped(trees=False, waves=12), "small-alone"),
    Study(
        "labels-3-begun",
        "labels of 3 % of the accounts, begun with the label-free model's weights",
        hybrid(Hybrid(shape=WIDE_PAST, begin="watcher", lesson=Lesson(share=0.03))),
        "small-labels-3-hybrid",
        Lesson(share=0.03),
    ),
]


@dataclass(frozen=True)
class Question:
    """What some cells are there to answer, and the rule, stated beforehand, by which a part would have to go.

    Parameters
    ----------
    cells : names of studies; those on the half-sized world begin with ``half-``.
    """

    asked: str
    kill: str
    cells: tuple[str, ...]


QUESTIONS: list[Question] = [
    Question(
        "Is it worth it?",
        "hybrid less trees is below 0.05, or hybrid less trees with the last five not above 0 (judged on all three worlds).",
        ("trees", "lags", "surprise", "hybrid"),
    ),
    Question(
        "Is it worth it with half the payments?",
        "nothing: this says how many frauds it takes.",
        ("half-trees", "half-lags", "half-surprise", "half-hybrid"),
    ),
    Question(
        "Stages or one flat network?",
        "flat is better by more than 0.003; then stages stay for the desk's sake only.",
        ("flat", "half-flat"),
    ),
    Question(
        "Does the network need the trees?", "the network alone is as good as the hybrid.", ("alone", "alone-waves")
    ),
    Question(
        "Must the trees' scores be time-forward?", "in-sample scores are as good: they cost nothing.", ("in-sample",)
    ),
    Question(
        "How much should the network read of the past?",
        "a wider or longer reader is better by more than 0.003; gaps go if kinds alone are as good.",
        ("reads-all-33", "reads-all-8", "reads-33", "reads-kinds"),
    ),
    Question("How does the past join?", "adding log-odds is better by more than 0.003.", ("join-add",)),
    Question("Four networks or one?", "one is as good: the rest is cost.", ("members-1",)),
    Question(
        "What is an early exit worth?",
        "trees grown for a prefix are better than its exit by more than 0.01.",
        ("exits",),
    ),
    Question(
        "Which memory carries the gain?",
        "the recurrent reader goes if surprise alone is as good; surprise goes if the reader alone is; beginning with the "
        "label-free model's weights goes if it gains nothing.",
        ("past-none", "past-windows", "past-surprise", "past-gru", "past-48", "past-48-begun"),
    ),
    Question(
        "How few labels will do?",
        "the hybrid is below the trees at that share; then the gate must give the trees.",
        (*(f"labels-{share}-{model}" for share in (30, 10, 3, 1) for model in ("trees", "hybrid")), "labels-3-begun"),
    ),
    Question("How are numbers given?", "waves or quantiles are better by more than 0.003.", ("waves", "quantiles")),
    Question("Which loss?", "another loss is better by more than 0.003.", ("loss-last", "loss-weights", "loss-focal")),
    Question(
        "What does a late label cost?",
        "the hybrid is below the trees at that delay.",
        tuple(f"delay-{days}-{model}" for days in (0, 7, 30) for model in ("trees", "hybrid")),
    ),
    Question(
        "What if a stage's data is missing?",
        "forgetting stages in training does not help where one is missing, or costs more than 0.003 where none is.",
        ("missing", "missing-unused"),
    ),
    Question(
        "How fast does it age?",
        "the hybrid falls below the trees within three months.",
        ("drift-trees", "drift-hybrid"),
    ),
    Question(
        "Two memories?",
        "the mean of 60 days and all is not better than all.",
        ("recent-trees", "recent-hybrid", "memories-trees", "memories-hybrid"),
    ),
]
