"""`tocsin explain` of a model with a network: what it gave of each stage stands beside the stage, and the sum stays exact."""

from __future__ import annotations

import re
from math import exp
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from scenes.layered import written
from tocsin.artifact import Artifact, load
from tocsin.cli.main import group
from tocsin.data import read
from tocsin.evaluate.replay import walk
from tocsin.features import Kernel

SPEC = """
name = "small"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
device = "device"
retailer = "retailer"
[[stage]]
name = "Amount"
columns = ["amount", "hour"]
[[stage]]
name = "The past"
features = ["count of amount by account over 1h, 1d", "novelty of device by account"]
[history]
by = "account"
kind = "retailer"
length = 12
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("explain")
    written(folder / "model", SPEC)
    random = np.random.default_rng(0)
    lines = ["id,at,amount,account,device,retailer"]
    for i in range(120):
        at = f"2026-03-{1 + i // 5:02d}T{2 + i % 5 * 4:02d}:{int(random.integers(60)):02d}:00Z"
        lines.append(f"p{i},{at},{random.lognormal(4, 1.5):.2f},a{i % 4},d{i % 3},r{random.integers(9)}")
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    return folder / "model", folder / "payments.csv"


def rows_of(model: Artifact, data: Path) -> np.ndarray:
    return walk(read(data, model.spec), Kernel(model.plan), lambda words, share: None)


def test_what_the_network_gave_stands_beside_each_stage(files: tuple[Path, Path]) -> None:
    model = load(files[0])
    rows = rows_of(model, files[1])
    place = int(model.score(rows).logit[20:].argmax()) + 20
    done = CliRunner().invoke(group, ["explain", str(files[0]), str(files[1]), f"p{place}"], catch_exceptions=False)
    assert done.exit_code == 0
    said = re.findall(r"of it the network ([×÷]) ([\d.,]+)", done.output)
    gave = model.shares(rows[place : place + 1])[1][0, :, -1]
    assert len(said) == len(gave) == 2
    for (sign, times), share in zip(said, gave, strict=True):
        assert sign == ("×" if share >= 0 else "÷")
        assert float(times.replace(",", "")) == pytest.approx(exp(abs(share)), rel=0.06)
    exactly = " ".join(done.output.split()).split("Exactly, in log-odds: ")[1].split(" Score ")[0]
    assert float(exactly.partition(" = ")[2]) == model.score(rows[place : place + 1]).logit[0]


def test_the_past_is_among_the_reasons_where_the_network_raised_the_score(files: tuple[Path, Path]) -> None:
    model = load(files[0])
    rows = rows_of(model, files[1])
    place = int(model.shares(rows)[1][:, -1, -1].argmax())
    done = CliRunner().invoke(
        group, ["explain", str(files[0]), str(files[1]), f"p{place}", "--top", "20"], catch_exceptions=False
    )
    (mine,) = [r for r in model.reasons(rows[place : place + 1], 20)[0] if r.feature.startswith("network.")][:1]
    assert mine.stage == "The past"
    assert mine.text in " ".join(done.output.split())
