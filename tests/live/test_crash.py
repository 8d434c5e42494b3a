"""The service killed at any moment, under load: nothing answered is lost, doubled or changed, and the memory is equal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scenes.layered import layered
from tocsin.artifact import load, write
from tocsin.data import read
from tocsin.learn.gathering import features

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def with_network(folder: Path) -> None:
    """A model as the benchmark learns it, and then the surprise before its trees and a network behind them."""
    program = "import sys, pathlib, traffic; traffic.learn_model(pathlib.Path(sys.argv[1]), 20_000)"
    subprocess.run([sys.executable, "-c", program, str(folder)], cwd=BENCHMARKS, check=True, timeout=250)
    trees = load(folder / "model")
    files = {name: (folder / "model" / name).read_bytes() for name in trees.card.files}
    examples, _ = features(read(folder / "world" / "world.parquet", trees.spec), trees.plan)
    label = np.maximum(examples.label, 0)
    card, files = layered(trees.card, files, trees.plan, examples.matrix, label)
    shutil.copy(folder / "model" / "memory.bin", folder)
    write(folder / "model", card, files, also=lambda draft: shutil.copy(folder / "memory.bin", draft))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["trees", "network"])
def test_kills_under_load_lose_nothing(way: str, tmp_path: Path) -> None:
    environment = os.environ | {"QUICK": "1"}
    if way == "network":
        with_network(tmp_path)
        environment |= {"TOCSIN_BENCH_FOLDER": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "crash.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = msgspec.json.decode(done.stdout.splitlines()[-1])
    assert found["kills"] == 3
    assert found["answered"] > 0
    for name in ("lost", "doubled", "changed", "without_decision", "alerts_without_decision", "gaps_in_sequence"):
        assert found[name] == 0, name
    assert found["profiles_equal"] is True
    assert found["same_answer_after_restart"] is True
    assert found["integrity"] == "ok"
