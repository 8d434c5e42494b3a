"""Jobs of the benchmarks: found by their names, and one that fails holds nobody up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@dataclass(frozen=True)
class Job:
    name: str


JOBS = [Job("main-1"), Job("main-2"), Job("small-1")]


@pytest.fixture
def jobs() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    yield import_module("jobs")
    sys.path.remove(str(BENCHMARKS))


def test_jobs_are_found_by_the_beginning_of_their_names(jobs: ModuleType) -> None:
    assert jobs.chosen(iter(JOBS), ["main-*"]) == JOBS[:2]
    assert jobs.chosen(JOBS, []) == JOBS
    with pytest.raises(SystemExit, match="There are: main-1, main-2, small-1"):
        jobs.chosen(iter(JOBS), ["large-*"])


def test_a_job_that_fails_says_why_and_the_others_go_on(jobs: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def do(job: Job) -> None:
        if job.name == "main-2":
            raise ValueError("it rained")
        done.append(job.name)

    assert jobs.failed(JOBS, do) == ["main-2"]
    assert done == ["main-1", "small-1"]
    assert "it rained" in capsys.readouterr().err
