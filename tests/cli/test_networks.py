"""`tocsin networks`: every network in one table; weights are fetched, and what cannot be had is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tocsin.artifact.classes import read_classes_card
from tocsin.cli.main import group
from tocsin.errors import BadInput, NotReady
from tocsin.learn.perception.registry import NETWORKS


def run(*words: str, fails: type[Exception] | None = None) -> str:
    result = CliRunner().invoke(group, ["networks", *words], catch_exceptions=True)
    if fails is None:
        assert result.exit_code == 0, result.output
    else:
        assert isinstance(result.exception, fails), result.output
    return result.output


def test_every_network_stands_in_the_table_with_what_is_known_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOCSIN_WEIGHTS", str(tmp_path))
    shown = run()
    for one in NETWORKS.values():
        row = next(line for line in shown.splitlines() if line.startswith(f"{one.name} "))
        if one.pretrained is None:
            assert "learned from nothing" in row
        else:
            assert one.pretrained.licence in row
            assert row.rstrip().endswith("no")
    assert str(tmp_path) in shown
    only = run("--kind", "sound")
    assert "dscnn" in only
    assert "resnet18" not in only


def test_weights_that_are_here_are_seen_and_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "mobilenet_v2-b0353104.pth").write_bytes(b"here")
    row = next(line for line in run("--weights", str(tmp_path)).splitlines() if line.startswith("mobilenet_v2"))
    assert row.rstrip().endswith("yes")
    assert str(tmp_path / "mobilenet_v2-b0353104.pth") in run("get", "mobilenet_v2", "--to", str(tmp_path))


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run("get", "mobilenet", fails=BadInput)
    run("get", "resnet20", fails=BadInput)
    monkeypatch.setattr("tocsin.learn.perception.weights.download", _nowhere)
    monkeypatch.setattr("tocsin.learn.perception.weights.files_of", _nowhere)
    run("get", "mobilenet_v2", "--to", str(tmp_path / "new"), fails=NotReady)
    named = run("get", "all", "--to", str(tmp_path / "new"), fails=NotReady)
    assert all(f"{name}: " in named for name, one in NETWORKS.items() if one.pretrained)


def _nowhere(source: object, *_more: object, **_others: object) -> Path:
    """A machine without a network."""
    raise NotReady(f"{source} must be reachable; it is not.")


def test_one_of_ones_own_is_loaded_from_where_it_lies(tmp_path: Path) -> None:
    """A file of PyTorch's with the network's names, as torchvision's users have them."""
    from tocsin.learn.perception.weights import load_into

    one = NETWORKS["resnet18"]
    network = one.build(3, 64)
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    assert load_into(one.build(3, 64), one, tmp_path / "mine.pth") == ()


def test_what_pictures_taught_without_labels_is_begun_from(tmp_path: Path) -> None:
    """Two commands: look at all of them, then learn from the few that have labels."""
    draw = np.random.default_rng(0)
    for place in range(72):
        folder = tmp_path / "tiles" / ("red" if place % 2 else "blue")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 90, (16, 16, 3), dtype=np.uint8)
        pixels[..., 0 if place % 2 else 2] += 120
        Image.fromarray(pixels).save(folder / f"{place}.png")
    weights = tmp_path / "tiles.safetensors"
    more = ("--epochs", "1", "--size", "16")
    said = run("pretrain", str(tmp_path / "tiles"), "--out", str(weights), *more)
    assert "72 pictures" in said
    run("pretrain", str(tmp_path / "tiles"), "--out", str(tmp_path / "tiles.pth"), fails=BadInput)
    words = [
        "learn",
        str(tmp_path / "tiles"),
        "--way",
        "extract",
        "--into",
        "logistic",
        "--network",
        "resnet20",
        "--size",
        "16",
    ]
    words += ["--weights", str(weights), "--out", str(tmp_path / "model"), "--no-report"]
    result = CliRunner().invoke(group, words, env={"TOCSIN_CACHE": str(tmp_path / "cache")})
    assert result.exit_code == 0, (result.output, result.exception)
    card = read_classes_card(tmp_path / "model")
    assert (card.way, card.network) == ("extract", "resnet20")
