"""A made set of scored payments whose every number can be reasoned about."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
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


SPEC = """
name = "tiny"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
label = "fraud"
[label]
known_after = "3d"
[[stage]]
name = "amount"
columns = ["amount"]
[[stage]]
name = "history"
features = ["count of amount by account over 1d", "ratio of amount by account over 30d"]
"""


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
    """A folder with a spec, eighty days of payments whose frauds are large ones at odd moments, and the truth."""
    folder = tmp_path_factory.mktemp("bank")
    chance = np.random.default_rng(5)
    n = 8000
    seconds = np.sort(chance.integers(0, 80 * 86_400, n)) + START // 1_000_000
    account = chance.integers(0, 200, n)
    fraud = chance.random(n) < 0.04
    amount = np.round((5 + account % 40) * chance.lognormal(0, 0.4, n) * np.where(fraud, 6, 1), 2)
    told = fraud & (chance.random(n) > 0.1)
    lines = ["id,at,amount,account,fraud"]
    for i in range(n):
        at = np.datetime64(int(seconds[i]), "s")
        lines.append(f"t{i},{at}Z,{amount[i]},a{account[i]},{int(told[i])}")
    (folder / "tiny.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tiny.toml").write_text(SPEC, encoding="utf-8")
    kinds = pa.table({"id": [f"t{i}" for i in np.flatnonzero(fraud)], "kind": ["burst"] * int(fraud.sum())})
    pq.write_table(kinds, folder / "truth.parquet")
    return folder
