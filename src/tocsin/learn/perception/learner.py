"""The contract of everything that learns from pictures, sounds and texts: ``fit(collection)`` returns the learner, ``score(raws)``
gives a probability a class.

A learner is deterministic by its seed, refuses what it cannot learn from in words, and is the same to the bit after being saved and
loaded. Every way in ``LEARNERS`` is held to this by ``tests/contract``, with each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.classes import Classifier, Raw, load
from tocsin.artifact.folder import write
from tocsin.data.collection import Collection
from tocsin.errors import NotReady
from tocsin.learn.perception.learned import Learned, learn
from tocsin.learn.perception.recipe import WAYS, Recipe, Way


class ExampleLearner:
    """One way of learning from examples.

    Use it where a model is wanted among others; a service's model is :func:`tocsin.learn.perception.learned.learn`'s.

    Parameters
    ----------
    recipe : how; its way is this learner's.
    """

    def __init__(self, way: Way, recipe: Recipe | None = None) -> None:
        self.recipe = replace(recipe or Recipe(), way=way)
        self.learned_: Learned | None = None
        self._classifier: Classifier | None = None

    def fit(self, collection: Collection) -> Self:
        """Learn; the same examples and seed give the same learner to the bit.

        Raises
        ------
        BadInput : nothing to learn from: no examples, no classes, or only one.
        """
        self.learned_ = learn(collection, self.recipe)
        self._classifier = Classifier(self.learned_.card, self.learned_.files)
        return self

    def score(self, raws: Sequence[Raw]) -> NDArray[np.float64]:
        """float64[n, classes]: how probable each class is; every row adds up to 1.

        Raises
        ------
        NotReady : nothing has been learned yet. BadInput : an example cannot be read.
        """
        return self._ready().predict(raws)

    def save(self, folder: Path) -> None:
        """Write what was learned as a model's directory; never as pickle."""
        self._ready()
        if self.learned_ is None:
            raise NotReady("a learner that was loaded is saved already.", hint="Copy its directory.")
        write(folder, self.learned_.card, self.learned_.files)

    def load(self, folder: Path) -> Self:
        """Read back what :meth:`save` wrote; scores are then equal to the bit."""
        self.learned_, self._classifier = None, load(folder)
        return self

    def _ready(self) -> Classifier:
        if self._classifier is None:
            raise NotReady(f"{type(self).__name__} must learn before it scores.", hint="Call fit(collection) first.")
        return self._classifier


LEARNERS: dict[Way, Callable[[Recipe], ExampleLearner]] = {way: partial(ExampleLearner, way) for way in WAYS}
"""name -> a learner by a recipe. The tests of the contract run on every entry."""
