"""Plain machine learning: fixed features of pictures, sounds or texts, and a linear machine or trees on them.

What networks must beat, and often what is enough: it needs no weights, no PyTorch, and a minute. Which machine, and at what
cost, is chosen on examples that taught it nothing; then a linear one learns again from those too.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.heads import LINEAR, TREES, linear_head
from tocsin.artifact.plain import STATE
from tocsin.errors import BadInput, NotReady
from tocsin.features.images import ImageFeatures
from tocsin.features.sound import SoundFeatures
from tocsin.features.text import Sparse, TextFeatures, TextTerms
from tocsin.learn.perception.heads import NEVER, Head, fit_trees
from tocsin.learn.perception.recipe import Into
from tocsin.learn.task import Told, silent
from tocsin.measure.classes import fit_temperature, log_loss, softmax

SIZE = 64
"""Pixels a side at which pictures are looked at: the grid of gradients has then 8 x 8 cells."""
COSTS: dict[str, tuple[float, ...]] = {"svm": (0.03, 0.1, 0.3, 1.0, 3.0), "logistic": (1.0, 30.0)}
"""What an example on the wrong side costs, where the features of an example have about length 1."""
_SHRINK = 0.1
"""A column's deviation counts as at least about so much of its block's: what hardly ever varies must not shout."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Given = Any
"""uint8[n, s, s, 3], float32[n, samples], or the texts themselves."""


class Fixed(Protocol):
    """Features that are formulas."""

    def of(self, given: Any) -> Floats:
        """float32[n, f]."""
        ...

    def blocks(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How many columns, one after another, tell of one thing."""
        ...

    def save(self) -> bytes:
        """What serving opens."""
        ...


ALL: tuple[Into, ...] = ("svm", "logistic", "trees")
FIXED: dict[str, Fixed] = {"images": ImageFeatures(), "sound": SoundFeatures()}


@dataclass(frozen=True, slots=True)
class Scale:
    """What every column is divided by, after its mean is taken off: its deviation, and its block's share.

    Each block then varies by 1 in all, however many columns it has. Measured on EuroSAT: 78 % instead of 68 %.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, features: Floats, blocks: Sequence[int]) -> Self:
        """As these features vary, in blocks of so many columns."""
        variance = features.var(axis=0, dtype=np.float64)
        spread = np.empty(features.shape[1])
        begin = 0
        for width in blocks:
            some = variance[begin : begin + width]
            least = _SHRINK**2 * some.mean()
            spread[begin : begin + width] = np.sqrt((some + least) * width) if least > 0 else np.inf
            begin += width
        return cls(features.mean(axis=0, dtype=np.float64), spread)

    def __call__(self, features: Floats) -> NDArray[np.float64]:
        """float64[n, f]."""
        return np.asarray((features - self.mean) / self.spread)

    def undone(self, slope: NDArray[np.float64], shift: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Weights and bias for features as they are, of those float64[f, k] and float64[k] for scaled ones."""
        weights = slope / self.spread[:, None]
        return weights.astype(np.float32), (shift - self.mean @ weights).astype(np.float32)


class Plain:
    """A model of a kind of example without a network.

    Parameters
    ----------
    kind : ``images``, ``sound`` or ``text``.
    into : ``svm``, ``logistic`` or ``trees``; empty chooses by the examples set aside. Texts have no trees: they would be
        grown on tens of thousands of columns that are nearly always 0.

    Examples
    --------
    >>> texts = ["a red cat", "the red cat", "a blue dog", "the blue dog"]
    >>> model = Plain("text", into="svm").fit(texts, np.array([0, 0, 1, 1]), 2, later=(texts, np.array([0, 0, 1, 1])))
    >>> model.logits(["cat", "dog"]).argmax(axis=1).tolist()
    [0, 1]
    """

    def __init__(self, kind: str, into: Into | None = None, *, seed: int = 0, threads: int = 1) -> None:
        if kind == "text" and into == "trees":
            raise BadInput(
                "plain features of texts go into svm or logistic; got trees.",
                field="--into",
                hint="Leave --into out, or take --way extract.",
            )
        self.kind, self.seed, self.threads = kind, seed, threads
        self.tried: tuple[Into, ...] = (into,) if into else ("svm", "logistic") if kind == "text" else ALL
        self.into_: Into | None = None
        self.head_: Head | None = None
        self.terms_: TextTerms | None = None
        self.seen_: Floats | Sparse | None = None
        self.blocks_: tuple[int, ...] = ()

    def fit(
        self,
        given: Given,
        label: Ints,
        classes: int,
        *,
        later: tuple[Given, Ints],
        costs: Mapping[str, tuple[float, ...]] = COSTS,
        told: Told = silent,
    ) -> Self:
        """Learn; the same examples and seed give the same model.

        Parameters
        ----------
        given : uint8[n, s, s, 3], float32[n, samples], or texts. label : int64[n].
        later : the same of the examples by which machine, cost and temperature are chosen. costs : what is tried.

        Raises
        ------
        BadInput : all examples are of one class, or there is nothing to choose by.
        """
        told("looking at the examples", 0.0)
        seen, ahead = self.look(given), self.features(later[0])
        self.seen_ = joined(seen, ahead)
        return self.fit_features(
            seen, label, classes, later=(ahead, later[1]), blocks=self.blocks_, costs=costs, told=told
        )

    def fit_features(
        self,
        seen: Floats | Sparse,
        label: Ints,
        classes: int,
        *,
        later: tuple[Floats | Sparse, Ints],
        blocks: Sequence[int] = (),
        costs: Mapping[str, tuple[float, ...]] = COSTS,
        told: Told = silent,
    ) -> Self:
        """The same from features that are there already; text features need their terms for anything beyond this fit.

        Parameters
        ----------
        blocks : how many columns, one after another, tell of one thing; one block by default.
        """
        label, labels = np.asarray(label, dtype=np.int64), np.asarray(later[1], dtype=np.int64)
        if len(np.unique(label)) < 2 or not len(labels):
            raise BadInput(
                f"learning needs examples of two classes and others to choose by; got {len(np.unique(label))} classes and "
                f"{len(labels)} to choose by.",
                hint="Give several examples of each class.",
            )
        tried = [(into, cost) for into in self.tried for cost in costs.get(into, (0.0,))]
        best: Head | None = None
        for i, (into, cost) in enumerate(tried):
            told(f"learning on plain features ({into})", i / len(tried))
            if into == "trees":
                rows, ahead = _dense(seen), _dense(later[0])
                head = fit_trees(rows, label, (ahead, labels), classes, seed=self.seed, threads=self.threads)
            else:
                head = fit_line(seen, label, classes, into, cost, blocks=blocks, seed=self.seed)
            logits = logits_of(head, later[0])
            temperature = fit_temperature(logits, labels)
            judged = log_loss(softmax(logits, temperature), labels)
            if best is None or judged < best.judged:
                best, self.into_ = replace(head, temperature=temperature, judged=judged), into
        assert best is not None
        self.head_ = best
        if self.into_ != "trees":
            both, said = joined(seen, later[0]), np.concatenate([label, labels])
            whole = fit_line(both, said, classes, self.into_ or "svm", best.cost, blocks=blocks, seed=self.seed)
            self.head_ = replace(best, weights=whole.weights, bias=whole.bias)
        return self

    def look(self, given: Given) -> Floats | Sparse:
        """Features of examples to learn from; the terms of texts are found in them."""
        if self.kind == "text":
            self.terms_ = TextFeatures().fit(list(given))
        else:
            self.blocks_ = FIXED[self.kind].blocks(given.shape)
        return self.features(given)

    def features(self, given: Given) -> Floats | Sparse:
        """float32[n, f] of pictures and sounds, :class:`Sparse` of texts."""
        if self.kind != "text":
            return FIXED[self.kind].of(given)
        if self.terms_ is None:
            raise NotReady("plain features of texts must be fitted first.", hint="Call fit first.")
        return self.terms_.sparse(list(given))

    def logits(self, given: Given) -> NDArray[np.float64]:
        """float64[n, classes], before the temperature."""
        return logits_of(self._head, self.features(given))

    @property
    def temperature(self) -> float:
        """What logits are divided by to become as sure as they may be."""
        return self._head.temperature

    @property
    def _head(self) -> Head:
        if self.head_ is None:
            raise NotReady("a model must learn before it answers.", hint="Call fit first.")
        return self.head_

    def save(self) -> dict[str, bytes]:
        """The files of an artifact: the features' state and the head."""
        head = self._head
        state = self.terms_.save() if self.terms_ is not None else FIXED[self.kind].save()
        if head.weights is None or head.bias is None:
            return {STATE: state, TREES: head.trees.encode()}
        return {STATE: state, LINEAR: linear_head(head.weights, head.bias.astype(np.float64))}


def logits_of(head: Head, features: Floats | Sparse) -> NDArray[np.float64]:
    """float64[n, classes] of features, with or without their zeros."""
    if isinstance(features, Sparse):
        assert head.weights is not None
        assert head.bias is not None
        return features.times(head.weights) + head.bias
    return head.logits(features)


def taken(features: Floats | Sparse, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Floats | Sparse:
    """Some rows, in the order given."""
    return features.take(rows) if isinstance(features, Sparse) else features[rows]


def joined(first: Floats | Sparse, second: Floats | Sparse) -> Floats | Sparse:
    """The rows of both."""
    if isinstance(first, Sparse) and isinstance(second, Sparse):
        return first.and_then(second)
    return np.concatenate([_dense(first), _dense(second)])


def fit_line(
    features: Floats | Sparse,
    label: Ints,
    classes: int,
    into: Into,
    cost: float,
    *,
    blocks: Sequence[int] = (),
    seed: int = 0,
) -> Head:
    """One weighted sum a class: the SVM with the squared hinge, one class against the rest, or the multinomial regression.

    Use ``heads.fit_linear`` for a network's features, which are fewer than the examples and of one kind; here there are more
    columns than examples, or they are sparse, and the dual problem is the quick one.

    Parameters
    ----------
    blocks : how many columns, one after another, tell of one thing (:class:`Scale`); sparse features are taken as they are.
    """
    from scipy.sparse import csr_matrix
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    scale = None if isinstance(features, Sparse) else Scale.of(features, blocks or (features.shape[1],))
    if isinstance(features, Sparse):
        shape = len(features), features.width
        rows = csr_matrix((features.data.astype(np.float64), features.columns, features.begins), shape=shape)
    else:
        assert scale is not None
        rows = scale(features)
    there, place = np.unique(label, return_inverse=True)
    machine = (
        LinearSVC(C=cost, dual=True, tol=1e-3, max_iter=1000, random_state=seed)
        if into == "svm"
        else LogisticRegression(C=cost, tol=1e-3, max_iter=100)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a little short of the lowest point is as good
        machine.fit(rows, place)
    slope, shift = machine.coef_.T, machine.intercept_
    if len(there) == 2:
        slope, shift = np.hstack([-slope / 2, slope / 2]), np.array([-shift[0] / 2, shift[0] / 2])
    weights, bias = scale.undone(slope, shift) if scale is not None else (slope, shift)
    all_weights = np.zeros((len(weights), classes), dtype=np.float32)
    all_bias = np.full(classes, bias.min() + NEVER, dtype=np.float32)
    all_weights[:, there], all_bias[there] = weights, bias
    return Head(all_weights, all_bias, "", cost)


def usual_cost(features: Floats | Sparse) -> float:
    """What an example on the wrong side costs where nothing chooses it: between what is usually chosen."""
    return 1.0 if isinstance(features, Sparse) else 0.3


def left_out(
    features: Floats | Sparse,
    label: Ints,
    fold: Ints,
    classes: int,
    cost: float,
    *,
    blocks: Sequence[int] = (),
    told: Told = silent,
) -> NDArray[np.float64]:
    """float64[n, classes]: of each example what an SVM says that learned from the other folds.

    Parameters
    ----------
    fold : int64[n], which part each is left out with; -1 for those that always teach, of which nothing is said (zeros).
    """
    logits = np.zeros((len(label), classes))
    for number in (numbers := np.unique(fold[fold >= 0])):
        told("holding the labels against plain features", number / len(numbers))
        away = fold == number
        head = fit_line(taken(features, ~away), label[~away], classes, "svm", cost, blocks=blocks)
        logits[away] = logits_of(head, taken(features, away))
    return logits


def _dense(features: Floats | Sparse) -> Floats:
    if isinstance(features, Sparse):
        raise BadInput("trees are grown on few columns; these features are sparse.", field="--into")
    return features
