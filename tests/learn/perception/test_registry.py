"""Every network of the registry is what its line says: its parameters, its kind of input, its head, its layers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tocsin.errors import BadInput
from tocsin.learn.perception.registry import NETWORKS, Entry, entry, of_kind
from tocsin.nets.reading import Reading, layers, read

SMALL = 32
SLOW_TO_MAKE = ("alexnet", "resnet101", "resnet152")
QUICK = [name for name in NETWORKS if name not in SLOW_TO_MAKE]


def given(one: Entry, n: int = 3) -> Tensor:
    """A few made examples, pictures of 32 pixels."""
    draw = torch.Generator().manual_seed(1)
    if one.kind == "images":
        return torch.randn(n, 3, SMALL, SMALL, generator=draw)
    if one.kind == "sound":
        return torch.randn(n, one.size, generator=draw) / 10
    texts = torch.randint(1, 1000, (n, 20), generator=draw)
    texts[0, 5:] = 0
    return texts


@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_as_many_parameters_as_is_said(name: str) -> None:
    one = NETWORKS[name]
    with torch.device("meta"):
        network = one.build(1000 if one.kind == "images" and one.size == 224 else 10, one.size)
    assert sum(weights.numel() for weights in network.parameters()) == one.parameters


@pytest.mark.parametrize("name", QUICK)
def test_its_head_and_every_readable_layer_can_be_read(name: str) -> None:
    one, rows = NETWORKS[name], given(NETWORKS[name])
    torch.manual_seed(0)
    network = one.build(7, one.size).eval()
    with torch.no_grad():
        logits = network(rows)
        assert logits.shape == (3, 7)
        for layer in (None, *layers(network)):
            features, said = Reading(network, layer)(rows)
            assert torch.equal(said, logits)
            assert features.ndim == 2
            assert torch.equal(features, read(network, layer, rows))
    head = network.get_submodule(network.head_name)
    assert head.weight.shape[0] == 7
    assert read(network, None, rows).shape[1] == head.weight.shape[1]


def test_several_layers_are_read_side_by_side_in_the_order_they_are_named() -> None:
    one, rows = NETWORKS["resnet20"], given(NETWORKS["resnet20"])
    torch.manual_seed(0)
    network = one.build(7, one.size).eval()
    late, early = layers(network)[-1], layers(network)[0]
    with torch.no_grad():
        both = read(network, f"{late}+{early}", rows)
        assert torch.equal(both, torch.cat([read(network, late, rows), read(network, early, rows)], dim=1))
    with pytest.raises(KeyError, match="no layer nowhere"):
        read(network, f"{late}+nowhere", rows)


def test_every_kind_has_networks_and_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert {one.kind for one in NETWORKS.values()} == {"images", "sound", "text"}
    assert all(len(of_kind(kind)) >= 2 for kind in ("images", "sound", "text"))
    with pytest.raises(BadInput, match="resnet18"):
        entry("resnet81")


def test_every_network_stands_in_its_document_with_its_size() -> None:
    page = (Path(__file__).parents[3] / "docs" / "networks.md").read_text(encoding="utf-8")
    rows = {name: float(size) for name, size in re.findall(r"^\| `(\w+)` \| ([\d.]+) M \|", page, re.MULTILINE)}
    assert rows.keys() == NETWORKS.keys()
    for name, millions in rows.items():
        assert millions == pytest.approx(NETWORKS[name].parameters / 1e6, abs=0.051), name


def test_every_published_network_tells_its_licence_its_accuracy_and_a_fingerprint() -> None:
    for one in NETWORKS.values():
        if one.pretrained is not None:
            assert one.pretrained.licence in ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause")
            assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", one.pretrained.sha256)
            assert one.pretrained.accuracy
            assert one.pretrained.sources
