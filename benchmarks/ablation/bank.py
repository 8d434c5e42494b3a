"""A made bank, read once by its spec: columns, last payments, labels and when they became known, and the planted truth."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ablation import kept
from tocsin.data import make_world, read
from tocsin.data.world import WorldSettings, write_world
from tocsin.data.world_plan import FRAUD_KINDS
from tocsin.features import compile_plan
from tocsin.learn.contract import Examples
from tocsin.learn.gathering import features
from tocsin.learn.transactions import Recipe, Windows, windows_of
from tocsin.spec import load

DAY = 86_400_000_000
NEVER = np.iinfo(np.int64).max
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lesson:
    """What may be learned from.

    Parameters
    ----------
    share : of the accounts that pay before the newest window, those whose labels are told.
    delay : days until every label is known; None for the world's own delays (about 5 to 35 days).
    held_out : share of the payments that are the test.
    days : learn from so many days before the newest window only; None for all.
    late : trees may use what became known of their payments by the moment the model is made, as the network may.
    """

    share: float = 1.0
    delay: int | None = None
    held_out: float = 0.2
    days: int | None = None
    late: bool = False


USUALLY = Lesson()


@dataclass(frozen=True)
class Taught:
    """A bank under a lesson: labels as the lesson tells them, windows, and the first row that is learned from."""

    label: NDArray[np.int8]
    known_at: NDArray[np.int64]
    windows: Windows
    first: int

    @property
    def label_at_made(self) -> NDArray[np.int8]:
        """int8[n]: what is known of each payment when the model is made."""
        return np.where(self.known_at <= self.windows.made, self.label, -1).astype(np.int8)


class Bank:
    """A world of ``WorldSettings(transactions, months=6, seed)``, everything else as it stands in the repository.

    Attributes
    ----------
    names, ends, codes : of the columns.
    label, at, known_at, amount : of each payment; account : int64[n]. kind : int64[n], index into ``FRAUD_KINDS``, or -1.
    """

    def __init__(self, transactions: int, seed: int) -> None:
        self.settings = WorldSettings(transactions=transactions, months=6, seed=seed)
        plan = compile_plan(load("world"))
        self.names, self.ends, self.codes = plan.names, tuple(plan.ends), tuple(plan.categorical)
        self.print = (sorted(asdict(self.settings).items(), key=str), plan.fingerprint)
        self._made: dict[str, NDArray[Any]] = {}
        self.label, self.at, self.known_at, self.amount, self.account, self.kind = (
            self._piece(name) for name in ("label", "at", "known_at", "amount", "account", "kind")
        )
        self._lessons: dict[Lesson, Taught] = {}

    @cached_property
    def columns(self) -> Floats:
        """float64[n, 79]; read when first asked for: whoever only compares scores needs none."""
        return self._piece("columns")

    @cached_property
    def tokens(self) -> NDArray[np.uint32]:
        """uint32[n, 33]: the last payments, this one last."""
        return self._piece("tokens")

    def _piece(self, name: str) -> NDArray[Any]:
        def make() -> NDArray[Any]:
            if not self._made:  # all at once: each is written when it is first asked for
                self._made = _made(self.settings)
            return self._made[name]

        return kept.array(f"bank-{name}", self.print, make=make)

    def under(self, lesson: Lesson) -> Taught:
        """The bank as a lesson shows it."""
        if lesson not in self._lessons:
            self._lessons[lesson] = self._under(lesson)
        return self._lessons[lesson]

    def _under(self, lesson: Lesson) -> Taught:
        label, known_at = self.label.copy(), self.known_at.copy()
        if lesson.delay is not None:
            known_at = np.where(label >= 0, self.at + lesson.delay * DAY, known_at)
        examples = Examples.of(np.zeros((len(label), 1)), label, at=self.at, known_at=known_at)
        windows = windows_of(examples, Recipe(held_out=lesson.held_out))
        early = self.at < windows.begins
        if lesson.share < 1:
            accounts = np.unique(self.account[early])
            random = np.random.default_rng([self.settings.seed, 11])
            told = random.permutation(accounts)[: max(1, round(len(accounts) * lesson.share))]
            label[early & ~np.isin(self.account, told)] = -1
            known_at[label < 0] = NEVER
        first = 0 if lesson.days is None else int(np.searchsorted(self.at, windows.begins - lesson.days * DAY))
        return Taught(label, known_at, windows, first)


def _made(settings: WorldSettings) -> dict[str, NDArray[Any]]:
    """Make the world, read it as a user would, and step through it once."""
    spec = load("world")
    plan = compile_plan(spec)
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(settings)
        write_world(world, Path(folder))
        table = read(Path(folder) / "world.parquet", spec)
    found, _ = features(table, plan)
    place = pc.index_in(pa.array(table.ids, pa.string()), value_set=world.truth["id"].combine_chunks())
    place = pc.fill_null(place, -1).to_numpy()
    kinds = np.array([FRAUD_KINDS.index(kind) for kind in world.truth["kind"].to_pylist()] + [-1])
    account = np.unique(table.batch.keys["account"][table.batch.payments], return_inverse=True)[1]
    width = len(plan.names)
    return {
        "columns": np.ascontiguousarray(found.matrix[:, :width]),
        "tokens": found.matrix[:, width:].astype(np.uint32),
        "label": found.label,
        "at": found.at,
        "known_at": found.known_at,
        "amount": found.amount,
        "account": account.astype(np.int64),
        "kind": kinds[place].astype(np.int64),
    }
