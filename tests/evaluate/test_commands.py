"""The commands on a real model of a small bank: what they print, what they write, what they refuse."""

import re

import pytest
from click.testing import CliRunner

from tocsin.artifact import load
from tocsin.cli.backtest import command as backtest
from tocsin.cli.evaluate import command as evaluate
from tocsin.cli.learn import command as learn
from tocsin.errors import BadInput


@pytest.fixture(scope="module")
def model(bank):
    made = CliRunner().invoke(
        learn,
        [f"{bank}/tiny.csv", "--spec", f"{bank}/tiny.toml", "--out", f"{bank}/model", "--trees=20", "--budget=5/day"],
        catch_exceptions=False,
    )
    assert made.exit_code == 0, made.output
    return bank / "model"


def test_evaluate_judges_only_what_the_model_never_saw(bank, model):
    page = bank / "report.html"
    done = CliRunner().invoke(evaluate, [f"{model}", f"{bank}/tiny.csv", "--report", f"{page}"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert re.search(r"alerts a day this model stopped \d+% of the frauds", said)
    assert "which the model never looked at while learning" in said
    assert "1,600 payments" in said
    assert "<svg" in page.read_text()
    assert "Has the world moved?" in page.read_text()


def test_truth_is_judged_kind_by_kind(bank, model):
    done = CliRunner().invoke(
        evaluate, [f"{model}", f"{bank}/tiny.csv", "--truth", f"{bank}/truth.parquet"], catch_exceptions=False
    )
    assert re.search(r"Caught by kind: burst \d+% of \d+", " ".join(done.output.split()))


def test_nothing_new_is_refused(bank, model):
    with pytest.raises(BadInput, match="is new to the model"):
        CliRunner().invoke(
            evaluate, [f"{model}", f"{bank}/tiny.csv", "--since", "2030-01-01T00:00:00Z"], catch_exceptions=False
        )
    with pytest.raises(BadInput, match="must be a time"):
        CliRunner().invoke(evaluate, [f"{model}", f"{bank}/tiny.csv", "--since", "soon"], catch_exceptions=False)


def test_backtest_tells_every_round(bank):
    page = bank / "backtest.html"
    done = CliRunner().invoke(
        backtest,
        [
            f"{bank}/tiny.csv",
            f"--spec={bank}/tiny.toml",
            "--every=20d",
            "--budget=5/day",
            "--trees=20",
            f"--report={page}",
        ],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "3 models, a new one every 20d" in said
    assert len(re.findall(r"\d\d \w{3} 2026 +[\d,]+", done.output)) == 3
    assert "as if it had been live" in page.read_text()


@pytest.mark.parametrize("by", ["forest", "autoencoder"])
def test_a_model_without_labels_is_measured_too(bank, by):
    model, given = bank / by, [f"{bank}/tiny.csv", f"--spec={bank}/tiny.toml", "--way=anomaly", "--budget=5/day"]
    made = CliRunner().invoke(learn, [*given, f"--out={model}", f"--anomaly-by={by}"], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    assert load(model).card.settings["anomaly_by"] == by
    page = bank / f"{by}.html"
    done = CliRunner().invoke(evaluate, [f"{model}", f"{bank}/tiny.csv", f"--report={page}"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "This model has one stage." in page.read_text()
