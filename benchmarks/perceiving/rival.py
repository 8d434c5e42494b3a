"""The same network, the same pictures, as many epochs, taught by a PyTorch script as people write it; side by side in one run.

fastai would be the other rival: it imports torchvision, which does not import beside the CPU build of PyTorch that is pinned here.
"""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from perceiving.cells import FOLDER, QUICK, say, write
from perceiving.sets import SETS, made_sets
from tocsin.data.collection import Collection
from tocsin.learn.perception.learned import learn
from tocsin.learn.perception.portions import portions
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.registry import entry
from tocsin.learn.perception.weights import load_into

NETWORK, SIZE, EPOCHS = "efficientnet_lite0", (128 if not QUICK else 32), (2 if not QUICK else 1)
BATCH, RATE = 32, 5e-4


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Decoded each time they are asked for, mirrored half of the time when they teach."""

    def __init__(self, collection: Collection, rows: np.ndarray, *, teach: bool) -> None:
        self.collection, self.rows, self.teach = collection, rows, teach
        one = entry(NETWORK)
        self.mean, self.std = (torch.tensor(v).view(3, 1, 1) for v in (one.mean, one.std))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        row = int(self.rows[i])
        raw = self.collection.raw(row)
        assert isinstance(raw, bytes)
        picture = Image.open(io.BytesIO(raw)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255
        if self.teach and torch.rand(()) < 0.5:
            x = x.flip(2)
        return (x - self.mean) / self.std, int(self.collection.label[row])


def plain_pytorch(collection: Collection, rows: Any, epochs: int) -> float:
    """Fine-tune all layers, one cycle of the rate; the share right on the test."""
    one = entry(NETWORK)
    torch.manual_seed(0)
    network = one.build(len(collection.classes), SIZE)
    if not QUICK:
        load_into(network, one)
    steps = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    loader = DataLoader(Pictures(collection, rows.train, teach=True), BATCH, shuffle=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(steps, RATE, epochs=epochs, steps_per_epoch=len(loader))
    for _ in range(epochs):
        network.train()
        for x, label in loader:
            steps.zero_grad()
            nn.functional.cross_entropy(network(x), label).backward()
            steps.step()
            rate.step()
        _right(network, collection, rows.val)  # as everybody does after an epoch
    return _right(network, collection, rows.test)


@torch.no_grad()
def _right(network: nn.Module, collection: Collection, rows: np.ndarray) -> float:
    network.eval()
    said = [
        (network(x).argmax(dim=1) == label).float()
        for x, label in DataLoader(Pictures(collection, rows, teach=False), 64)
    ]
    return float(torch.cat(said).mean())


def compare() -> dict[str, Any]:
    """Ours and theirs on one set, one after another in one run; seconds of the processor, one thread each.

    Ours moves half of the network first and then all of it, so the rival is given as many epochs as both phases have together.
    """
    torch.set_num_threads(1)
    used = made_sets(FOLDER)[0] if QUICK else next(one for one in SETS if one.key == "hurricane_damage")
    collection = used.collection()
    way = "scratch" if QUICK else "transfer"
    recipe = Recipe(way=way, network=NETWORK, size=SIZE, epochs=EPOCHS, cache=FOLDER / "cache" / "rival")
    began = time.process_time()
    ours = learn(collection, recipe)
    our_seconds = time.process_time() - began
    assert ours.quality is not None
    say(f"ours: {ours.quality.accuracy:.2%} in {our_seconds:.0f} s, {len(ours.epochs)} epochs")
    rows = portions(collection, held_out=recipe.held_out, seed=recipe.seed)
    began = time.process_time()
    theirs = plain_pytorch(collection, rows, len(ours.epochs))
    their_seconds = time.process_time() - began
    say(f"plain PyTorch: {theirs:.2%} in {their_seconds:.0f} s, {len(ours.epochs)} epochs")
    found = {
        "rival": "plain PyTorch",
        "set": used.key,
        "network": NETWORK,
        "size": SIZE,
        "epochs": len(ours.epochs),
        "ours": round(100 * ours.quality.accuracy, 2),
        "theirs": round(100 * theirs, 2),
        "seconds": round(our_seconds, 1),
        "their_seconds": round(their_seconds, 1),
        "times_as_long": round(our_seconds / their_seconds, 3),
    }
    write(FOLDER / "rival.json", found)
    return found
