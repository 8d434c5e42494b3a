"""The networks for pictures are those that are published: the same names, the same numbers for the same weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from scenes.torchvision_said import NAMES, filled, names_of, picture, said
from tocsin.learn.perception.registry import NETWORKS
from tocsin.nets.images import AlexNet, Averages, Pool, SmallResNet
from tocsin.nets.mobile import LITE0, SameConv2d

# Made by torchvision_said.py with torchvision 0.28.0: a fingerprint of names and shapes; logits 0, 100, 200, 300 of two pictures.
PUBLISHED: dict[str, tuple[str, list[float]]] = {
    "alexnet": (
        "fb0abbb9658286c1",
        [1.377832, 2.141163, -0.785467, -2.337801, 1.377833, 2.141163, -0.785467, -2.337801],
    ),
    "googlenet": (
        "c4e5f8d22277cc5b",
        [-0.871205, 0.164513, 0.549323, -0.799937, -0.871206, 0.164513, 0.549323, -0.799937],
    ),
    "resnet18": (
        "9682c6fd405d8d70",
        [-1.114957, -2.440782, -1.592452, 0.683749, -1.115346, -2.441236, -1.592578, 0.684058],
    ),
    "resnet34": (
        "b5362b8c319971db",
        [-2.135086, -4.580878, -3.11453, 0.97979, -2.134621, -4.578419, -3.112198, 0.979982],
    ),
    "resnet50": (
        "f398fe5f16a958c8",
        [-6.115917, 6.937464, -4.590156, -0.277973, -6.123178, 6.944038, -4.592756, -0.280647],
    ),
    "resnet101": (
        "08d49ebbdc97fd5e",
        [-8.198142, 8.843558, -5.127661, -1.322469, -8.201957, 8.846872, -5.128816, -1.324049],
    ),
    "resnet152": (
        "e0308459e9c0dd33",
        [-9.391225, 9.804299, -4.981495, -2.002452, -9.391201, 9.804266, -4.981467, -2.00246],
    ),
    "squeezenet1_1": ("9cf34f8e4ebfddab", [0.0, 0.0, 0.5898, 0.871984, 0.0, 0.0, 0.5898, 0.871984]),
    "mobilenet_v2": (
        "1c18ba5f335c2735",
        [0.302139, 1.747048, 2.282383, 1.648697, 0.302139, 1.747049, 2.282383, 1.648697],
    ),
}
HEAVY = ("alexnet", "resnet101", "resnet152")
IMAGES = [name for name, one in NETWORKS.items() if one.kind == "images"]


def built(name: str, classes: int = 1000) -> nn.Module:
    return NETWORKS[name].build(classes, NETWORKS[name].size)


@pytest.mark.parametrize("name", PUBLISHED)
def test_its_weights_have_the_published_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        assert names_of(built(name)) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in HEAVY else ()) for n in PUBLISHED])
def test_it_says_of_the_same_weights_what_torchvisions_says(name: str) -> None:
    got = said(built(name))["logits"]
    assert got == pytest.approx(PUBLISHED[name][1], rel=2e-3, abs=2e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_is_torchvisions_to_the_last_digit(tmp_path: Path) -> None:
    """Against the real one, put into a folder of its own: never into the environment."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path / "tv"),
        "torchvision==0.28.0",
    ]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have a registry of packages: {installed.stderr}")
        pytest.skip("no registry of packages here")
    script = Path(__file__).parent.parent / "scenes" / "torchvision_said.py"
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "tv")], capture_output=True, text=True, check=True
    )
    theirs = json.loads(run.stdout)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in NAMES:
            assert said(built(name)) == theirs[name], name
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in ("alexnet", "resnet101") else ()) for n in IMAGES]
)
def test_a_step_of_training_on_pictures_of_32_pixels_changes_every_weight(name: str) -> None:
    """152 layers, too. Where an exit is cut off by a ReLU at the start, some weights may rest; none may be beyond reach."""
    torch.manual_seed(0)
    network = built(name, 3).train()
    pictures, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    loss = nn.functional.cross_entropy(network(pictures), labels)
    torch.autograd.backward(loss)
    untouched = [
        n for n, values in network.named_parameters() if values.grad is None or not torch.isfinite(values.grad).all()
    ]
    assert untouched == []
    largest = [float(values.grad.abs().max()) for values in network.parameters() if values.grad is not None]
    assert sum(grad > 0 for grad in largest) > 0.8 * len(largest)
    with torch.no_grad():
        assert network.eval()(pictures[:1]).shape == (1, 3)


@pytest.mark.parametrize("size", [47, 65])
@torch.no_grad()
def test_odd_sizes_pass(size: int) -> None:
    for name in ("googlenet", "squeezenet1_1", "mobilenet_v2", "efficientnet_lite0", "alexnet_trunk", "resnet18"):
        assert built(name, 2).eval()(torch.zeros(1, 3, size, size)).shape == (1, 2)


def test_a_small_network_learns_to_tell_stripes() -> None:
    """Upright from lying stripes: something only a network that looks at places can learn."""
    torch.manual_seed(1)
    lines = torch.sin(torch.arange(16) * 0.8 + 6 * torch.rand(128, 1))
    pictures = torch.cat(
        [lines[:64, None, :, None].expand(64, 3, 16, 16), lines[64:, None, None].expand(64, 3, 16, 16)]
    )
    pictures, labels = pictures + 0.5 * torch.randn_like(pictures), torch.arange(128) // 64
    network = SmallResNet(2, blocks=1, wide=8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    train = torch.cat([torch.arange(0, 48), torch.arange(64, 112)])
    for _ in range(20):
        for rows in train[torch.randperm(96)].split(32):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(network(pictures[rows]), labels[rows]))
            optimizer.step()
    held = torch.cat([torch.arange(48, 64), torch.arange(112, 128)])
    with torch.no_grad():
        assert (network.eval()(pictures[held]).argmax(1) == labels[held]).float().mean() > 0.9


@pytest.mark.parametrize("shape", [(6, 6), (1, 1), (2, 3), (7, 13), (12, 6)])
def test_averages_are_torchs_adaptive_ones(shape: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *shape)
    assert torch.allclose(Averages(6)(x), nn.AdaptiveAvgPool2d(6)(x), atol=1e-6)


def test_a_pooling_leaves_what_is_smaller_than_its_window() -> None:
    x = torch.randn(1, 2, 2, 2)
    assert torch.equal(Pool(3, 2)(x), x)
    assert Pool(3, 2)(torch.randn(1, 2, 3, 3)).shape == (1, 2, 1, 1)


def test_padding_as_tensorflow_has_it() -> None:
    """Of an even picture and stride 2, the far side alone is padded."""
    convolution = SameConv2d(1, 1, 3, 2, bias=False)
    nn.init.ones_(convolution.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert convolution(x)[0, 0].tolist() == [[45.0, 39.0], [66.0, 50.0]]


def test_lite0_leaves_out_more_of_its_later_blocks_and_only_in_training() -> None:
    network = filled(built("efficientnet_lite0", 4))
    blocks = network.get_submodule("_blocks")
    shares = [block.left_out for block in blocks]
    assert shares == sorted(shares)
    assert len(shares) == sum(row[2] for row in LITE0) == 16
    x = picture(32)
    with torch.no_grad():
        assert torch.equal(network(x), network(x))
        network.train()
        torch.manual_seed(1)
        assert not torch.equal(network(x), network(x))


def test_alexnet_is_the_one_of_2014() -> None:
    with torch.device("meta"):
        network = built("alexnet")
    assert isinstance(network, AlexNet)
    assert sum(values.numel() for values in network.features.parameters()) == 2_469_696
