"""What is learned on features: a linear support-vector machine, logistic regression, or boosted trees.

Nothing of scikit-learn or LightGBM is kept but numbers and a text, which ``artifact`` reads without them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.learn.perception.portions import taught_by
from tocsin.learn.perception.recipe import Into
from tocsin.learn.task import Told, silent
from tocsin.measure.classes import fit_temperature, log_loss, softmax

COSTS: dict[Into, tuple[float, ...]] = {
    "svm": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
    "logistic": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
}
"""What an example on the wrong side costs, on standardised features; tried in this order, the cheapest first."""
SHRINK = 0.3
"""A feature counts as deviating at least so much as the middle one of them: one that hardly ever stirs must not shout."""
NEVER = -30.0
"""The logit of a class that nothing could be learned of, below the lowest shift of the others."""
ROUNDS, PATIENCE = 400, 30

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Head:
    """What was learned on features.

    Parameters
    ----------
    weights, bias : float32[f, classes] and float32[classes] of a linear one, standardising included; None of trees.
    trees : the text of trees; empty of a linear one.
    cost : what was chosen, or the number of rounds of trees.
    temperature : by examples that taught it nothing. judged : their calibrated log-loss.
    """

    weights: Floats | None
    bias: Floats | None
    trees: str
    cost: float
    temperature: float = 1.0
    judged: float = float("nan")

    def logits(self, features: Floats) -> NDArray[np.float64]:
        """float64[n, classes] of features float32[n, f]."""
        if self.weights is not None and self.bias is not None:
            return np.asarray((features @ self.weights).astype(np.float64) + self.bias)
        import lightgbm

        said = np.asarray(lightgbm.Booster(model_str=self.trees).predict(features, raw_score=True))
        return said if said.ndim == 2 else np.column_stack([np.zeros(len(said)), said])


def choose_on(
    features: Floats,
    label: Ints,
    later: tuple[Floats, Ints],
    classes: int,
    into: Into,
    *,
    seed: int = 0,
    threads: int = 1,
    told: Told = silent,
) -> Head:
    """Learn at every cost, keep what is best on examples that teach it nothing.

    Parameters
    ----------
    features, label : float32[n, f], int64[n]. later : the same of the others.
    """
    if into == "trees":
        return fit_trees(features, label, later, classes, seed=seed, threads=threads)
    tried = []
    for i, cost in enumerate(COSTS[into]):
        told(f"learning a {TITLES[into]} on the features", i / len(COSTS[into]))
        head = fit_linear(features, label, classes, into, cost)
        tried.append(_calibrated(head, head.logits(later[0]), later[1]))
        if i and tried[-1].judged > tried[-2].judged:  # the loss falls and rises once, and what costs more takes longer
            break
    return min(tried, key=lambda head: head.judged)


def choose_by_folds(
    features: Floats,
    label: Ints,
    fold: Ints,
    classes: int,
    into: Into,
    *,
    told: Told = silent,
) -> tuple[Head, NDArray[np.float64]]:
    """Choose the cost by what heads say of the fold they were not taught, then learn on all; and those logits float64[n, k].

    Use it where no examples are set aside for choosing: none is lost to it. Linear heads only.

    Parameters
    ----------
    fold : int64[n], which part each example is left out with.
    """
    best: tuple[Head, NDArray[np.float64]] | None = None
    numbers, known = np.unique(fold), taught_by(label, fold)
    for i, cost in enumerate(COSTS[into]):
        logits = np.zeros((len(label), classes))
        for j, number in enumerate(numbers):
            told(f"learning a {TITLES[into]} on the features", (i + j / len(numbers)) / len(COSTS[into]))
            away = fold == number
            logits[away] = fit_linear(features[~away], label[~away], classes, into, cost).logits(features[away])
        head = _calibrated(Head(None, None, "", cost), logits[known], label[known])
        if best is not None and head.judged > best[0].judged:  # the loss falls and rises once
            break
        best = head, logits
    assert best is not None
    found, logits = best
    whole = fit_linear(features, label, classes, into, found.cost)
    return replace(whole, temperature=found.temperature, judged=found.judged), logits


TITLES: dict[Into, str] = {"svm": "linear SVM", "logistic": "logistic regression", "trees": "boosted trees"}


def _calibrated(head: Head, logits: NDArray[np.float64], label: Ints) -> Head:
    temperature = fit_temperature(logits, label)
    judged = log_loss(softmax(logits, temperature), label) if len(label) else float("inf")
    return replace(head, temperature=temperature, judged=judged)


def fit_linear(features: Floats, label: Ints, classes: int, into: Into, cost: float) -> Head:
    """One weighted sum a class of standardised features, the standardising taken into the weights.

    Both problems are convex, and what chance there is in solving them is the same every time, so a seed plays no part. The SVM has the squared hinge and is one
    class against the rest, the regression is multinomial.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    spread = spread_of(features)
    scaled = ((features - mean) / spread).astype(np.float64)
    there, place = np.unique(label, return_inverse=True)
    slope, shift = _SOLVE[into](scaled, place, cost)
    if len(there) == 2:
        slope, shift = np.vstack([-slope / 2, slope / 2]), np.array([-shift[0] / 2, shift[0] / 2])
    weights = np.zeros((features.shape[1], classes))
    bias = np.full(classes, shift.min() + NEVER)
    weights[:, there] = (slope / spread).T
    bias[there] = shift - (slope / spread) @ mean
    bias[np.setdiff1d(np.arange(classes), there)] += float(bias[there].min() - shift.min())
    return Head(weights.astype(np.float32), bias.astype(np.float32), "", cost)


def spread_of(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64[f]: by what features are divided; of one that hardly stirs a share of the usual deviation (``SHRINK``)."""
    spread = np.asarray(features.std(axis=0, dtype=np.float64))
    stirring = spread[spread > 1e-6]
    least = SHRINK * float(np.median(stirring)) if len(stirring) else np.inf
    return np.asarray(np.sqrt(spread**2 + least**2))


Solved = tuple[NDArray[np.float64], NDArray[np.float64]]


def _svm(scaled: NDArray[np.float64], place: Ints, cost: float) -> Solved:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a little short of the lowest point is as good
        dual = scaled.shape[0] < scaled.shape[1] or cost <= 0.01  # the quick one of the two
        svm = LinearSVC(C=cost, dual=dual, tol=1e-3, max_iter=1000 if dual else 300, random_state=0).fit(scaled, place)
    return svm.coef_, svm.intercept_


def _logistic(scaled: NDArray[np.float64], place: Ints, cost: float) -> Solved:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        line = LogisticRegression(C=cost, tol=1e-4, max_iter=300).fit(scaled, place)
    return line.coef_, line.intercept_


_SOLVE: dict[Into, Callable[[NDArray[np.float64], Ints, float], Solved]] = {"svm": _svm, "logistic": _logistic}


def fit_trees(
    features: Floats, label: Ints, later: tuple[Floats, Ints], classes: int, *, seed: int = 0, threads: int = 1
) -> Head:
    """Boosted trees, one a class and round, stopped by examples that teach them nothing."""
    import lightgbm

    settings = {
        "objective": "multiclass",
        "num_class": classes,
        "learning_rate": 0.06,
        "num_leaves": 15,
        "min_data_in_leaf": max(1, min(20, len(label) // 50)),
        "feature_fraction": min(1.0, 100 / features.shape[1]),
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(features, label, params=settings)
    stops: list[Callable[..., object]] = []
    watched: Sequence[object] = ()
    if len(later[1]):
        watched = [data.create_valid(later[0], later[1])]
        stops = [lightgbm.early_stopping(PATIENCE, verbose=False)]
    booster = lightgbm.train(settings, data, ROUNDS if stops else ROUNDS // 4, valid_sets=watched, callbacks=stops)
    rounds = booster.best_iteration if stops else ROUNDS // 4
    head = Head(None, None, booster.model_to_string(num_iteration=rounds), float(rounds))
    return _calibrated(head, head.logits(later[0]), later[1]) if len(later[1]) else head
