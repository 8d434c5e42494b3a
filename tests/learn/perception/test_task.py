"""Telling classes apart as a task of the loop."""

import numpy as np
import torch
from torch import nn

from tocsin.learn.perception.prepared import Prepared
from tocsin.learn.perception.shipped import Front
from tocsin.learn.perception.task import TellApart


class Loud(nn.Module):
    """Says the given numbers as logits, so many times louder."""

    head_name = "by"

    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = nn.Parameter(torch.tensor(times))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given * self.times


@torch.no_grad()
def judged(times: float, given: np.ndarray, label: np.ndarray) -> float:
    examples = Prepared(given.astype(np.float32), label)
    return TellApart(Loud(times), Front(), examples, examples, lambda x: x, "").judge()


def test_how_sure_a_network_is_of_itself_does_not_count_when_phases_are_compared():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 200)
    given = rng.normal(0, 1, (200, 3)) + 1.5 * np.eye(3)[label]
    assert np.isclose(judged(1.0, given, label), judged(40.0, given, label), rtol=1e-3)
    worse = given + rng.normal(0, 1, given.shape)
    assert judged(1.0, worse, label) > judged(40.0, given, label) + 0.05


def test_logits_that_are_no_numbers_are_no_loss():
    given = np.full((4, 2), np.nan)
    assert np.isnan(judged(1.0, given, np.array([0, 1, 0, 1])))


def test_texts_looked_at_by_length_say_what_they_say_alone():
    from tocsin.learn.perception.registry import entry

    torch.manual_seed(0)
    network = entry("transformer").build(3, 24, 50).eval()
    given = np.random.default_rng(0).integers(1, 50, (21, 24))
    for row, words in enumerate(np.random.default_rng(1).integers(1, 25, 21)):
        given[row, words:] = 0
    label = np.arange(21) % 3
    examples = Prepared(given, label)
    task = TellApart(network, Front(), examples, examples, lambda x: x, "")
    with torch.no_grad():
        alone = torch.cat([network(torch.from_numpy(given[i : i + 1])) for i in range(21)])
        wanted = nn.functional.cross_entropy(alone, torch.from_numpy(label))
        assert torch.allclose(task.loss(torch.arange(21)), wanted, atol=1e-5)


def test_running_averages_stay_while_their_weights_learn():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    given = np.random.default_rng(0).integers(0, 255, (8, 12, 12, 3), dtype=np.uint8)
    examples = Prepared(given, np.arange(8) % 2)
    front = Front((0.5,) * 3, (0.5,) * 3)
    for stay in (False, True):
        before = network[1].running_mean.clone()
        network.train()
        task = TellApart(network, front, examples, examples, lambda x: x, "", averages_stay=stay)
        torch.autograd.backward(task.loss(torch.arange(8)))
        assert torch.equal(before, network[1].running_mean) == stay
        assert network[1].weight.grad is not None
