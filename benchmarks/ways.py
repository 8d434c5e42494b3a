"""What one bank's networks are worth at another that has few labels: scratch, transfer and extract, beside trees alone.

    make bench NAME=ways       (QUICK=1: small banks, under a minute)

Two made banks, fixed before the first run (docs/log.md). A model with networks is learned at the first by the ordinary
way, kept whatever its own gate says of it, and written as a model's directory; everything else begins from that directory. At the second bank the labels of a
share of the accounts are told; the newest window, by which every way is stopped, believed and calibrated, keeps its own.

    trees      the trees alone
    scratch    surprise and layered network learned here
    transfer   the same, beginning with the first bank's weights
    machine    the first bank's networks as they are; a linear machine on one of their layers
    columns    the first bank's networks as they are; a layer as more columns of the trees

Every cell is a job of its own: killed, the same command goes on with the next. A table for people, and as the last line one
JSON object: AP of each way at each share, the mean over the draws of who is told.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tocsin.artifact import write
from tocsin.artifact.network import tokens_of
from tocsin.data import make_world, read
from tocsin.data.world import WorldSettings, write_world
from tocsin.errors import BadInput
from tocsin.features import compile_plan
from tocsin.learn import hybrid
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.learn.exits import calibrate, read_off
from tocsin.learn.extract import Networks, opened
from tocsin.learn.extract import read as read_layer
from tocsin.learn.gathering import features
from tocsin.learn.grown import Seedling
from tocsin.learn.hybrid import Teaching, forward_rows, halves, rows_of
from tocsin.learn.layered import SETTINGS, Rows, exits_of, teach
from tocsin.learn.machine import fit_machine
from tocsin.learn.surprise import SETTINGS as WATCHING
from tocsin.learn.surprise import learn_surprise
from tocsin.learn.transactions import Recipe, Windows, learn, windows_of
from tocsin.learn.transfer import weights_of
from tocsin.measure.gate import Origin, gate
from tocsin.measure.metrics import average_precision
from tocsin.nets import LayeredSettings
from tocsin.spec import load

QUICK = os.environ.get("QUICK") == "1"
FOLDER = Path(os.environ.get("TOCSIN_WAYS", "runs/ways-quick" if QUICK else "runs/ways"))
FIRST = WorldSettings(transactions=200_000, seed=201)
OTHER = WorldSettings(
    transactions=150_000, seed=202, fraud_rate=0.012, payments_a_month=10.0, drift=0.5, fresh_device_rate=0.08
)
SHARES: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01)
DRAWS = int(os.environ.get("DRAWS", "3"))
TREES, LOOP, WATCH = BoostingSettings(), SETTINGS, WATCHING
SHAPE = LayeredSettings()
if QUICK:
    FIRST, OTHER = (
        replace(FIRST, transactions=9_000, fraud_rate=0.03),
        replace(OTHER, transactions=8_000, fraud_rate=0.03),
    )
    SHARES, DRAWS, TREES = (1.0, 0.3), 1, BoostingSettings(trees=40)
    LOOP, WATCH = replace(SETTINGS, epochs=2, planned=2), replace(WATCHING, epochs=1, planned=1)
NEVER = np.iinfo(np.int64).max // 2
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bank:
    """The other bank, read once: columns and last payments of each payment, who paid, and the windows."""

    examples: Examples
    account: NDArray[np.int64]
    windows: Windows
    ends: tuple[int, ...]
    codes: tuple[int, ...]

    @property
    def test(self) -> NDArray[np.int64]:
        """The held-out payments whose truth is known."""
        return np.flatnonzero(self.windows.held_out & (self.examples.label >= 0))

    def told(self, share: float, draw: int) -> Examples:
        """What is known when a share of the accounts is told about, before the newest window."""
        rows, early = self.examples, self.examples.at < self.windows.begins
        accounts = np.random.default_rng([202, 11, draw]).permutation(np.unique(self.account[early]))
        silent = early & ~np.isin(self.account, accounts[: max(1, round(len(accounts) * share))])
        label = np.where(silent, np.int8(-1), rows.label).astype(np.int8)
        return replace(rows, label=label, known_at=np.where(silent, NEVER, rows.known_at))


def past_of(settings: WorldSettings) -> tuple[Examples, NDArray[np.int64]]:
    """A bank's payments as a user's would be read: features, labels, and the account of each."""
    spec = load("world")
    with tempfile.TemporaryDirectory() as folder:
        write_world(make_world(settings), Path(folder))
        table = read(Path(folder) / "world.parquet", spec)
    examples, _ = features(table, compile_plan(spec))
    return examples, np.unique(table.batch.keys["account"][table.batch.payments], return_inverse=True)[1]


def base() -> Path:
    """The model learned at the first bank, in a directory; learned once."""
    place = FOLDER / "base"
    if not (place / "model.json").exists():
        say("learning at the first bank")
        examples, _ = past_of(FIRST)
        spec = load("world")
        recipe = Recipe(way="network", boosting=TREES, loop=LOOP, refit=False, folder=FOLDER / "base-training")
        judged = hybrid.gate
        hybrid.gate = lambda origins: replace(judged(origins), passed=True)  # a beginning need not be fit to ship
        learned = learn(examples, spec, compile_plan(spec), recipe)
        hybrid.gate = judged
        say(learned.verdict.words if learned.verdict else "no network was tried")
        write(place, learned.card, learned.files)
    return place


def other() -> Bank:
    """The other bank."""
    examples, account = past_of(OTHER)
    plan = compile_plan(load("world"))
    width = len(plan.names)
    tokens = tokens_of(examples.matrix, width).astype(np.uint32)
    windows = windows_of(examples, Recipe())
    examples = replace(examples, matrix=np.ascontiguousarray(examples.matrix[:, :width]), tokens=tokens)
    return Bank(examples, account, windows, tuple(plan.ends), tuple(plan.categorical))


@dataclass(frozen=True)
class Prepared:
    """Trees on some columns, and what may be learned on them: time-forward rows, the newest window, the test."""

    margins: Floats
    rows: Rows
    kept: float
    stop: Rows
    judge: Rows
    test: Rows


class School:
    """The other bank and the first bank's networks; each cell is one way at one share."""

    def __init__(self) -> None:
        self.folder = base()
        self.networks: Networks = opened(self.folder)
        self.weights = weights_of(self.folder, compile_plan(load("world")))
        self.bank = other()
        self.prepared = lru_cache(maxsize=1)(self._prepared)

    def surprise(self, whose: str) -> Floats:
        """float64[n, 3]: surprise by a watcher learned here, begun elsewhere, or from elsewhere as it is."""
        tokens = self.bank.examples.tokens
        assert tokens is not None
        past = tokens[: int((self.bank.examples.at < self.bank.windows.begins).sum())]

        def make() -> Floats:
            if whose == "theirs":
                assert self.networks.watcher is not None
                with torch.no_grad():
                    parts = [self.networks.watcher(torch.from_numpy(p.astype(np.int64))) for p in pieces(tokens)]
                return torch.cat(parts).double().numpy()
            begin: Mapping[str, Tensor] | None = self.weights.surprise if whose == "begun" else None
            learned = learn_surprise(past, begin=begin, settings=WATCH, folder=FOLDER / f"watcher-{whose}")
            say(f"surprise {whose}: {learned.nats:.3f} nats a payment")
            return learned.columns(tokens)

        return kept(f"surprise-{whose}", make)

    def _prepared(self, whose: str, share: float, draw: int) -> Prepared:
        bank = self.bank
        told = bank.told(share, draw)
        told = replace(told, matrix=np.column_stack([told.matrix, self.surprise(whose)]))
        seedling = Seedling((*bank.ends[:-1], told.matrix.shape[1]), bank.codes, TREES)
        grown, newest = split(told, bank.windows)
        trees = seedling.grow(grown, newest)
        odds = calibrate(trees.margins(newest.matrix), newest, way="platt")
        rows, share_kept = forward_rows(grown, seedling, Teaching(shape=SHAPE, loop=LOOP), lambda *_: None)
        stop, judge = halves(rows_of(newest, read_off(trees.margins(newest.matrix), odds), np.arange(len(newest))))
        last = told.take(bank.test)
        margins = read_off(trees.margins(last.matrix), odds)
        return Prepared(margins, rows, share_kept, stop, judge, rows_of(last, margins, np.arange(len(last))))

    def trees(self, share: float, draw: int, more: Floats | None = None) -> Floats:
        """Trees on the bank's own columns, and on more."""
        told = self.bank.told(share, draw)
        if more is not None:
            told = replace(told, matrix=np.column_stack([told.matrix, more]))
        grown, newest = split(told, self.bank.windows)
        ends = (*self.bank.ends[:-1], told.matrix.shape[1])
        return StagedTrees(ends, self.bank.codes, TREES).fit(grown, newest).margins(told.matrix[self.bank.test])[:, -1]

    def network(self, share: float, draw: int, whose: str) -> Floats:
        """The layered network on trees, taught here; with ``begun``, beginning with the first bank's weights."""
        p = self.prepared(whose, share, draw)
        if len(np.unique(p.rows.label)) < 2:
            raise BadInput("no known frauds have time-forward scores; a network has nothing to learn from.")
        ends = (*self.bank.ends[:-1], p.rows.columns.shape[1])
        begin = self.weights.network if whose == "begun" else None
        taught = teach(p.rows, p.stop, ends, self.bank.codes, shape=SHAPE, settings=LOOP, kept=p.kept, begin=begin)
        say(f"best epoch {taught.trained.best}, believed {taught.correction:.1f}")
        trees = p.margins[:, -1]
        return trees + taught.correction * (exits_of(taught.network, p.test)[:, -1] - p.test.margins[:, -1])

    def machine(self, share: float, draw: int, layer: str) -> Floats:
        """A linear machine on a layer of the first bank's networks."""
        p = self.prepared("theirs", share, draw)
        read = self.networks.layer(layer)
        if len(np.unique(p.rows.label)) < 2:
            raise BadInput("no known frauds have time-forward scores; a machine has nothing to learn from.")
        machine = fit_machine(
            read_layer(read, p.rows), p.rows.label, later=(read_layer(read, p.stop), p.stop.label, None)
        )
        return machine(read_layer(read, p.test))

    def columns(self, share: float, draw: int, layer: str) -> Floats:
        """A layer that reads only the past, and their surprise, as more columns of the trees."""
        tokens = self.bank.examples.tokens
        assert tokens is not None
        read = self.networks.layer(layer)

        def make() -> Floats:
            n = len(tokens)
            nothing = np.zeros((n, 1), dtype=np.float32)
            rows = Rows(nothing, nothing, tokens, np.zeros(n, dtype=np.int8))
            return np.column_stack([read_layer(read, rows), self.surprise("theirs")])

        return self.trees(share, draw, kept(f"columns-{layer}", make))

    @property
    def ways(self) -> dict[str, Callable[[float, int], Floats]]:
        """The ways by name, those that share their trees side by side."""
        last = [name for name in self.networks.layers if name.startswith("stage_")][-1]
        return {
            "trees": self.trees,
            "scratch": lambda share, draw: self.network(share, draw, "own"),
            "transfer": lambda share, draw: self.network(share, draw, "begun"),
            "machine_stage": lambda share, draw: self.machine(share, draw, last),
            "machine_past": lambda share, draw: self.machine(share, draw, "past"),
            "columns_past": lambda share, draw: self.columns(share, draw, "past"),
            "columns_surprise": lambda share, draw: self.columns(share, draw, "surprise"),
        }


def split(told: Examples, windows: Windows) -> tuple[Examples, Examples]:
    """What is learned from, and the newest window, as known when each ends."""
    newest = told.as_known_at(windows.made)
    return told.as_known_at(windows.begins), newest.take(windows.newest[: len(newest)])


def pieces(tokens: NDArray[np.uint32], at_once: int = 8192) -> list[NDArray[np.uint32]]:
    """The rows in parts."""
    return [tokens[first : first + at_once] for first in range(0, len(tokens), at_once)]


def kept(name: str, make: Callable[[], Floats]) -> Floats:
    """An array: read, or made and written whole."""
    path = FOLDER / "pieces" / f"{name}.npy"
    if path.exists():
        return np.asarray(np.load(path))
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        np.save(file, value)
    draft.replace(path)
    return value


def say(line: str) -> None:
    """Progress; the table comes at the end."""
    print(f"    {time.strftime('%H:%M:%S')} {line}", flush=True)


def tried(school: School, way: Callable[[float, int], Floats], share: float, draw: int) -> Floats:
    """A cell's scores; NaN where there are too few frauds to learn this way from."""
    try:
        return way(share, draw)
    except BadInput as error:
        say(str(error))
        return np.full(len(school.bank.test), np.nan)


def table(bank: Bank, cells: Mapping[tuple[str, float, int], Floats]) -> dict[str, Any]:
    """AP of each way, and its difference to the trees alone with an interval by drawing accounts."""
    truth, account = bank.examples.label[bank.test], bank.account[bank.test]
    names = list(dict.fromkeys(way for way, _, _ in cells))
    found: dict[str, Any] = {}
    print(f"\n{len(truth):,} payments held out, {int(truth.sum()):,} frauds. AP, mean over the draws; in brackets the")
    print("difference to the trees alone in the first draw, 90 % of the draws of accounts.\n")
    for name in names:
        line = f"{name:18}"
        for share in SHARES:
            scores = [cells[name, share, draw] for draw in range(DRAWS) if (name, share, draw) in cells]
            if not scores or not all(np.isfinite(s).all() for s in (*scores, cells["trees", share, 0])):
                line += f"  {share:>4.0%}   -" + " " * 17
                continue
            ap = float(np.mean([average_precision(truth, s) for s in scores]))
            origin = Origin(f"{share:.0%}", cells["trees", share, 0], scores[0], truth, account)
            d = gate([origin]).differences[0]
            line += f"  {share:>4.0%} {ap:.3f} [{d.low:+.3f}, {d.high:+.3f}]"
            found[f"{name}_{share * 100:g}"] = round(ap, 4)
        print(line)
    return found


def main() -> None:
    """Work through the cells that are not there yet, then the table."""
    torch.set_num_threads(1)
    began = time.monotonic()
    school = School()
    for draw in range(DRAWS):
        for share in SHARES if draw == 0 else SHARES[1:]:  # with all labels told there is nothing to draw
            for name, way in school.ways.items():
                path = FOLDER / "pieces" / f"cell-{name}-{share:g}-{draw}.npy"
                if not path.exists():
                    scores = kept(path.stem, lambda way=way, share=share, draw=draw: tried(school, way, share, draw))
                    truth = school.bank.examples.label[school.bank.test]
                    said = (
                        f"AP {average_precision(truth, scores):.3f}"
                        if np.isfinite(scores).all()
                        else "cannot be learned"
                    )
                    say(f"{name}, {share:.0%} of the labels, draw {draw}: {said}")
    cells = {
        (name, share, draw): np.load(path)
        for draw in range(DRAWS)
        for share in SHARES
        for name in school.ways
        if (path := FOLDER / "pieces" / f"cell-{name}-{share:g}-{draw}.npy").exists()
    }
    found = table(school.bank, cells)
    print(
        json.dumps(
            {"ways": {"draws": DRAWS, "quick": QUICK, "minutes": round((time.monotonic() - began) / 60, 1)} | found}
        )
    )


if __name__ == "__main__":
    main()
