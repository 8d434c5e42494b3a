"""What has been learned from payments and can be learned again on more; trees alone are the plainest of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.card import Card
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.learn.task import Told, silent
from tocsin.measure.gate import Verdict


class Grown(Protocol):
    """Trees by stage, with or without more on top of them."""

    @property
    def trees(self) -> StagedTrees:
        """The trees."""

    @property
    def verdict(self) -> Verdict | None:
        """Whether what stands on the trees does harm; None where nothing was to be asked."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was odd while learning, in words."""

    def margins(self, examples: Examples) -> NDArray[np.float64]:
        """float64[n, stages]: what it says after each stage, not calibrated."""

    def again(self, grown: Examples, newest: Examples, quiet: Examples, told: Told = silent) -> Self:
        """The same learned again on more.

        Parameters
        ----------
        grown : all that is known now. newest : what it was stopped by before. quiet : the last payments, not in ``grown``.
        """

    def add_to(self, card: Card, files: dict[str, bytes]) -> tuple[Card, dict[str, bytes]]:
        """The card and files of the trees with what stands on them."""


@dataclass(frozen=True, slots=True)
class Seedling:
    """What trees are grown with: where stages end, which columns are codes, the settings."""

    ends: tuple[int, ...]
    categorical: tuple[int, ...]
    boosting: BoostingSettings

    def grow(self, grown: Examples, newest: Examples, told: Told = silent) -> StagedTrees:
        """Trees stopped by newer payments."""
        most = self.boosting.trees
        return StagedTrees(self.ends, self.categorical, self.boosting).fit(
            grown, newest, progress=lambda k: told("growing trees", min(1.0, k / most))
        )

    def grow_again(self, first: StagedTrees, grown: Examples, told: Told = silent) -> StagedTrees:
        """As many trees a stage, on more payments."""
        total = max(1, sum(first.rounds_))
        return StagedTrees(self.ends, self.categorical, self.boosting).fit(
            grown, rounds=first.rounds_, progress=lambda k: told("growing them again on all that is known", k / total)
        )


@dataclass(frozen=True, slots=True)
class TreesAlone:
    """Trees by stage and nothing on them; with the verdict, where a network was tried and did not help."""

    seedling: Seedling
    trees: StagedTrees
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()

    def margins(self, examples: Examples) -> NDArray[np.float64]:
        """float64[n, stages]."""
        return self.trees.margins(examples.matrix)

    def again(self, grown: Examples, newest: Examples, quiet: Examples, told: Told = silent) -> TreesAlone:
        """Grown again."""
        return replace(self, trees=self.seedling.grow_again(self.trees, grown, told))

    def add_to(self, card: Card, files: dict[str, bytes]) -> tuple[Card, dict[str, bytes]]:
        """Nothing to add."""
        return card, files
