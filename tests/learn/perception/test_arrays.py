"""Pickled arrays are read and nothing of the file is run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from tocsin.errors import Damaged
from tocsin.learn.perception.arrays import arrays


class Evil:
    """Writes a file when unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [3, 4])
def test_dictionaries_and_lists_of_arrays_come_back(protocol: int) -> None:
    draw = np.random.default_rng(0)
    held = {
        "a": [draw.normal(size=(3, 2, 5)).astype("f4"), np.asfortranarray(draw.normal(size=(4, 3)))],
        "b": {"c": np.arange(3, dtype="f2"), "d": "said", "e": 7, "f": draw.normal(size=2).astype(">f4")},
    }
    got = arrays(pickle.dumps(held, protocol=protocol))
    pairs = zip((*got["a"], got["b"]["c"], got["b"]["f"]), (*held["a"], held["b"]["c"], held["b"]["f"]), strict=True)
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
    assert (got["b"]["d"], got["b"]["e"]) == ("said", 7)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_file_that_calls_something_is_refused_and_not_run(protocol: int, tmp_path: object) -> None:
    path = f"{tmp_path}/made"
    with pytest.raises(Damaged, match="nothing else"):
        arrays(pickle.dumps({"a": [Evil(path)]}, protocol=protocol))
    assert not os.path.exists(path)


@pytest.mark.parametrize(
    "held",
    [np.array(["text"]), np.array([{}], dtype=object), {1, 2}, np.arange(3), 3 + 4j, Damaged],
    ids=["texts", "objects", "set", "whole numbers", "complex", "class"],
)
def test_anything_but_arrays_of_numbers_is_refused(held: object) -> None:
    with pytest.raises(Damaged):
        arrays(pickle.dumps({"a": held}, protocol=4))


def test_half_a_file_and_no_file_are_refused() -> None:
    whole = pickle.dumps({"a": np.ones(1000, dtype="f4")}, protocol=4)
    for content in (whole[: len(whole) // 2], b"", b"PK\x03\x04", whole[:-1]):
        with pytest.raises(Damaged):
            arrays(content)
