"""The layered network: the trees at the start, exits that are honest when a stage is missing, the past before the event."""

from __future__ import annotations

import pytest
import torch

from tocsin.nets.layered import Layered, LayeredSettings, either

ENDS, CODES, HISTORY, STAGES = (3, 7, 9), (2, 8), 8, 3


def made(n: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows with gaps, codes and tokens, margins of trees, and windows."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, ENDS[-1], generator=draw) * 100
    rows[torch.rand(n, ENDS[-1], generator=draw) < 0.2] = torch.nan
    for column in CODES:
        rows[:, column] = torch.randint(0, 50, (n,), generator=draw).float()
    margins = torch.randn(n, STAGES, generator=draw)
    history = torch.randint(0, 2**27, (n, HISTORY + 1), generator=draw)
    return rows, margins, history


def taught(settings: LayeredSettings | None = None) -> Layered:
    """A network whose exits say something: as after training."""
    torch.manual_seed(3)
    net = Layered(ENDS, CODES, HISTORY, settings)
    net.fit_scale(made(512, 1)[0])
    with torch.no_grad():
        for stage in net.stages:
            stage.exit.weight.normal_()
            stage.exit.bias.normal_()
        net.past_exit.weight.normal_(std=10)
        net.past_exit.bias.fill_(5)
    return net.eval()


def test_the_untrained_network_is_the_trees() -> None:
    rows, margins, history = made()
    net = Layered(ENDS, CODES, HISTORY).eval()
    net.fit_scale(rows)
    assert torch.equal(net(rows, margins, history), margins)


def test_every_stage_sees_only_its_own_columns_and_those_before() -> None:
    rows, margins, history = made()
    net = taught()
    whole = net(rows, margins, history)
    for stage, end in enumerate(ENDS[:-1]):
        other = rows.clone()
        other[:, end:] = torch.randn_like(other[:, end:])
        assert torch.equal(net(other, margins, history)[:, : stage + 1], whole[:, : stage + 1])
        assert not torch.equal(net(other, margins, history)[:, stage + 1 :], whole[:, stage + 1 :])


def test_a_missing_stage_and_codes_never_seen_give_finite_exits_that_do_not_depend_on_them() -> None:
    rows, margins, history = made()
    net = taught()
    lost = rows.clone()
    lost[:, 3:7] = torch.nan
    assert torch.isfinite(net(lost, margins, history)).all()
    one, other = rows.clone(), rows.clone()
    one[:, 8], other[:, 8] = 901, 902  # neither was there in training
    assert torch.equal(net(one, margins, history), net(other, margins, history))
    assert torch.isfinite(net(torch.full_like(rows, 1e30), margins, history)).all()


def test_the_last_exit_alone_reads_the_past_and_reads_its_order() -> None:
    rows, margins, history = made()
    net = taught()
    turned = history.clone()
    turned[:, :HISTORY] = history[:, :HISTORY].flip(1)
    here, there = net(rows, margins, history), net(rows, margins, turned)
    assert torch.equal(here[:, :-1], there[:, :-1])
    assert not torch.allclose(here[:, -1], there[:, -1])


def test_a_narrow_history_does_not_read_amounts() -> None:
    rows, margins, history = made()
    dearer = history + 4096 * 32 * 32  # one more half-octave of amount in every token
    assert torch.equal(taught()(rows, margins, history), taught()(rows, margins, dearer))
    wide = LayeredSettings(past_reads=("kind", "gap", "hour", "amount"))
    assert not torch.equal(taught(wide)(rows, margins, history), taught(wide)(rows, margins, dearer))


def test_what_is_forgotten_in_training_is_drawn_anew_and_never_when_scoring() -> None:
    rows, margins, history = made()
    net = taught(LayeredSettings(dropout=0.0, forget_stage=0.5))
    assert torch.equal(net(rows, margins, history), net(rows, margins, history))
    net.train()
    assert not torch.equal(net(rows, margins, history), net(rows, margins, history))


def test_the_past_raises_a_score_as_one_or_the_other_would_and_silence_changes_nothing() -> None:
    margin = torch.tensor([-9.0, -9.0, -9.0, 2.0, 12.0, -40.0])
    heard = torch.tensor([0.0, 7.0, 12.0, 7.0, 7.0, 0.0])
    p, q, silent = torch.sigmoid(margin.double()), torch.sigmoid(heard.double() - 7), torch.sigmoid(torch.tensor(-7.0))
    expected = torch.logit(1 - (1 - p) * (1 - q)) - torch.logit(1 - (1 - p) * (1 - silent.double())) + margin
    assert torch.allclose(either(margin, heard).double(), expected, atol=1e-5)
    assert torch.equal(either(margin, torch.zeros(6)), margin)


@pytest.mark.parametrize("from_stage", [0, 1, 2, 3])
def test_stages_before_the_first_of_the_network_stay_the_trees(from_stage: int) -> None:
    rows, margins, history = made()
    exits = taught(LayeredSettings(from_stage=from_stage))(rows, margins, history)
    same = (exits == margins).all(0)
    assert same.tolist() == [s < from_stage and s < STAGES - 1 for s in range(STAGES)]


def test_every_parameter_that_matters_gets_a_gradient() -> None:
    rows, margins, history = made()
    net = taught().train()
    net(rows, margins, history).square().mean().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_without_history_and_without_codes_it_still_is_a_network() -> None:
    rows, margins, _ = made()
    net = Layered((3, 9), (), 0).eval()
    net.fit_scale(rows)
    assert net(rows, margins[:, :2], torch.zeros(64, 1, dtype=torch.int64)).shape == (64, 2)
