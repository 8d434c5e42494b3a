"""Learning without labels: what two views share is found, labels are not looked at, and what comes of it can be begun from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from tocsin.data.collection import Collection, collect
from tocsin.errors import BadInput
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.registry import NETWORKS
from tocsin.learn.perception.selfsupervised import pretrain, redundancy
from tocsin.learn.perception.weights import load_into


def pictures(folder: Path, n: int = 96, *, test: int = 0, seed: int = 0) -> Path:
    """Made pictures of 20 pixels: squares of any colour anywhere on grounds of any colour."""
    draw = np.random.default_rng(seed)
    for place in range(n + test):
        pixels = np.empty((20, 20, 3), dtype=np.uint8)
        pixels[:] = draw.integers(0, 255, 3)
        down, across, side = draw.integers(0, 12), draw.integers(0, 12), draw.integers(4, 8)
        pixels[down : down + side, across : across + side] = draw.integers(0, 255, 3)
        part = f"{'train' if place < n else 'test'}/any" if test else "."
        (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / part / f"{place}.png")
    return folder


def unlabelled(folder: Path, **more: int) -> Collection:
    return collect(pictures(folder, **more), kind="images")


def test_redundancy_is_nothing_for_equal_views_of_independent_numbers_and_much_otherwise() -> None:
    torch.manual_seed(0)
    view = torch.linalg.qr(torch.randn(64, 8))[0]
    view = torch.linalg.qr(view - view.mean(0))[0]
    assert float(redundancy(view, view)) < 1e-3
    collapsed = torch.randn(64, 1).expand(64, 8)
    assert float(redundancy(collapsed, collapsed)) == pytest.approx(0.01 * 7, rel=0.01)
    assert float(redundancy(view, torch.randn(64, 8))) > 0.5
    assert torch.isfinite(redundancy(torch.zeros(64, 8), torch.zeros(64, 8)))


def test_it_gets_better_on_pictures_it_is_not_taught_and_can_be_begun_from(tmp_path: Path) -> None:
    collection = unlabelled(tmp_path / "pictures")
    made = pretrain(collection, Recipe(size=16, epochs=6))
    assert made.trained.judged < 0.9 * made.trained.start
    assert made.pictures == 96
    names = load(made.weights).keys()
    assert not any(name.startswith("fc.") for name in names)
    path = tmp_path / "made.safetensors"
    path.write_bytes(made.weights)
    network = NETWORKS["resnet20"].build(3, 16)
    assert load_into(network, NETWORKS["resnet20"], path) == ("fc.weight", "fc.bias")
    assert torch.equal(network.state_dict()["conv1.weight"], load(made.weights)["conv1.weight"])


def test_the_same_seed_gives_the_same_weights_and_the_test_part_is_not_looked_at(tmp_path: Path) -> None:
    recipe = Recipe(size=16, epochs=1, seed=3)
    one = pretrain(unlabelled(tmp_path / "a", n=64), recipe)
    assert pretrain(collect(tmp_path / "a", kind="images"), recipe).weights == one.weights
    assert pretrain(collect(tmp_path / "a", kind="images"), Recipe(size=16, epochs=1, seed=4)).weights != one.weights
    parted = collect(pictures(tmp_path / "b", n=64, test=8), kind="images")
    assert pretrain(parted, recipe).pictures == 64


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least 64"):
        pretrain(unlabelled(tmp_path / "few", n=10), Recipe())
    with pytest.raises(BadInput, match="for sound"):
        pretrain(unlabelled(tmp_path / "more", n=64), Recipe(network="dscnn"))
