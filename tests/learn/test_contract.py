"""Examples: checked, cut at a moment, and never with a label from after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.learn.contract import UNKNOWN, Examples, check_ends


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from([0, 1, -1])), max_size=30),
    st.integers(0, 45),
)
def test_as_known_at_a_moment(rows: list[tuple[int, int, int]], cut: int) -> None:
    rows = sorted(rows)
    at = np.array([r[0] for r in rows], dtype=np.int64)
    label = np.array([r[2] for r in rows], dtype=np.int8)
    known_at = at + np.array([r[1] for r in rows], dtype=np.int64)
    examples = Examples.of(np.zeros((len(rows), 1)), label, at=at, known_at=known_at)
    then = examples.as_known_at(cut)
    want = [(a, fraud if k <= cut else UNKNOWN) for a, k, fraud in zip(at, known_at, label, strict=True) if a < cut]
    assert list(zip(then.at.tolist(), then.label.tolist(), strict=True)) == want
    assert (then.known().label != UNKNOWN).all()
    assert not len(then) or np.shares_memory(then.matrix, examples.matrix)  # millions of rows are not copied


@pytest.mark.parametrize(
    ("field", "change", "word"),
    [
        ("label", np.array([0, 1, 2], dtype=np.int8), "1 .fraud., 0 .genuine. or -1"),
        ("label", np.array([0, 1], dtype=np.int8), "each of 3 rows"),
        ("at", np.array([3, 2, 1]), "order of time"),
        ("weight", np.array([1.0, -1.0, 1.0]), "at least 0"),
        ("weight", np.array([1.0, np.nan, 1.0]), "finite"),
    ],
)
def test_what_cannot_be_examples_is_refused(field: str, change: np.ndarray, word: str) -> None:
    columns: dict[str, np.ndarray] = {"label": np.array([0, 1, 0], dtype=np.int8), field: change}
    with pytest.raises(BadInput, match=word):
        Examples.of(np.zeros((3, 2)), **columns)  # type: ignore[arg-type]


def test_stages_end_where_the_columns_end() -> None:
    assert check_ends((), 4) == (4,)
    assert check_ends([1, 4], 4) == (1, 4)


def test_what_nobody_spoke_of_for_long_counts_as_genuine_as_one_would_have_counted_then() -> None:
    at = np.array([0, 10, 20, 30, 40], dtype=np.int64)
    label = np.array([UNKNOWN, 1, 1, 0, 1], dtype=np.int8)
    known_at = np.array([0, 12, 90, 31, 41], dtype=np.int64)
    examples = replace(Examples.of(np.zeros((5, 1)), label, at=at, known_at=known_at), genuine_after=25)
    assert examples.as_known_at(24).label.tolist() == [UNKNOWN] * 3  # too young, the fraud of 10 known at 12 too
    assert examples.as_known_at(50).label.tolist() == [0, 1, 0, UNKNOWN, UNKNOWN]  # that of 20 is reported at 90 only
    assert examples.as_known_at(91).label.tolist() == [0, 1, 1, 0, 1]
    assert examples.as_known_at_last().label.tolist() == [0, 1, 1, 0, 1]
    assert examples.take(slice(1, 3)).genuine_after == 25
    never = replace(examples, genuine_after=None)
    assert never.as_known_at_last() is never
    assert never.as_known_at(50).label.tolist() == [UNKNOWN, 1, UNKNOWN, 0, 1]
