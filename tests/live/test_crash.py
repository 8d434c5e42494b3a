"""The service killed at any moment, under load: nothing answered is lost, doubled or changed, and the memory is equal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow
def test_kills_under_load_lose_nothing() -> None:
    environment = os.environ | {"QUICK": "1"}
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
