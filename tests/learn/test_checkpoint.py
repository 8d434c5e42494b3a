"""A checkpoint is whole or not there, is the training it says it is, and puts every generator back."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from scenes.networks import Points, points
from tocsin.errors import Conflict, Damaged
from tocsin.learn import checkpoint
from tocsin.learn.loop import LoopSettings, train

CPU = torch.device("cpu")
QUICK = LoopSettings(epochs=2, planned=3, batch=128, rate=5e-3, save_every=3)
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def draws() -> list[float]:
    return [torch.rand(1).item(), np.random.normal(), random.random(), random.gauss(0, 1)]


def test_every_generator_goes_on_from_where_it_was() -> None:
    np.random.normal(), random.gauss(0, 1)  # each now keeps a spare number for the next call
    state = checkpoint.random_state(CPU)
    first = draws()
    assert draws() != first
    checkpoint.set_random_state(state, CPU)
    assert draws() == first
    with checkpoint.seeded(4, CPU):
        inside = draws()
    with checkpoint.seeded(4, CPU):
        assert draws() == inside


def test_what_is_written_is_read_with_its_types_and_its_record(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path) is None
    shared = torch.arange(6.0)
    tensors = {
        "a/half": torch.tensor([0.1, float("nan")], dtype=torch.bfloat16),
        "a/whole": shared.view(2, 3).T,  # not contiguous, and shares its memory with the next
        "b/same": shared,
        "b/step": torch.tensor(3.0),
        "b/flag": torch.tensor([True, False]),
        "b/none": torch.empty(0, 3),
    }
    checkpoint.write(tmp_path, tensors, {"rate": 0.1 + 0.2, "judged": float("inf")})
    found = checkpoint.read(tmp_path)
    assert found is not None
    assert found.record == {"rate": 0.1 + 0.2, "judged": float("inf")}
    for name, tensor in tensors.items():
        there = found.tensors[name]
        assert there.dtype == tensor.dtype
        assert torch.equal(there.nan_to_num(), tensor.nan_to_num()) if tensor.is_floating_point() else True
    assert found.under("b/").keys() == {"same", "step", "flag", "none"}


@pytest.mark.parametrize("place", [0.1, 0.5, 0.99])
def test_a_checkpoint_that_was_changed_is_refused(place: float, tmp_path: Path) -> None:
    checkpoint.write(tmp_path, {"a": torch.arange(1000.0)}, {"step": 1})
    path = tmp_path / checkpoint.NAME
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged, match=r"as it was written.*Delete it"):
        checkpoint.read(tmp_path)
    path.write_bytes(data[:200])
    with pytest.raises(Damaged):
        checkpoint.read(tmp_path)


def test_one_training_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with checkpoint.alone(tmp_path), pytest.raises(Conflict, match="another process is at it"):
        train(points(), QUICK, folder=tmp_path)
    train(points(), QUICK, folder=tmp_path)


class FullDisk:
    """After so many files nothing can be flushed to the disk any more, as when it is full."""

    def __init__(self, files: int) -> None:
        self.left = files
        self.real = os.fsync

    def __call__(self, handle: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.real(handle)


def test_a_full_disk_costs_the_new_checkpoint_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm, task = points(), points()
    train(calm, QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FullDisk(16))
        found = train(task, QUICK, folder=tmp_path)
    assert "could not be written (No space left on device)" in found.doctor[0]
    assert "the training went on" in found.doctor[0]
    for name, weight in calm.model.state_dict().items():
        assert torch.equal(task.model.state_dict()[name], weight)
    there = checkpoint.read(tmp_path)  # the last good one, whole, and no litter
    assert there is not None
    assert 0 < there.record["progress"]["step"] < 28
    assert {p.name for p in tmp_path.iterdir()} == {".lock", checkpoint.NAME, "training.json", "training.html"}
    again = points()
    assert train(again, QUICK, folder=tmp_path).doctor == ()
    for name, weight in calm.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight)


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    def tied() -> Points:
        task = points()
        task.model.append(torch.nn.Linear(1, 1))
        task.model.append(torch.nn.Linear(1, 1))
        task.model[-1].weight = task.model[-2].weight
        with torch.no_grad():
            for p in (task.model[-1].weight, task.model[-1].bias, task.model[-2].bias):
                p.fill_(0.9)
        return task

    whole, broken = tied(), tied()
    train(whole, QUICK)

    def told(_what: str, share: float) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(broken, QUICK, folder=tmp_path, told=told)
    again = tied()
    train(again, QUICK, folder=tmp_path)
    assert again.model[-1].weight is again.model[-2].weight
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight)


def test_killed_three_times_it_comes_to_the_same_bits() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "resume.py"],
        env=os.environ | {"QUICK": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] == 3
    assert found["weights_equal"] is True


def test_moments_come_back_in_the_order_of_their_parameters_memory() -> None:
    """A fused optimiser walks through memory; a network whose channels stand last has another order there."""

    def stepped(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        torch.manual_seed(1)
        optimizer.zero_grad()
        model(torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)).square().mean().backward()
        optimizer.step()

    torch.manual_seed(0)
    models = [torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last) for _ in range(2)]
    optimizers = [torch.optim.AdamW(m.parameters(), lr=0.1, fused=True) for m in models]
    stepped(models[0], optimizers[0])
    models[1].load_state_dict(models[0].state_dict())
    kept = {name: value.contiguous().clone() for name, value in checkpoint.moments(models[0], optimizers[0]).items()}
    checkpoint.set_moments(models[1], optimizers[1], {n.removeprefix("adamw/"): v for n, v in kept.items()})
    for model, optimizer in zip(models, optimizers, strict=True):
        stepped(model, optimizer)
    assert torch.equal(models[0].weight, models[1].weight)
