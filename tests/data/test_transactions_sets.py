"""The ready specs on the measured sets: the documented counts, to the row."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tocsin import spec
from tocsin.data import read, split_by_time
from tocsin.schema import KIND_CODE, Kind

SETS = Path(os.environ.get("TOCSIN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "fraud"
if not SETS.is_dir() and not os.environ.get("CI"):
    pytest.skip("the measured sets are not here (TOCSIN_DATA)", allow_module_level=True)

AML = "amlsim_20K_{}_transactions.parquet"
COUNTS = [
    ("handbook", "handbook_simulated_raw.parquet", 1_754_155, 14_681, 0),
    ("ulb", "ulb_creditcard_subset.parquet", 34_177, 492, 0),
    ("sparkov", "sparkov_transactions.parquet", 1_704_222, 9_344, 0),
    ("s_ffsd", "s_ffsd.parquet", 77_881, 5_256, 48_238),
    ("amlsim", AML.format("fanin200cycle200"), 120_558, None, 0),
    ("amlsim", AML.format("fanin200"), 118_250, None, 0),
    ("amlsim", AML.format("cycle200"), 117_805, None, 0),
]


@pytest.mark.parametrize(("name", "file", "rows", "frauds", "unknown"), COUNTS)
def test_counts_are_the_documented_ones(name: str, file: str, rows: int, frauds: int | None, unknown: int) -> None:
    table = read(SETS / file, spec.load(name))
    assert (table.rows_in, table.rows_bad, len(table)) == (rows, 0, rows)
    assert table.problems == ()
    assert int((table.label == -1).sum()) == unknown
    if frauds is not None:
        assert int((table.label == 1).sum()) == frauds
    assert len(set(table.ids)) == rows
    assert (np.diff(table.batch.at) >= 0).all()


@pytest.mark.parametrize(("variant", "accounts"), [("fanin200cycle200", 1_804), ("fanin200", 954), ("cycle200", 945)])
def test_a_laundering_account_marks_all_its_payments(variant: str, accounts: int) -> None:
    """Every account of the set pays at least once in these samples, so all laundering accounts are seen."""
    table = read(SETS / AML.format(variant), spec.load("amlsim"))
    account = table.batch.keys["account"][table.payments]
    marked = np.unique(account[table.label == 1])
    assert len(marked) == accounts
    assert (table.label[np.isin(account, marked)] == 1).all()


def test_the_first_fold_of_the_handbook_has_the_published_size() -> None:
    table = read(SETS / "handbook_simulated_raw.parquet", spec.load("handbook"))
    week = timedelta(days=7)
    fold = split_by_time(table, start=datetime(2018, 7, 25, tzinfo=UTC), train=week, delay=week, test=week)
    assert (int(fold.train.sum()), int((fold.label[fold.train] == 1).sum())) == (67_240, 598)
    stream = table.stream()
    told = (table.label == 1) & (table.known_at <= table.at[-1])
    assert (
        int((stream.kind == KIND_CODE[Kind.LABEL]).sum()) == int(told.sum()) < 14_681 == int((table.label == 1).sum())
    )
    assert (
        stream.at[stream.kind == KIND_CODE[Kind.LABEL]].min() - table.at[table.label == 1].min()
    ) == 7 * 86_400_000_000


def test_the_weights_of_the_cards_give_the_whole_file() -> None:
    table = read(SETS / "ulb_creditcard_subset.parquet", spec.load("ulb"))
    assert table.weight is not None
    assert table.weight.sum() == pytest.approx(284_807, abs=1)
    assert table.amount[table.label == 1].mean() / 100 == pytest.approx(122.211, abs=0.001)
