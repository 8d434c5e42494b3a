"""The members as one network say what the members say, whatever their shape."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tocsin.nets import LayeredSettings, Members, layered
from tocsin.nets.fused import Fused


def rows(n: int = 200) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(n, 7, generator=draw)
    values[:, [2, 5, 6]] = torch.randint(0, 1022, (n, 3), generator=draw).float()
    values[torch.rand(n, 7, generator=draw) < 0.2] = torch.nan
    return values, torch.randn(n, 3, generator=draw) * 3, torch.randint(0, 2**27, (n, 12), generator=draw)


def trained(**settings: object) -> Members:
    torch.manual_seed(0)
    network = layered((2, 4, 7), (2, 5, 6), 11, LayeredSettings(wide=8, inner=12, **settings))  # type: ignore[arg-type]
    network.fit_scale(rows(50)[0])
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "exit" in name or "trust" in name:
                nn.init.normal_(weight)
            elif weight.dim() == 1:
                weight += torch.randn_like(weight) / 4
    return network.eval()


@pytest.mark.parametrize(
    "settings",
    [{}, {"members": 1}, {"members": 3, "waves": 3}, {"join": "add"}, {"past": 0}, {"from_stage": 2}, {"trees": False}],
    ids=str,
)
def test_fused_is_the_mean_of_the_members(settings: dict[str, object]) -> None:
    network = trained(**settings)
    with torch.no_grad():
        wanted, made = network(*rows()), Fused(network).eval()(*rows())
    assert wanted.shape == made.shape
    assert (wanted - made).abs().max() < 2e-5
    with torch.no_grad():
        each = network.each(*rows())
    assert len(each) == 1 or (each[0] - each[1]).abs().max() > 0.1, "members that agree would prove nothing"


def test_untrained_it_is_what_it_was_given_to_the_bit() -> None:
    network = layered((2, 4, 7), (2, 5, 6), 11).eval()
    with torch.no_grad():
        assert torch.equal(Fused(network)(*rows()), rows()[1])
