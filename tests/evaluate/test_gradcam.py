"""Grad-CAM from the shipped graph: the gradients a framework computes, and the place that decides."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tocsin.errors import BadInput, Damaged
from tocsin.evaluate.gradcam import GradCam
from tocsin.evaluate.saliency import hidden_in_picture


class Shipped(nn.Module):
    """Pictures as they are given, normalised inside, as a shipped graph has it."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, given: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(given.float().permute(0, 3, 1, 2) / 255 - 0.5))
        return out


def graph(network: nn.Module, given: Tensor) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (given,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=17,
            input_names=["given"],
            output_names=["logits"],
            dynamic_axes={"given": {0: "n"}, "logits": {0: "n"}},
        )
    return file.getvalue()


def pooled() -> Shipped:
    body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU())
    return Shipped(body, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)))


def dense() -> Shipped:
    """As AlexNet: every place of the last map has weights of its own, with a bend behind."""
    body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU())
    return Shipped(body, nn.Sequential(nn.Flatten(), nn.Linear(12 * 49, 20), nn.ReLU(), nn.Linear(20, 4)))


def squeezed() -> Shipped:
    """As SqueezeNet: the classes are channels of the last map."""
    return Shipped(
        nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


class Padding(nn.Module):
    """Computes in the graph how much it pads, as networks made for TensorFlow's rule do; sizes are then not written in it."""

    def forward(self, x: Tensor) -> Tensor:
        more = x.shape[-1] % 2 + 1
        return nn.functional.pad(x, (more, more, more, more))


def padded() -> Shipped:
    body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), Padding(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU())
    return Shipped(body, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)))


def by_autograd(network: Shipped, given: Tensor, wanted: int) -> np.ndarray:
    channels = network.body(given.float().permute(0, 3, 1, 2) / 255 - 0.5).detach().requires_grad_()
    logits = network.head(channels)[0]
    others = torch.cat([logits[:wanted], logits[wanted + 1 :]])
    (logits[wanted] - torch.logsumexp(others, 0)).backward()
    assert channels.grad is not None
    weight = channels.grad.mean(dim=(2, 3), keepdim=True)
    out: np.ndarray = torch.relu((weight * channels).sum(dim=1))[0].detach().double().numpy()
    return out


@pytest.mark.parametrize(("make", "within"), [(pooled, 1e-3), (padded, 1e-3), (squeezed, 1e-3), (dense, 0.05)])
def test_the_gradients_are_those_of_the_framework(make: object, within: float) -> None:
    torch.manual_seed(0)
    network = make()  # type: ignore[operator]
    given = torch.randint(0, 255, (2, 32, 32, 3), dtype=torch.uint8)
    camera = GradCam(graph(network, given))
    for wanted in range(4):
        found = camera(given[0].numpy(), wanted).values
        true = by_autograd(network, given[:1], wanted)
        assert found.shape == true.shape == camera.shape
        assert np.abs(found - true).max() <= within * max(float(true.max()), 1e-6)
    assert max(camera(given[0].numpy(), k).values.max() for k in range(4)) > 0


class Several(nn.Module):
    """Two layers read side by side, each pooled, and one weighted sum on both."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 12, 3, stride=2), nn.ReLU())
        self.head = nn.Linear(20, 4)

    def on(self, first: Tensor, second: Tensor) -> Tensor:
        out: Tensor = self.head(torch.cat([first.flatten(2).mean(2), second.flatten(2).mean(2)], dim=1))
        return out

    def forward(self, given: Tensor) -> Tensor:
        first = self.first(given.float().permute(0, 3, 1, 2) / 255 - 0.5)
        return self.on(first, self.second(first))


def test_of_several_layers_the_last_is_asked_and_the_others_are_held() -> None:
    torch.manual_seed(0)
    network = Several()
    given = torch.randint(0, 255, (2, 32, 32, 3), dtype=torch.uint8)
    camera = GradCam(graph(network, given))  # type: ignore[arg-type]
    first = network.first(given[:1].float().permute(0, 3, 1, 2) / 255 - 0.5).detach()
    second = network.second(first).detach().requires_grad_()
    logits = network.on(first, second)[0]
    (logits[1] - torch.logsumexp(logits[[0, 2, 3]], 0)).backward()
    assert second.grad is not None
    true = torch.relu((second.grad.mean(dim=(2, 3), keepdim=True) * second).sum(dim=1))[0].detach().numpy()
    found = camera(given[0].numpy(), 1).values
    assert found.shape == true.shape == camera.shape
    assert np.abs(found - true).max() <= 1e-3 * float(true.max())


def pictures(rng: np.random.Generator, n: int) -> np.ndarray:
    out: np.ndarray = rng.integers(60, 120, (n, 48, 48, 3)).astype(np.uint8)
    return out


@pytest.fixture(scope="module")
def reddish() -> Shipped:
    """A network taught that a red patch anywhere makes class 1."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, rng = pooled(), np.random.default_rng(0)
    given = pictures(rng, 64)
    for one in given[:32]:
        row, column = rng.integers(0, 36, 2)
        one[row : row + 12, column : column + 12] = (250, 20, 20)
    label = torch.repeat_interleave(torch.tensor([1, 0]), 32)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-2)
    for _ in range(60):
        loss = nn.functional.cross_entropy(network(torch.from_numpy(given)), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.2
    return network.eval()


@pytest.mark.parametrize("at", [(3, 3), (24, 16), (33, 34)])
def test_a_patch_that_decides_is_where_it_looked_and_hiding_says_the_same(
    at: tuple[int, int], reddish: Shipped
) -> None:
    example = pictures(np.random.default_rng(1), 1)[0]
    row, column = at
    example[row : row + 12, column : column + 12] = (250, 20, 20)
    centre = np.array([row + 6, column + 6])
    found = GradCam(graph(reddish, torch.from_numpy(example[None])))(example, 1).values
    places = (np.indices(found.shape).reshape(2, -1).T + 0.5) * 48 / np.array(found.shape)
    near = (np.abs(places - centre) <= 10).all(axis=1)
    assert found.ravel()[near].sum() > 0.8 * found.sum() > 0

    def score(given: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out: np.ndarray = torch.softmax(reddish(torch.from_numpy(given)).double(), dim=1).numpy()
        return out

    hidden = hidden_in_picture(score, example, 1).values
    best = (np.array(np.unravel_index(hidden.argmax(), hidden.shape)) + 0.5) * 6
    assert np.abs(best - centre).max() <= 9


def test_where_there_is_no_map_it_says_so() -> None:
    flat = Shipped(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    given = torch.zeros((2, 16, 16, 3), dtype=torch.uint8)
    with pytest.raises(BadInput, match="convolutional"):
        GradCam(graph(flat, given))
    with pytest.raises(BadInput, match="needs a network that gives features"):
        GradCam(graph(flat, given), output="features")
    with pytest.raises(Damaged, match="onnx cannot read it"):
        GradCam(b"no graph")
