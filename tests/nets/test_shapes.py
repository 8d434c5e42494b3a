"""Every network says the shapes of its tensors with named axes, and tests hold every call to them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

import tocsin.nets
from tocsin.nets.autoencoder import Autoencoder
from tocsin.nets.images import ResNet
from tocsin.nets.layered import Layered, either
from tocsin.nets.parts import Numbers
from tocsin.nets.sound import DSCNN
from tocsin.nets.surprise import NextPayment
from tocsin.nets.text import KimCNN

SOURCES = sorted(Path(tocsin.nets.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_what_is_given_to_a_network_and_what_it_gives_has_axes(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and (node.name == "forward" or not node.name.startswith("_")):
            said = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)] + [node.returns]
            for annotation in filter(None, said):
                plain = [n for n in ast.walk(annotation) if isinstance(n, ast.Name) and n.id == "Tensor"]
                axes = [
                    n
                    for n in ast.walk(annotation)
                    if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Tuple) and "Tensor" in ast.dump(n.slice)
                ]
                assert not plain or axes, f"{path.name}: {node.name} names no axes"


@pytest.mark.parametrize(
    ("network", "given"),
    [
        (Layered((2, 3)), (torch.zeros(4, 3), torch.zeros(5, 2), torch.zeros(4, 1, dtype=torch.int64))),
        (Layered((2, 3)), (torch.zeros(4, 3), torch.zeros(4, 2), torch.zeros(4, 1))),
        (Numbers(3), (torch.zeros(4),)),
        (NextPayment(), (torch.zeros(2, 3, 4, dtype=torch.int64),)),
        (Autoencoder(3), (torch.zeros(2, 3, dtype=torch.int64),)),
        (ResNet(18), (torch.zeros(2, 1, 32, 32),)),
        (DSCNN(), (torch.zeros(2, 1, 16000),)),
        (KimCNN(), (torch.zeros(2, 9),)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else "",
)
def test_a_call_with_another_shape_is_refused(network: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
    with pytest.raises(TypeCheckError):
        network.eval()(*given)


def test_two_arguments_that_share_an_axis_must_agree() -> None:
    assert either(torch.zeros(3), torch.zeros(3)).shape == (3,)
    with pytest.raises(TypeCheckError):
        either(torch.zeros(3), torch.zeros(4))
