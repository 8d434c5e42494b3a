"""A small model learned from made rows whose frauds are known; once a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tocsin import spec as specs
from tocsin.artifact import Artifact, load, write
from tocsin.features import compile_plan
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.contract import Examples
from tocsin.learn.transactions import Recipe, learn
from tocsin.measure.budget import DAY, PerDay

SPEC = """
name = "small"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
device = "device"
country = "country"
label = "label"
[[stage]]
name = "amount and time"
columns = ["amount", "hour"]
features = ["ratio of amount by account over 30d"]
[[stage]]
name = "device"
columns = ["device"]
features = ["novelty of device by account", "age of device by account", "since of password_change by account"]
[[stage]]
name = "place"
columns = ["country"]
features = ["novelty of country by account", "count of amount by account over 1d"]
"""


@dataclass(frozen=True)
class Made:
    """A written model and rows like those it learned from."""

    folder: Path
    model: Artifact
    matrix: np.ndarray
    label: np.ndarray


def rows(names: tuple[str, ...], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows by column name: frauds are larger, on new devices, soon after a password change, abroad."""
    random = np.random.default_rng(seed)
    label = (random.random(n) < 0.05).astype(np.int8)
    columns = {
        "amount": random.lognormal(3 + label, 1),
        "hour": random.uniform(0, 24, n),
        "ratio_amount_by_account_30d": random.lognormal(1.2 * label, 0.7),
        "device": random.integers(0, 1022, n).astype(float),
        "novelty_device_by_account": (random.random(n) < 0.05 + 0.6 * label).astype(float),
        "age_device_by_account": random.exponential(np.where(label == 1, 5e4, 5e6)),
        "since_password_change_by_account": random.exponential(np.where(label == 1, 5e3, 5e6)),
        "country": random.integers(1, 30, n).astype(float),
        "novelty_country_by_account": (random.random(n) < 0.03 + 0.4 * label).astype(float),
        "count_amount_by_account_1d": random.poisson(1 + 2 * label).astype(float),
    }
    matrix = np.column_stack([columns[name] for name in names])
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix, label


def make(folder: Path, **recipe: object) -> Made:
    spec = specs.parse(SPEC, name="small")
    plan = compile_plan(spec)
    matrix, label = rows(plan.names, 9000, 1)
    at = np.linspace(0, 90 * DAY, 9000).astype(np.int64)
    amount = np.nan_to_num(matrix[:, plan.names.index("amount")], nan=20.0)
    examples = Examples.of(matrix, label, at=at, known_at=at + 5 * DAY, amount=amount)
    chosen = Recipe(PerDay(5), BoostingSettings(trees=60, leaves=8, least_rows=20), **recipe)  # type: ignore[arg-type]
    learned = learn(examples, spec, plan, chosen, source="made")
    write(folder, learned.card, learned.files)
    fresh, truth = rows(plan.names, 1500, 2)
    return Made(folder, load(folder), fresh, truth)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture(scope="session")
def with_anomaly(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("model") / "with-anomaly", anomaly=True)


@pytest.fixture(scope="session")
def without_labels(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("model") / "anomaly", way="anomaly")
