"""What is hidden is not seen, what is missing does not count, and the score is the mean error against the usual one."""

from __future__ import annotations

import pytest
import torch

from tocsin.nets.autoencoder import MISSING, Autoencoder


@pytest.fixture
def network() -> Autoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = Autoencoder(7, hands=3, deals=4, wide=16).eval()
        rows = torch.randn(500, 7) * torch.tensor([1.0, 100, 1e6, 1, 1e-3, 1, 1]) + 5
    made.fit_scale(rows)
    made.fit_usual(rows)
    return made


def test_every_column_is_in_one_hand_of_each_deal() -> None:
    for columns, hands, deals in ((7, 3, 8), (2, 3, 2), (1, 3, 2), (79, 4, 6)):
        hidden = Autoencoder(columns, hands=hands, deals=deals).hidden
        assert hidden.shape == (hands * deals, columns)
        seen = (~hidden).view(deals, hands, columns).sum(1)
        assert (seen == 1).all()


def test_the_deal_is_the_same_every_time_and_differs_from_deal_to_deal() -> None:
    first, second = Autoencoder(9).hidden, Autoencoder(9).hidden
    assert torch.equal(first, second)
    assert len(torch.unique(first.to(torch.int64), dim=0)) > 12


def test_scale_leaves_out_what_is_missing() -> None:
    network = Autoencoder(3)
    rows = torch.tensor([[1.0, MISSING, 4], [3.0, MISSING, 4], [MISSING, MISSING, 4]])
    network.fit_scale(rows)
    assert network.mean.tolist() == [2.0, 0.0, 4.0]
    assert network.spread.tolist() == [1.0, 1.0, 1.0]


def test_an_ordinary_payment_has_one_half_in_log_odds_nothing(network: Autoencoder) -> None:
    rows = torch.randn(4000, 7, generator=torch.Generator().manual_seed(1)) * network.spread + network.mean
    with torch.no_grad():
        score = network(rows)[:, 0].double()
    assert torch.exp(torch.logit(score)).mean() == pytest.approx(1.0, abs=0.1)


def test_a_row_of_which_nothing_is_known_is_ordinary(network: Autoencoder) -> None:
    with torch.no_grad():
        assert network(torch.full((2, 7), MISSING)).tolist() == [[0.5], [0.5]]


def test_what_is_missing_is_neither_seen_nor_counted(network: Autoencoder) -> None:
    """The score of a row without a column is made by hand from the hands that are left."""
    row = torch.randn(1, 7, generator=torch.Generator().manual_seed(2)) * network.spread + network.mean
    row[0, 2] = MISSING
    z = ((row - network.mean) / network.spread)[0]
    z[2] = 0.0
    errors = []
    with torch.no_grad():
        for hidden, usual in zip(network.hidden, network.usual, strict=True):
            seen = (~hidden).float()
            seen[2] = 0.0
            guess = network.rest(network.values(z * seen) + network.gaps(1 - seen))
            errors += [float((guess[c] - z[c]) ** 2 / usual[c]) for c in range(7) if hidden[c] and c != 2]
        mean = (sum(errors) + 1) / (len(errors) + 1)
        assert float(network(row)) == pytest.approx(mean / (1 + mean), rel=1e-5)


def test_a_strange_value_in_one_column_raises_the_score_and_the_farthest_stays_finite(network: Autoencoder) -> None:
    rows = network.mean.repeat(4, 1)
    rows[1, 1], rows[2, 1], rows[3, 1] = 205.0, 405.0, 3e38
    with torch.no_grad():
        score = network(rows)[:, 0]
    assert (score[1:] > score[:-1]).all()
    assert (score < 1).all()


def test_the_loss_teaches_it_to_restore_one_column_from_its_twin() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Autoencoder(4, hands=2, deals=2, wide=32)
        base = torch.randn(512, 2)
        rows = torch.cat([base, base], dim=1)
        network.fit_scale(rows)
        first = network.judge(rows).item()
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        for _ in range(200):
            optimizer.zero_grad()
            network.loss(rows).backward()
            optimizer.step()
        assert network.judge(rows).item() < 0.6 * first
