"""Kill a training at any moment, again and again, and compare: are the final weights those of an unbroken run, to the bit?

    make bench NAME=resume       (QUICK=1: three kills)

Each round starts the same command on the same folder and ends it with signal 9 at a moment drawn at random; every
second kill waits for a checkpoint to be half written and strikes then. At last the command runs to its end, and its
weights are compared with those of a run that nobody disturbed. Then the same with two processes, of which the first is
killed and the other must go by itself. The network is made, has dropout, a recurrent part and an embedding, and finds
its own learning rate. A table for people, and as the last line one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from tocsin.learn.checkpoint import NAME, draft_of
from tocsin.learn.loop import LoopSettings, train

QUICK = os.environ.get("QUICK") == "1"
KILLS, PAIRED = (3, 0) if QUICK else (20, 4)
ROWS, NEWEST, TOKENS = 8_192, 1_024, 20_000
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


class Reader(nn.Module):
    """Reads an order of tokens, with a table large enough that a checkpoint takes a while to write."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, 8)
        self.read = nn.GRU(8, 24, batch_first=True)
        self.answer = nn.Sequential(nn.Linear(24, 32), nn.LayerNorm(32), nn.SiLU(), nn.Dropout(0.1), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        """int64[n, t] to float32[n, 1]."""
        return self.answer(self.read(self.tokens(x))[0][:, -1])


@dataclass
class Orders:
    """Does a low token come right after another low one?"""

    x: Tensor
    y: Tensor
    model: nn.Module = field(default_factory=Reader)
    fingerprint: str = "orders"

    def rows(self, epoch: int) -> Tensor:
        """All but the newest."""
        return torch.arange(ROWS - NEWEST)

    def loss(self, rows: Tensor) -> Tensor:
        """Cross-entropy."""
        return binary_cross_entropy_with_logits(self.model(self.x[rows]).squeeze(-1), self.y[rows])

    def judge(self) -> float:
        """Cross-entropy of the newest."""
        return self.loss(torch.arange(ROWS - NEWEST, ROWS)).item()


def work(folder: Path, processes: int) -> None:
    """The command that is killed: train, then write the weights and how it went."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    low = torch.randint(0, TOKENS, (ROWS, 8))
    task = Orders(low, ((low[:, :-1] < TOKENS // 4) & (low[:, 1:] < TOKENS // 4)).any(1).float())
    settings = LoopSettings(
        epochs=3 if QUICK else 6, planned=8, batch=256, patience=6, save_every=3, processes=processes, device="cpu"
    )
    found = train(task, settings, folder=folder, told=lambda what, _: print(what, flush=True))
    epochs = [asdict(epoch) | {"seconds": 0.0} for epoch in found.epochs]
    (folder / "went.json").write_text(json.dumps([epochs, found.best, found.rate, found.doctor]))
    save_file(task.model.state_dict(), folder / "weights.safetensors")


@dataclass
class Count:
    """What has been done to the trainings."""

    kills: int = 0
    while_writing: int = 0
    finished: int = 0


def main() -> None:
    """Measure and print."""
    dice = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        one, kills = compare(Path(name) / "one", 1, KILLS, dice)
        two, pairs = compare(Path(name) / "two", 2, PAIRED, dice) if PAIRED else (None, Count())
    found = {
        "kills": kills.kills,
        "kills_while_writing": kills.while_writing,
        "weights_equal": one,
        "kills_two_processes": pairs.kills if PAIRED else None,
        "weights_equal_two_processes": two,
    }
    print()
    for word, value in found.items():
        print(f"{word.replace('_', ' '):32}{value!s:>8}")
    print(json.dumps(found | {"quick": QUICK}))


def compare(folder: Path, processes: int, kills: int, dice: random.Random) -> tuple[bool, Count]:
    """Whether every training that was killed came to the weights, the epochs and the rate of the one that was not."""
    began = time.monotonic()
    worker = start(folder / "unbroken", processes)
    if not training(worker):
        raise RuntimeError("the unbroken training ended before its first step")
    first = time.monotonic()
    worker.communicate()
    usual = time.monotonic() - first
    print(f"{processes} process(es): unbroken in {time.monotonic() - began:.1f} s, {usual:.1f} s of them training")
    expected, equal, count = result(folder / "unbroken"), True, Count()
    while count.kills < kills:
        here = folder / f"broken-{count.finished}"
        while count.kills < kills and not (here / "weights.safetensors").exists():
            strike(here, processes, dice.uniform(0.0, 1.5) * usual / (KILLS + 1), count)
        start(here, processes).communicate()
        equal &= result(here) == expected
        count.finished += 1
    return equal, count


def strike(folder: Path, processes: int, after: float, count: Count) -> None:
    """Start the command, let it train for so long, kill it; every second time while it writes a checkpoint."""
    worker = start(folder, processes)
    draft, writing = draft_of(folder / NAME), False
    if training(worker):
        time.sleep(after)
        patience = time.monotonic() + 5
        while count.kills % 2 and worker.poll() is None and time.monotonic() < patience and not draft.exists():
            pass
        if worker.poll() is None:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            writing = draft.exists()
            count.kills += 1
            count.while_writing += writing
            where = "while writing" if writing else ""
            print(f"kill {count.kills:2} after {after:5.2f} s of training {where}", flush=True)
    worker.communicate()


def start(folder: Path, processes: int) -> subprocess.Popen[bytes]:
    """The command, always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, str(folder), str(processes)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def training(worker: subprocess.Popen[bytes]) -> bool:
    """Wait for the first step; False when the command ended without one."""
    assert worker.stdout is not None
    return any(line.startswith(b"training") for line in worker.stdout)


def result(folder: Path) -> tuple[bytes, str]:
    """What the command left: the weights as they lie in the file, and how it went."""
    return (folder / "weights.safetensors").read_bytes(), (folder / "went.json").read_text()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
