"""Ways to learn, one contract; what they learn fills an artifact. It knows examples and time, not live traffic, people
or databases: a row is scored by what was known before it, and labels count from when they became known."""

from collections.abc import Callable

from tocsin.learn.boosting import StagedTrees
from tocsin.learn.contract import Examples, Learner
from tocsin.learn.unsupervised import IsolationForest


def _restoring(ends: tuple[int, ...], codes: tuple[int, ...], seed: int) -> Learner:
    from tocsin.learn.autoencoder import Restoring  # what learns without networks needs no PyTorch

    return Restoring(codes, seed=seed)


def _layered(ends: tuple[int, ...], codes: tuple[int, ...], seed: int) -> Learner:
    from tocsin.learn.scratch import LayeredNetwork

    return LayeredNetwork.small(ends, codes, seed)


def _extract(ends: tuple[int, ...], codes: tuple[int, ...], seed: int) -> Learner:
    from tocsin.learn.machine import Extract

    return Extract.small(ends, codes, seed)


# name -> a learner for rows with stages ending at these columns, these columns being codes, from this seed. The tests
# of the contract run on every entry; to add a learner is to add a line.
LEARNERS: dict[str, Callable[[tuple[int, ...], tuple[int, ...], int], Learner]] = {
    "trees": StagedTrees.small,
    "anomaly": lambda ends, codes, seed: IsolationForest(codes, seed=seed),
    "autoencoder": _restoring,
    "network": _layered,
    "extract": _extract,
}

__all__ = ["LEARNERS", "Examples", "IsolationForest", "Learner", "StagedTrees"]
