"""Surprise: low where the account does what it always does, high where it does something else, from the past alone."""

from __future__ import annotations

import torch

from tocsin.nets.parts import unpack
from tocsin.nets.surprise import NextPayment


def token(kind: int, gap: int, hour: int, amount: int) -> int:
    return kind + 4096 * (gap + 32 * (hour + 32 * amount))


def test_a_token_unpacks_to_what_was_packed() -> None:
    packed = torch.tensor([[token(4095, 31, 23, 31), token(0, 0, 0, 0), token(7, 5, 11, 3)]])
    parts = [part.tolist()[0] for part in unpack(packed)]
    assert parts == [[4095, 0, 7], [31, 0, 5], [23, 0, 11], [31, 0, 3]]


def test_surprise_is_learned_without_labels_and_tells_a_broken_habit() -> None:
    torch.manual_seed(0)
    habit = torch.tensor([token(7 + i % 2, 20, 9 + i % 2, 12) for i in range(17)]).repeat(256, 1)
    watcher = NextPayment(wide=16)
    watcher.fit_kinds(habit.flatten())
    steps = torch.optim.Adam(watcher.parameters(), lr=0.02)
    first = watcher.loss(habit).item()
    for _ in range(60):
        steps.zero_grad()
        loss = watcher.loss(habit)
        loss.backward()
        steps.step()
    watcher.eval()
    broken = habit[:1].clone()
    broken[0, -1] = token(8, 3, 2, 25)
    assert loss.item() < first / 5
    usual, unusual = watcher(habit[:1])[0], watcher(broken)[0]
    assert unusual[0] > usual[0] + 3
    assert usual[0] < unusual[2] < unusual[1] < unusual[0]  # the mean over more payments hides one of them


def test_runs_count_only_payments_that_are_there_and_the_first_of_all_surprises_nobody() -> None:
    torch.manual_seed(1)
    watcher = NextPayment(wide=8).eval()
    first = torch.zeros(1, 9, dtype=torch.int64)
    first[0, -1] = token(5, 0, 10, 10)  # no payment before it
    assert watcher(first).tolist() == [[0.0, 0.0, 0.0]]
    second = torch.zeros(1, 9, dtype=torch.int64)
    second[0, -2], second[0, -1] = token(5, 0, 10, 10), token(5, 8, 10, 10)
    now, three, eight = watcher(second)[0].tolist()
    assert now > 0
    assert now == three == eight


def test_kinds_that_were_not_among_the_frequent_are_one_kind() -> None:
    torch.manual_seed(2)
    watcher = NextPayment(wide=8).eval()
    watcher.fit_kinds(torch.tensor([token(5, 1, 1, 1)] * 3))
    assert int(watcher.named[5]) == 1
    assert int(watcher.named[99]) in range(64)
    assert int((watcher.named > 0).sum()) == 63
