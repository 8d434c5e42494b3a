"""What a person asks of a file first, counted right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin import spec
from tocsin.data import read
from tocsin.data.problems import Problem
from tocsin.data.summary import kinds_of, sparkline, summarise

SPEC = spec.parse(
    '[columns]\nat = "at"\nkind = "kind"\namount = "amount"\naccount = "account"\ncard = "card"\nlabel = "y"\n'
    'known_at = "k"\nweight = "w"\n[money]\ncurrency = "JPY"'
)
LINES = """at,kind,amount,account,card,y,k,w
2026-03-01T10:00:00Z,payment,10,a,c,1,2026-03-02T10:00:00Z,1
2026-03-01T11:00:00Z,payment,0,a,,0,,3
2026-03-03T11:00:00Z,payment,30,b,d,1,2026-03-06T11:00:00Z,1
2026-03-03T12:00:00Z,sign_in,,b,,,,
2026-03-03T13:00:00Z,payment,40,b,d,,,5
2026-03-03T13:00:00Z,payment,-1,b,d,,,5
"""


def test_every_number_is_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(LINES)
    got = summarise(read(path, SPEC))
    assert (got.rows_in, got.rows_bad, got.payments, got.events) == (6, 1, 4, {"sign_in": 1})
    assert got.per_day.tolist() == [2, 0, 3]
    assert [(e.name, e.distinct, round(e.missing, 2)) for e in got.entities] == [("account", 2, 0.0), ("card", 2, 0.25)]
    assert (got.labels.fraud, got.labels.genuine, got.labels.unknown) == (2, 1, 1)
    assert got.labels.rate == 2 / 5
    assert got.labels.weighted
    assert got.labels.delay_median == timedelta(days=2)
    assert got.labels.delay_most == timedelta(days=1 + 0.95 * 2)  # of two, known after one day and after three
    assert (got.amount_median, got.amount_largest, got.amount_sum, got.zero_amounts) == (20.0, 40, 80, 1)
    assert got.currency == "JPY"
    assert [(p.column, p.count, p.rows) for p in got.problems] == [("amount", 1, (6,))]


def test_a_file_of_bad_rows_only_can_be_summarised(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("\n".join([*LINES.splitlines()[:1], "x,payment,1,a,,,,1"]))
    got = summarise(read(path, SPEC))
    assert (got.rows_in, got.rows_bad, got.payments, got.first) == (1, 1, 0, None)
    assert np.isnan(got.labels.rate)
    assert sparkline(got.per_day) == ""


def test_problems_of_one_kind_are_told_once() -> None:
    problems = [Problem(i, "at", f"a time must be so; got {i}.", "way out") for i in range(1, 9)]
    problems += [Problem(9, "at", "a time must be there; got nothing."), Problem(2, "amount", "must be so; got 3.")]
    kinds = kinds_of(problems)
    assert [(k.column, k.count, k.rows) for k in kinds] == [
        ("at", 8, (1, 2, 3, 4, 5)),
        ("at", 1, (9,)),
        ("amount", 1, (2,)),
    ]
    assert (kinds[0].example, kinds[0].hint) == ("a time must be so; got 1.", "way out")


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=400), st.integers(1, 80))
def test_a_sparkline_never_is_wider_and_has_its_top(counts: list[int], width: int) -> None:
    line = sparkline(np.array(counts), width)
    assert 1 <= len(line) <= width
    assert (max(counts) == 0) != ("█" in line)
    if len(counts) <= width:
        assert len(line) == len(counts)
        assert line[int(np.argmax(counts))] == ("█" if max(counts) else "▁")
