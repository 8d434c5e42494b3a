"""Examples as they might also be: still examples, never the same twice, the same again for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tocsin.learn.perception import augment

PICTURES = torch.rand(16, 3, 24, 24, generator=torch.Generator().manual_seed(0))
SOUNDS = torch.randn(16, 800, generator=torch.Generator().manual_seed(0)).clamp(-1, 1) * 0.5
TEXTS = torch.randint(1, 50, (16, 30), generator=torch.Generator().manual_seed(0))
CASES = [
    *(("images", how, PICTURES) for how in ("crops", "flips", "turns")),
    ("sound", "", SOUNDS),
    ("text", "", TEXTS),
]


@pytest.mark.parametrize(("kind", "how", "given"), CASES)
def test_it_is_another_example_of_the_same_shape_and_the_seed_decides(kind: str, how: str, given: Tensor) -> None:
    change = augment.augmented(kind, how, unknown=1)
    before = given.clone()
    torch.manual_seed(5)
    once, twice = change(given), change(given)
    torch.manual_seed(5)
    again = change(given)
    assert torch.equal(before, given)
    assert once.shape == given.shape
    assert once.dtype == given.dtype
    assert torch.equal(once, again)
    assert not torch.equal(once, twice)
    assert torch.isfinite(once.float()).all()
    if kind == "images":
        assert once.min() >= 0
        assert once.max() <= 1


@pytest.mark.parametrize("given", [PICTURES, SOUNDS, TEXTS])
def test_none_leaves_all_as_it_is(given: Tensor) -> None:
    kind = {4: "images", 2: "sound"}[given.dim()] if given.is_floating_point() else "text"
    assert torch.equal(augment.augmented(kind, "none")(given), given)


def test_a_picture_is_mirrored_by_half_and_turned_by_quarters() -> None:
    torch.manual_seed(0)
    whole = torch.zeros(200, 3, 8, 8)
    whole[:, 0, :, :2] = 1.0  # a bar at the left
    seen = augment.cut(whole, flip=True, turn=False)
    left, right = seen[:, 0, :, :3].mean((1, 2)), seen[:, 0, :, -3:].mean((1, 2))
    assert 60 < int((left < right).sum()) < 140
    seen = augment.cut(whole, flip=False, turn=True)[:, 0]
    sides = torch.stack([seen[:, :, :3], seen[:, :, -3:], seen[:, :3].mT, seen[:, -3:].mT]).mean((2, 3)).argmax(0)
    assert torch.bincount(sides, minlength=4).min() > 20


def test_a_cut_keeps_at_least_half_and_makes_nothing_up() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 32).expand(64, 3, 32, 32).contiguous()
    seen = augment.cut(ramp, flip=False, turn=False)
    span = seen[:, 0, 0].max(1).values - seen[:, 0, 0].min(1).values
    assert span.min() > 0.4
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_noise_lies_well_below_the_sound() -> None:
    torch.manual_seed(0)
    loud = SOUNDS.square().mean(1).sqrt()
    added = (augment.mixed_with_others(SOUNDS, often=1.0) - SOUNDS).square().mean(1).sqrt()
    decibels = 20 * torch.log10(added / loud)
    assert decibels.max() < -13
    assert decibels.min() > -42


def test_masks_take_away_a_little_time_and_a_little_pitch() -> None:
    torch.manual_seed(0)
    seen = augment.masked(SOUNDS)
    assert (seen.square().sum() / SOUNDS.square().sum()) > 0.6
    silent = (augment.masked(SOUNDS, wide=0.0).abs() < 1e-6).float().mean(1)
    assert silent.max() < 0.15
    assert silent.max() > 0.02


def test_a_shift_moves_all_of_a_sound() -> None:
    torch.manual_seed(0)
    click = torch.zeros(50, 100)
    click[:, 50] = 1.0
    places = augment.shifted(click).argmax(1)
    assert 40 <= int(places.min()) < int(places.max()) <= 60


def test_padding_and_the_first_place_of_a_text_stay() -> None:
    torch.manual_seed(0)
    given = TEXTS.repeat(20, 1)
    given[:, 20:] = 0
    seen = augment.words_lost(given, unknown=99)
    assert (seen[:, 20:] == 0).all()
    assert torch.equal(seen[:, 0], given[:, 0])
    assert 0.03 < (seen[:, 1:20] == 99).float().mean() < 0.08


@pytest.mark.parametrize("change", [augment.louder, augment.shifted, augment.masked])
def test_silence_stays_silence(change: Callable[[Tensor], Tensor]) -> None:
    assert torch.allclose(change(torch.zeros(3, 64)), torch.zeros(3, 64))
