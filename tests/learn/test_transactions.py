"""From payments to a model: windows in order of time, nothing known later, the same bits, and a command that ends well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tocsin import spec as specs
from tocsin.artifact import load
from tocsin.cli.main import group
from tocsin.data import read
from tocsin.errors import BadInput
from tocsin.features import Kernel
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.contract import UNKNOWN, Examples
from tocsin.learn.gathering import features
from tocsin.learn.transactions import Recipe, learn, windows_of
from tocsin.ledger import Ledger, tables
from tocsin.measure.budget import DAY, Cost, FalsePositives, PerDay
from tocsin.schema import Action, Decision, Reason, Score, StageShare

SMALL = BoostingSettings(trees=50, leaves=8, least_rows=20)


def test_windows_lie_in_order_of_time_and_hold_only_what_was_known(past: Any) -> None:
    examples: Examples = past[0]
    windows = windows_of(examples, Recipe())
    at = examples.at
    assert at[windows.newest].min() >= windows.begins
    assert at[windows.newest].max() < windows.quiet <= windows.made <= at[windows.held_out].min()
    assert not (windows.newest & windows.held_out).any()
    assert (examples.known_at[windows.newest] <= windows.made).all()
    assert (examples.label[windows.newest] != UNKNOWN).all()
    assert abs(windows.held_out.mean() - 0.2) < 0.01
    assert 1 * DAY < windows.made - windows.quiet <= 15 * DAY


def test_what_became_known_later_changes_nothing(past: Any) -> None:
    """Every label told after the model was made is turned round, and every held-out row is made absurd: same model."""
    examples, _, spec, plan = past
    recipe = Recipe(boosting=SMALL)
    windows = windows_of(examples, recipe)
    late = examples.known_at > windows.made
    assert late.sum() > 1000
    label = np.where(late & (examples.label != UNKNOWN), 1 - examples.label, examples.label).astype(np.int8)
    matrix = np.where((examples.at >= windows.made)[:, None], 1e6, examples.matrix)
    other = Examples(matrix, label, examples.at, examples.known_at, None, examples.amount)
    one, two = (learn(rows, spec, plan, recipe) for rows in (examples, other))
    assert one.files == two.files
    assert one.card.policy == two.card.policy
    assert one.card.stages == two.card.stages
    assert one.card.base == two.card.base


def test_early_approvals_are_chosen_only_when_asked_for_and_counted_on_what_was_held_out(past: Any) -> None:
    examples, _, spec, plan = past
    plain, early = (learn(examples, spec, plan, Recipe(PerDay(10), SMALL, early_leak=leak)) for leak in (None, 0.2))
    assert plain.card.policy.approve_below == ()
    assert plain.quality.early is None
    assert plain.files == early.files
    policy = early.card.policy
    assert len(policy.approve_below) == len(plan.ends) - 1
    assert any(policy.approve_below)
    assert policy.review_at == plain.card.policy.review_at
    told = early.quality.early
    assert 0 < told.lookups_saved < told.traffic < 1
    assert told.lost < 0.5
    assert early.card.measured["early_lookups_saved"] == round(told.lookups_saved, 6)
    assert early.quality.recall == pytest.approx(plain.quality.recall - told.lost, abs=1e-9)  # what is lost is lost
    sooner = learn(examples, spec, plan, Recipe(PerDay(10), SMALL, early_leak=0.2, refit=False)).card.policy
    assert all(limit <= sooner.review_at for limit in sooner.approve_below)


def test_from_reported_frauds_alone_one_learns_when_silence_counts_as_genuine(past: Any) -> None:
    examples, _, spec, plan = past
    only = replace(examples, label=np.where(examples.label == 1, 1, UNKNOWN).astype(np.int8))
    with pytest.raises(BadInput):
        learn(only, spec, plan, Recipe(boosting=SMALL))
    learned = learn(only, spec, plan, Recipe(boosting=SMALL, genuine_after=timedelta(days=14)))
    windows = learned.windows
    assert only.at[windows.newest].max() <= windows.made - 14 * DAY
    assert learned.card.settings["genuine_after_days"] == 14
    assert learned.quality is not None
    assert learned.quality.exits[-1].roc_auc > 0.75
    assert (
        learned.quality.rate < 0.1
    )  # the young ones of the held-out window, whose frauds alone are told, are left out


def test_the_same_seed_is_the_same_model_to_the_bit(past: Any) -> None:
    examples, _, spec, plan = past
    one, two = (learn(examples, spec, plan, Recipe(boosting=SMALL, anomaly=True)) for _ in range(2))
    assert one.files == two.files
    assert one.card == two.card
    other = learn(examples, spec, plan, Recipe(boosting=BoostingSettings(trees=50, leaves=8, least_rows=20, seed=9)))
    assert other.files["trees.txt"] != one.files["trees.txt"]


def test_the_budget_holds_on_days_the_trees_never_saw(past: Any) -> None:
    examples, _, spec, plan = past
    found = learn(examples, spec, plan, Recipe(PerDay(10), SMALL)).quality
    assert found is not None
    assert 4 < found.alerts_a_day < 25
    assert found.exits[-1].roc_auc > 0.85
    assert found.exits[-1].average_precision > found.exits[0].average_precision + 0.1
    assert 0.4 < found.expected / found.rate < 2.5


@pytest.mark.parametrize("goal", [Cost(5.0), FalsePositives(0.02)])
def test_other_goals_set_other_thresholds(past: Any, goal: Any) -> None:
    examples, _, spec, plan = past
    learned = learn(examples, spec, plan, Recipe(goal, SMALL, refit=False))
    assert 0 < learned.card.policy.review_at < 1
    assert learned.quality is not None
    assert learned.quality.recall > 0.3


def test_without_labels_there_is_an_anomaly_score_and_with_few_a_clear_refusal(past: Any) -> None:
    examples, _, spec, plan = past
    nothing = Examples(
        examples.matrix, np.full_like(examples.label, UNKNOWN), examples.at, examples.at, None, examples.amount
    )
    learned = learn(nothing, spec, plan, Recipe(PerDay(10), way="anomaly"))
    assert learned.quality is None
    assert set(learned.files) == {"spec.toml", "anomaly.onnx"}
    with pytest.raises(BadInput, match="at least 10 known frauds"):
        learn(nothing, spec, plan, Recipe(boosting=SMALL))


def test_features_in_slices_are_features_at_once(world: Path, past: Any) -> None:
    spec, plan = past[2], past[3]
    examples, kernel = features(read(world, spec), plan, chunk=777)
    assert np.array_equal(examples.matrix, past[0].matrix, equal_nan=True)
    assert kernel.fingerprint() == past[1].fingerprint()


def run(*words: str) -> Result:
    return CliRunner().invoke(group, list(words), catch_exceptions=False)


@pytest.fixture(scope="module")
def model(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("learned") / "model"
    done = run("learn", str(world), "--spec", "world", "--out", str(out), "--trees", "60", "--budget", "20/day")
    assert done.exit_code == 0
    return out, done.output


def test_the_command_writes_a_model_and_the_memory_it_ended_with(model: tuple[Path, str], past: Any) -> None:
    out, said = model
    artifact = load(out)
    assert artifact.version in " ".join(said.split())
    assert "average precision" in said
    assert "alerts a day" in " ".join(said.split())
    assert artifact.card.measured["average_precision"] > 0.3
    assert artifact.card.learned.rows == 12_000
    kernel = Kernel.load(out / "memory.bin", artifact.plan)
    assert kernel.fingerprint() == past[1].fingerprint()


def test_the_command_explains_a_payment_of_a_file(model: tuple[Path, str], world: Path, past: Any) -> None:
    out, _ = model
    artifact = load(out)
    table = read(world, past[2])
    place = int(np.argmax(artifact.score(past[0].matrix).value))
    done = run("explain", str(out), str(world), str(table.ids[place]))
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    for stage in artifact.stage_names:
        assert stage in said
    line = said.split("Exactly, in log-odds: ")[1].split(" Score ")[0]
    sum_, _, logit = line.partition(" = ")
    total, sign = 0.0, 1.0
    for word in sum_.split():
        if word in "+-":
            sign = -1.0 if word == "-" else 1.0
        else:
            total += sign * float(word)
    assert total == float(logit) == artifact.score(past[0].matrix[place : place + 1]).logit[0]
    when = datetime.fromtimestamp(table.at[place] / 1e6, UTC)
    assert f"{when:%Y-%m-%d %H:%M}" in said


def test_the_command_explains_an_answer_of_the_ledger(model: tuple[Path, str], tmp_path: Path) -> None:
    artifact = load(model[0])
    stages = [StageShare(stage=name, delta=0.5 * i - 0.5) for i, name in enumerate(artifact.stage_names)]
    stages[-1] = StageShare(stage=artifact.stage_names[-1], delta=None)
    score = Score(value=0.2, logit=-1.4, base=-4.0, stages=tuple(stages))
    reason = Reason(text="Device never used", feature="x", stage=artifact.stage_names[1], value=1.0, delta=2.0)
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.create()
    with ledger.write() as connection:
        connection.execute(tables.accounts.insert().values(account="A-1", first_seen_at=0))
        for number, ring in ((1, True), (2, False)):
            decision = Decision(
                transaction_id=f"p{number}",
                number=number,
                action=Action.REVIEW if ring else Action.APPROVE,
                code="x",
                score=score,
                reasons=(),
                model="world-abc",
                decided_at=datetime(2026, 3, 1, tzinfo=UTC),
            )
            money = {"amount_minor": 248000, "currency": "EUR", "base_minor": 248000}
            connection.execute(
                tables.transactions.insert().values(
                    number=number,
                    id=f"p{number}",
                    content=b"0" * 16,
                    at=0,
                    received_at=0,
                    account="A-1",
                    body=b"",
                    **money,
                )
            )
            connection.execute(
                tables.decisions.insert().values(
                    number=number,
                    action=decision.action,
                    code="x",
                    cause="score",
                    score=0.2,
                    body=msgspec.json.encode(decision),
                    model="world-abc",
                    decided_at=0,
                )
            )
        connection.execute(
            tables.alerts.insert().values(
                number=1,
                account="A-1",
                at=0,
                created_at=0,
                due_at=0,
                action="review",
                score=0.2,
                stake_minor=0,
                why="A device never used",
                reasons=msgspec.json.encode((reason,)),
                status="new",
            )
        )
    ledger.close()
    said = " ".join(run("explain", str(model[0]), "p1", "--ledger", ledger.url, "--data", str(tmp_path)).output.split())
    assert "p1 · € 2,480 · 1970-01-01 00:00 UTC · world-abc A device never used." in said
    assert "not asked" in said
    assert "Device never used" in said
    assert "× 7.4" in said
    assert "It was answered review." in said
    said = " ".join(run("explain", str(model[0]), "p2", "--ledger", ledger.url, "--data", str(tmp_path)).output.split())
    assert "answered approve. Reasons are kept for alerts" in said


def test_the_command_warns_of_card_numbers(world: Path, tmp_path: Path) -> None:
    assert not [note for note in read(world, specs.load("world")).notes if "card numbers" in note]
    rows = ["at,amount,account,pan,fraud", *(f"2026-03-01T12:00:0{i}Z,1,a,4111111111111111,0" for i in range(3))]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    text = '[columns]\nat = "at"\namount = "amount"\naccount = "account"\ncard = "pan"\nlabel = "fraud"\n'
    text += '[label]\nknown_after = "1d"\n[[stage]]\nname = "a"\ncolumns = ["amount"]\n'
    (tmp_path / "s.toml").write_text(text)
    words = ["learn", str(tmp_path / "p.csv"), "--spec", str(tmp_path / "s.toml"), "--out", str(tmp_path / "m")]
    done = CliRunner().invoke(group, words)
    assert "'pan' looks like card numbers" in " ".join(done.output.split())
    assert "4111111111111111" not in done.output


def test_an_unknown_payment_and_a_taken_place_are_refused(model: tuple[Path, str], world: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no payment 'nobody'"):
        run("explain", str(model[0]), str(world), "nobody")
    with pytest.raises(Exception, match="no answer to a payment"):
        run("explain", str(model[0]), "nobody", "--data", str(tmp_path / "data"))
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "x.txt").write_text("x")
    with pytest.raises(BadInput, match="holds no model"):
        run("learn", str(world), "--spec", "world", "--out", str(tmp_path / "letters"))
    with pytest.raises(BadInput, match="holds a model"):
        run("learn", str(world), "--spec", "world", "--out", str(model[0]))
