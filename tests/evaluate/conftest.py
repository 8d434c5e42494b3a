"""A made set of scored payments whose every number can be reasoned about."""

import numpy as np
import pytest

from tocsin.evaluate.results import Results

DAY = 86_400_000_000
START = 1_767_225_600_000_000  # 1 January 2026


def made(seed: int = 0, n: int = 20_000, days: int = 90) -> Results:
    """Calibrated scores of two stages, the second sharper; alerts where the last exceeds 0.2."""
    chance = np.random.default_rng(seed)
    at = np.sort(chance.integers(0, days * DAY, n)) + START
    logit = chance.normal(-6, 2.2, n)
    score = 1 / (1 + np.exp(-logit))
    truth = (chance.random(n) < score).astype(np.int8)
    blurred = 1 / (1 + np.exp(-(logit + chance.normal(0, 2, n) - 1)))
    truth[chance.random(n) < 0.02] = -1
    kind = np.where(truth == 1, np.where(chance.random(n) < 0.4, "takeover", "stolen card"), "").astype(object)
    return Results(
        at=at,
        amount=np.round(chance.lognormal(3.5, 1, n), 2),
        truth=truth,
        exits=np.column_stack([blurred, score]),
        stages=("amount & time", "card <b>"),
        stopped=score > 0.2,
        entity=chance.integers(1, 800, n).astype(np.uint64),
        weight=np.ones(n),
        kind=kind,
    )


@pytest.fixture(scope="session")
def results() -> Results:
    return made()
