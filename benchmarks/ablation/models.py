"""The models the cells compare, built of the repository's own parts with their default settings unless a cell says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from ablation import kept
from ablation.bank import USUALLY, Bank, Floats, Lesson, Taught
from ablation.losses import teach_by
from tocsin.features.history import categories_of_lags, lag_columns
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.learn.forward import forward_scores
from tocsin.learn.layered import SETTINGS, Rows, exits_of, teach
from tocsin.learn.surprise import learn_surprise
from tocsin.learn.task import LoopSettings
from tocsin.measure.calibration import Calibration, fit_calibration
from tocsin.nets import LayeredSettings, Members

TREES = BoostingSettings()
BLOCKS = 6
USUAL = LayeredSettings()
HALF = replace(TREES, trees=TREES.trees // 2)


@dataclass(frozen=True)
class Columns:
    """Which columns a model has: the bank's own, and those put behind the last stage's.

    Parameters
    ----------
    more : of ``lags`` (kind, gap, hour, amount of the last five payments) and ``surprise`` (three columns).
    stages : how many stages there are, from the first on; None for all.
    one : all columns in one stage.
    """

    more: tuple[str, ...] = ()
    stages: int | None = None
    one: bool = False


PLAIN, SURPRISE = Columns(), Columns(("surprise",))


@dataclass(frozen=True)
class Laid:
    """Columns laid out: float64[n, d], where stages end, which hold codes."""

    matrix: Floats
    ends: tuple[int, ...]
    codes: tuple[int, ...]


class School:
    """One bank, and everything that can be learned of it; what has been worked out is kept."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self._laid: tuple[object, Laid] | None = None

    def laid(self, columns: Columns, lesson: Lesson = USUALLY) -> Laid:
        """The columns of a model; the last layout asked for is held in memory."""
        key = (columns, lesson)
        if self._laid is None or self._laid[0] != key:
            self._laid = (key, self._lay(columns, lesson))
        return self._laid[1]

    def _lay(self, columns: Columns, lesson: Lesson) -> Laid:
        bank = self.bank
        ends = bank.ends if columns.stages is None else bank.ends[: columns.stages]
        codes = [c for c in bank.codes if c < ends[-1]]
        parts = [bank.columns[:, : ends[-1]]]
        for name in columns.more:
            width = sum(part.shape[1] for part in parts)
            if name == "lags":
                parts.append(lag_columns(bank.tokens.astype(np.int64))[1])
                codes.extend(categories_of_lags(width))
            else:
                parts.append(self.surprise(lesson))
        matrix = np.concatenate(parts, axis=1) if len(parts) > 1 else np.ascontiguousarray(parts[0])
        ends = (matrix.shape[1],) if columns.one else (*ends[:-1], matrix.shape[1])
        return Laid(matrix, ends, tuple(codes))

    def surprise(self, lesson: Lesson = USUALLY) -> Floats:
        """float64[n, 3], learned without labels from what came before the newest window."""
        begins = self.bank.under(lesson).windows.begins
        until = int(np.searchsorted(self.bank.at, begins))
        name = kept.named("watcher", self.bank.print, until)

        def make() -> Floats:
            learned = learn_surprise(self.bank.tokens[:until], folder=kept.PIECES / f"watcher-{name}-training")
            save_file(learned.watcher.state_dict(), kept.PIECES / f"watcher-{name}.safetensors")
            return learned.columns(self.bank.tokens)

        return kept.array("surprise", self.bank.print, until, make=make)

    def watcher(self) -> Mapping[str, Tensor]:
        """The weights behind :meth:`surprise`."""
        until = int(np.searchsorted(self.bank.at, self.bank.under(USUALLY).windows.begins))
        self.surprise()
        return load_file(kept.PIECES / f"watcher-{kept.named('watcher', self.bank.print, until)}.safetensors")

    def tree_margins(self, columns: Columns, lesson: Lesson = USUALLY, trees: BoostingSettings = TREES) -> Floats:
        """float64[n, stages], uncalibrated: trees grown before the newest window and stopped on it, on every row."""

        def make() -> Floats:
            return self.trees(columns, lesson, trees).margins(self.laid(columns, lesson).matrix)

        return kept.array("trees", self.bank.print, columns, lesson, trees, make=make)

    def trees(self, columns: Columns, lesson: Lesson = USUALLY, trees: BoostingSettings = TREES) -> StagedTrees:
        """The trees behind :meth:`tree_margins`; grown, or read."""
        laid, taught = self.laid(columns, lesson), self.bank.under(lesson)
        folder = kept.PIECES / f"trees-{kept.named(self.bank.print, columns, lesson, trees)}"
        learner = StagedTrees(laid.ends, laid.codes, trees)
        if (folder / "trees.json").exists():
            return learner.load(folder)
        windows, examples = taught.windows, self._examples(laid, taught)
        then = examples.as_known_at(windows.made)
        grown = then.take(then.at < windows.begins) if lesson.late else examples.as_known_at(windows.begins)
        learner.fit(grown.take(slice(taught.first, None)), then.take(windows.newest[: len(then)]))
        folder.mkdir(parents=True, exist_ok=True)
        learner.save(folder)
        return learner

    def forward_margins(self, columns: Columns, lesson: Lesson = USUALLY) -> Floats:
        """float64[n, stages]: time-forward scores of the rows before the newest window; NaN in the first block and later."""

        def make() -> Floats:
            laid, taught = self.laid(columns, lesson), self.bank.under(lesson)
            until = int(np.searchsorted(self.bank.at, taught.windows.begins))
            past = self._examples(laid, taught).take(slice(taught.first, until))
            found = forward_scores(
                past,
                lambda: StagedTrees(laid.ends, laid.codes, HALF),
                lambda learner, matrix: learner.margins(matrix),
                blocks=BLOCKS,
            )
            out = np.full((len(self.bank.at), len(laid.ends)), np.nan)
            out[taught.first : until] = found if found.ndim == 2 else found[:, None]
            return out

        return kept.array("forward", self.bank.print, columns, lesson, HALF, BLOCKS, make=make)

    def log_odds(self, columns: Columns, lesson: Lesson = USUALLY, way: str = "forward") -> Floats:
        """float64[n, stages], calibrated by Platt a stage: earlier rows on their own labels, later ones on the newest window.

        Parameters
        ----------
        way : ``forward``, time-forward scores for the rows learned from; ``in-sample``, those of trees that saw them.
        """
        return kept.array(
            "odds", self.bank.print, columns, lesson, way, make=lambda: self._log_odds(columns, lesson, way)
        )

    def _log_odds(self, columns: Columns, lesson: Lesson, way: str) -> Floats:
        taught = self.bank.under(lesson)
        margins, forward = self.tree_margins(columns, lesson), self.forward_margins(columns, lesson)
        label, late = taught.label_at_made, self.bank.at >= taught.windows.begins
        learned = ~late & ~np.isnan(forward[:, 0])
        early = margins if way == "in-sample" else forward
        out = np.full(margins.shape, np.nan)
        for rows, told, raw in (
            (learned, learned & (label >= 0), early),
            (late, taught.windows.newest & (label >= 0), margins),
        ):
            for s, calibration in enumerate(calibrations(raw[told], label[told])):
                out[rows, s] = calibration(raw[rows, s])
        return out

    def _examples(self, laid: Laid, taught: Taught) -> Examples:
        return Examples.of(
            laid.matrix, taught.label, at=self.bank.at, known_at=taught.known_at, amount=self.bank.amount
        )

    def tested(self, lesson: Lesson = USUALLY) -> NDArray[np.int64]:
        """int64[m]: held-out payments whose label is known in the end; the same for every model."""
        return np.flatnonzero(self.bank.under(lesson).windows.held_out & (self.bank.label >= 0))


def calibrations(raw: Floats, label: NDArray[np.int8]) -> list[Calibration]:
    """Platt's for each stage; margins are left as they are where fewer than two frauds, or two others, are known."""
    if min(int((label == 1).sum()), int((label == 0).sum())) < 2:
        return [Calibration() for _ in range(raw.shape[1])]
    return [fit_calibration(raw[:, s], label, way="platt") for s in range(raw.shape[1])]


@dataclass(frozen=True)
class Hybrid:
    """A layered network on trees, as a cell wants it.

    Parameters
    ----------
    margins : what the rows learned from carry of the trees: ``forward``, ``in-sample``.
    loss : a name in ``losses.LOSSES``; ``usual`` is the repository's.
    begin : ``watcher`` to begin the reader of the past with the weights of the label-free model.
    flat : all columns in one stage, on the last margin of the staged trees.
    quantiles : numbers are given to the network as their place among the training rows.
    """

    columns: Columns = SURPRISE
    lesson: Lesson = USUALLY
    shape: LayeredSettings = USUAL
    loop: LoopSettings = SETTINGS
    margins: str = "forward"
    loss: str = "usual"
    begin: str = ""
    quantiles: bool = False
    flat: bool = False

    @property
    def believed(self) -> bool:
        """Without trees there is nothing to fall back on: all of the network is taken."""
        return self.shape.trees


@dataclass(frozen=True)
class Answer:
    """What a hybrid says of the rows asked for: its exits before anything is held back, the trees', and the score.

    Parameters
    ----------
    exits, margins : float64[m, stages]. score : float64[m], log-odds. correction : how much of the network is believed.
    """

    exits: Floats
    margins: Floats
    score: Floats
    correction: float
    facts: dict[str, Any] = field(default_factory=dict)


def ask(school: School, hybrid: Hybrid, rows: NDArray[np.int64]) -> Answer:
    """Train it, or take what was trained, and ask it about rows."""
    name = kept.named("network", school.bank.print, hybrid)
    odds = school.log_odds(hybrid.columns, hybrid.lesson, hybrid.margins)[rows]
    odds = odds[:, -1:] if hybrid.flat else odds
    facts_at = kept.PIECES / f"network-{name}.json"
    exits = kept.array(
        "exits", school.bank.print, hybrid, kept.named(rows.tobytes()), make=lambda: learned(school, hybrid).said(rows)
    )
    facts = kept.read(facts_at)
    assert facts is not None
    a = facts["correction"]
    return Answer(exits, odds, odds[:, -1] + a * (exits[:, -1] - odds[:, -1]), a, facts)


@dataclass(frozen=True)
class Learned:
    """A trained network with the rows it can be asked about."""

    network: Members
    rows: Callable[[NDArray[np.int64]], Rows]

    def said(self, rows: NDArray[np.int64]) -> Floats:
        """float64[m, stages]: its exits."""
        return exits_of(self.network, self.rows(rows))


def learned(school: School, hybrid: Hybrid) -> Learned:
    """Train a hybrid's network; a training that was finished is read, one that was killed goes on."""
    bank, taught = school.bank, school.bank.under(hybrid.lesson)
    name = kept.named("network", bank.print, hybrid)
    odds = school.log_odds(hybrid.columns, hybrid.lesson, hybrid.margins)
    laid = school.laid(hybrid.columns, hybrid.lesson)
    ends, odds = (laid.ends[-1:], odds[:, -1:]) if hybrid.flat else (laid.ends, odds)
    label = taught.label_at_made
    train = np.flatnonzero((bank.at < taught.windows.begins) & ~np.isnan(odds[:, 0]) & (label >= 0))
    newest = np.flatnonzero(taught.windows.newest & (label >= 0))
    matrix = laid.matrix if not hybrid.quantiles else quantiles(laid, train)

    def rows(chosen: NDArray[np.int64]) -> Rows:
        return Rows.of(matrix, odds, bank.tokens, label, chosen)

    taken, later = rows(train), rows(newest)
    came = teach if hybrid.loss == "usual" else partial(teach_by, hybrid.loss)
    begin = watcher_as_past(school.watcher(), hybrid.shape.members) if hybrid.begin else None
    found = came(
        taken,
        later,
        ends,
        laid.codes,
        shape=hybrid.shape,
        settings=hybrid.loop,
        begin=begin,
        folder=kept.PIECES / f"network-{name}-training",
    )
    kept.write(
        kept.PIECES / f"network-{name}.json",
        {
            "correction": found.correction if hybrid.believed else 1.0,
            "epoch": found.trained.best,
            "judged": found.trained.judged,
            "judged_trees": found.trained.start,
            "weights": sum(p.numel() for n, p in found.network.named_parameters() if "tables" not in n),
            "frauds": int((taken.label == 1).sum()),
        },
    )
    return Learned(found.network, rows)


def watcher_as_past(watcher: Mapping[str, Tensor], members: int) -> dict[str, Tensor]:
    """The label-free model's reader of the past under the names it has in a layered network."""
    own = {name: t for name, t in watcher.items() if name.startswith("past.")}
    return {f"members.{m}.{name}": t for m in range(members) for name, t in own.items()}


def quantiles(laid: Laid, train: NDArray[np.int64]) -> Floats:
    """Numbers as their place among the training rows, from -1 to 1; codes stay, what is missing stays missing."""
    out = laid.matrix.copy()
    for c in range(out.shape[1]):
        known = laid.matrix[train, c]
        known = np.sort(known[~np.isnan(known)])
        if c in laid.codes or not len(known):
            continue
        there = ~np.isnan(out[:, c])
        low, high = (np.searchsorted(known, out[there, c], side) for side in ("left", "right"))
        out[there, c] = (low + high) / len(known) - 1
    return out


torch.set_num_threads(1)
