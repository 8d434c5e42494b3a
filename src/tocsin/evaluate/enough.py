"""Are the examples enough? Accuracy against their number, and what twice the labels would bring.

It costs seconds where features are there already and do not change with learning (extract, plain): a linear machine is
learned on an eighth, a quarter, half and all of the examples and judged, in four turns, by those left out. The test part is
never read, so it still only judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import Collection
from tocsin.evaluate.growth import Growth, Point
from tocsin.evaluate.trials import LEAST, curve, some_rows
from tocsin.features.text import Sparse
from tocsin.learn.perception.outcome import Taught
from tocsin.learn.perception.plain import taken
from tocsin.learn.task import Told, silent

NAME = "enough.json"
"""The file beside a model."""
_MOST = 3e7
"""Numbers (examples x features x classes) that take some seconds; with more, some of the examples are measured with."""
_MOST_TEXTS = 6000
_HARDLY = 0.5
"""Points that twice the labels bring: less is hardly worth it."""


@dataclass(frozen=True, slots=True)
class Enough:
    """Accuracy against the number of examples.

    Parameters
    ----------
    growth : what was measured, and curves through it. taught : how many examples the model learned from.
    by : what was learned each time, for the reader.
    """

    growth: Growth
    taught: int
    by: str

    @classmethod
    def measured(
        cls,
        collection: Collection,
        taught: Taught,
        groups: NDArray[np.str_],
        by: str,
        seed: int = 0,
        told: Told = silent,
    ) -> Self | None:
        """Measure it; None where there are too few examples to tell.

        Parameters
        ----------
        groups : str[n] of the whole collection, what must not be parted.
        """
        place, features = np.arange(len(taught.rows)), taught.features
        of_each, most = collection.take(taught.rows), _MOST_TEXTS
        if not isinstance(features, Sparse):
            most = max(8 * LEAST, int(_MOST / (features.shape[1] * len(collection.classes))))
        if taught.words is not None:
            most = min(most, _MOST_TEXTS)
        if len(place) < LEAST:
            return None
        used = some_rows(of_each, place, most, seed)
        growth, _ = curve(
            taken(features, used),
            of_each.label[used],
            groups[taught.rows][used],
            len(collection.classes),
            blocks=taught.blocks,
            words=None if taught.words is None else taught.words.take(used),
            seed=seed,
            told=told,
        )
        return cls(growth, len(place), by) if len(growth.points) > 2 else None

    def sentence(self) -> str:
        """What twice the labels would bring, in words."""
        best, low, high = (100 * share for share in self.growth.gain(self.taught, 2 * self.taught))
        brings = "should bring" if best >= _HARDLY else "would hardly help:"
        return (
            f"Twice the labels, {2 * self.taught:,}, {brings} about {best:.1f} points more right answers "
            f"({low:.1f} to {high:.1f} in nine of ten curves)."
        )

    def words(self) -> str:
        """What was measured, on what, and what it says; for who sees the picture."""
        first, last = self.growth.points[0], self.growth.points[-1]
        return (
            f"{self.sentence()} From {first.examples:,} to {last.examples:,} examples it went from {first.right:.1%} to "
            f"{last.right:.1%}: {self.by}, judged by cross-validation within the {self.taught:,} examples the model learned "
            "from, not on the test."
        )

    def keep(self, path: Path) -> None:
        """Write what was measured, for a report that is made anew."""
        points = tuple(Point(p.examples, float(p.right), float(p.spread)) for p in self.growth.points)
        path.write_bytes(msgspec.json.encode(_Kept(points, self.taught, self.by)))

    @classmethod
    def kept(cls, path: Path) -> Self | None:
        """What :meth:`keep` wrote; None where there is no such file or it says nothing."""
        try:
            said = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return None
        return cls(Growth.through(said.points), said.taught, said.by) if said.points else None


@dataclass(frozen=True, slots=True)
class _Kept:
    points: tuple[Point, ...]
    taught: int
    by: str
