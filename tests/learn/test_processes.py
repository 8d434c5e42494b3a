"""Two processes learn what one learns, wherever they come from, and go on after being ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from scenes.networks import Deserted, Points, orders, points
from tocsin.errors import BadInput, NotReady
from tocsin.learn.loop import LoopSettings, train
from tocsin.learn.processes import Processes, together

# 2048 - 256 rows less a 17th make batches of 120 and 121: an odd one is shared unequally.
TWO = LoopSettings(epochs=2, planned=3, batch=121, rate=5e-3, save_every=4, processes=2, device="cpu")
ONE = replace(TWO, processes=1)


def weights(task: Points) -> dict[str, torch.Tensor]:
    return {name: t.clone() for name, t in task.model.state_dict().items()}


def test_a_batch_is_shared_without_a_row_lost_or_doubled() -> None:
    for n in (0, 1, 2, 7, 1024):
        rows = torch.arange(n)
        shares = [Processes(rank, 3).share(rows) for rank in range(3)]
        assert torch.equal(torch.cat(shares), rows)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("make", [points, pytest.param(orders, marks=pytest.mark.slow)])
def test_two_processes_come_to_the_weights_of_one(make: type[Points]) -> None:
    one, two = make(), make()
    for task in (one, two):
        for module in task.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    alone, found = train(one, ONE), train(two, TWO)
    assert found.judged == pytest.approx(alone.judged, rel=1e-4)
    assert [e.loss for e in found.epochs] == pytest.approx([e.loss for e in alone.epochs], rel=1e-5)
    for name, weight in weights(one).items():
        torch.testing.assert_close(weights(two)[name], weight, atol=2e-4, rtol=1e-3)


def test_fewer_rows_than_processes_are_enough() -> None:
    tasks = points(n=260, dropout=0.0), points(n=260, dropout=0.0)  # four rows less those of one epoch
    settings = replace(ONE, batch=1)
    train(tasks[0], settings)
    train(tasks[1], replace(settings, processes=2))
    for name, weight in weights(tasks[0]).items():
        torch.testing.assert_close(weights(tasks[1])[name], weight, atol=1e-5, rtol=1e-4)


def test_two_processes_go_on_to_the_bit(tmp_path: Path) -> None:
    unbroken, broken = points(), points(seed=1)  # with dropout, each process its own
    train(unbroken, TWO)

    def told(what: str, share: float) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(broken, TWO, folder=tmp_path, told=told)
    task = points()
    train(task, TWO, folder=tmp_path)
    for name, weight in weights(unbroken).items():
        assert torch.equal(weights(task)[name], weight), name


SCRIPT = """
import sys, torch
from pathlib import Path
from safetensors.torch import save_file
from scenes.networks import points
from tocsin.learn.loop import LoopSettings, train
import os

torch.set_num_threads(1)
task = points()
train(task, LoopSettings(epochs=2, planned=3, batch=121, rate=5e-3, save_every=4, device="cpu"))
save_file(task.model.state_dict(), Path(sys.argv[1]) / f"{os.environ['RANK']}.safetensors")
"""


@pytest.mark.slow  # five interpreters, each with its own PyTorch
def test_under_torchrun_its_processes_are_the_ones(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    tests = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    subprocess.run(
        [*command, str(tmp_path / "script.py"), str(tmp_path)],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(tests), "OMP_NUM_THREADS": "1"},
    )
    task = points()
    train(task, TWO)
    for rank in (0, 1):
        there = load_file(tmp_path / f"{rank}.safetensors")
        for name, weight in weights(task).items():
            assert torch.equal(there[name], weight), name


def test_a_process_that_ends_early_is_named() -> None:
    made = points()
    task = Deserted(made.model, made.x, made.y)
    with pytest.raises(NotReady, match=r"all 2 processes .* number 1 has ended with code 7.*same command"):
        train(task, TWO)
    assert not torch.distributed.is_initialized()


def test_a_device_there_is_not_is_refused() -> None:
    with pytest.raises(BadInput, match="auto, cpu or cuda"), together(1, "tpu", print):
        pass
    with (
        pytest.raises(BadInput, match=rf"there are {torch.cuda.device_count()} for 99"),
        together(99, "cuda", print),
    ):
        pass
