"""A small model learned from made rows whose frauds are known; once a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from scenes.layered import layered
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


HISTORY = 9


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


def windows(label: np.ndarray, seed: int) -> np.ndarray:
    """float64[n, HISTORY + 1]: the last payments as tokens; frauds come in quick succession, some accounts are new."""
    random = np.random.default_rng(seed)
    shape = len(label), HISTORY + 1
    gap = random.integers(np.where(label == 1, 1, 10)[:, None], np.where(label == 1, 12, 32)[:, None], shape)
    kind, hour, amount = random.integers(1, 40, shape), random.integers(0, 24, shape), random.integers(1, 32, shape)
    tokens = kind + 4096 * (gap + 32 * (hour + 32 * amount))
    begun = random.integers(0, HISTORY + 1, len(label))[:, None] > np.arange(HISTORY + 1)
    return np.where(begun & (random.random(len(label)) < 0.3)[:, None], 0, tokens).astype(np.float64)


def make(folder: Path, text: str = SPEC, *, network: bool = False, **recipe: object) -> Made:
    spec = specs.parse(text, name="small")
    plan = compile_plan(spec)
    matrix, label = rows(plan.names, 9000, 1)
    if plan.history:
        matrix = np.column_stack([matrix, windows(label, 1)])
    at = np.linspace(0, 90 * DAY, 9000).astype(np.int64)
    amount = np.nan_to_num(matrix[:, plan.names.index("amount")], nan=20.0)
    examples = Examples.of(matrix, label, at=at, known_at=at + 5 * DAY, amount=amount)
    chosen = Recipe(PerDay(5), BoostingSettings(trees=60, leaves=8, least_rows=20), **recipe)  # type: ignore[arg-type]
    learned = learn(examples, spec, plan, chosen, source="made")
    card, files = learned.card, learned.files
    if network:
        card, files = layered(card, files, plan, matrix, label)
    write(folder, card, files)
    fresh, truth = rows(plan.names, 1500, 2)
    if plan.history:
        fresh = np.column_stack([fresh, windows(truth, 2)])
    return Made(folder, load(folder), fresh, truth)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture(scope="session")
def with_anomaly(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("model") / "with-anomaly", anomaly=True)


@pytest.fixture(scope="session")
def with_network(tmp_path_factory: pytest.TempPathFactory) -> Made:
    text = SPEC + f'[history]\nby = "account"\nkind = "country"\nlength = {HISTORY}\n'
    return make(tmp_path_factory.mktemp("model") / "with-network", text, network=True)


@pytest.fixture(scope="session")
def without_labels(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("model") / "anomaly", way="anomaly")
