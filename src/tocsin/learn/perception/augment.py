"""Examples as they might also have been: another cut of a picture, another moment of a sound, a text with a word less.

Everything random comes from PyTorch's default generator, so that a training that goes on sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

Augmented = Callable[[Tensor], Tensor]
"""What a batch becomes: float32[n, 3, h, w] in [0, 1], float32[n, samples], or int64[n, length]; the same shape."""

SMALLEST = 0.5
"""A picture's cut keeps at least this share of its area."""
STRETCH = 4 / 3


def augmented(kind: str, how: str = "", unknown: int = 0) -> Augmented:
    """What is done to a batch of a kind.

    Parameters
    ----------
    how : of pictures ``none``, ``crops``, ``flips`` or ``turns``; ``none`` of any kind leaves all as it is.
    unknown : of texts, the number that stands in a lost word's place.
    """
    if how == "none":
        return lambda given: given
    if kind == "images":
        return lambda given: coloured(cut(given, flip=how != "crops", turn=how == "turns"))
    if kind == "sound":
        return lambda given: masked(mixed_with_others(louder(shifted(given))))
    return lambda given: words_lost(given, unknown)


def cut(given: Tensor, *, flip: bool, turn: bool) -> Tensor:
    """Another cut of each picture float32[n, 3, h, w]: smaller, elsewhere, of another shape, mirrored, turned."""
    n = len(given)
    area = torch.empty(n).uniform_(SMALLEST, 1.0)
    shape = torch.exp(torch.empty(n).uniform_(-1.0, 1.0) * torch.log(torch.tensor(STRETCH))) ** 0.5
    across, down = (area.sqrt() * shape).clamp(max=1.0), (area.sqrt() / shape).clamp(max=1.0)
    x = torch.empty(n).uniform_(-1.0, 1.0) * (1 - across)
    y = torch.empty(n).uniform_(-1.0, 1.0) * (1 - down)
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0) if flip else torch.ones(n)
    angle = torch.randint(0, 4, (n,)) * (pi / 2) if turn else torch.zeros(n)
    cos, sin = angle.cos().round(), angle.sin().round()
    where = torch.stack(
        [
            torch.stack([cos * across * mirror, -sin * across, x], dim=1),
            torch.stack([sin * down * mirror, cos * down, y], dim=1),
        ],
        dim=1,
    ).to(given.device)
    places = affine_grid(where, list(given.shape), align_corners=False)
    return grid_sample(given, places, mode="bilinear", padding_mode="reflection", align_corners=False)


def coloured(given: Tensor, by: float = 0.25) -> Tensor:
    """Each picture in another light: brightness, contrast and colour, up to a quarter more or less; [0, 1] stays."""
    n = len(given)
    bright, contrast, colour = (torch.empty(n, 1, 1, 1).uniform_(1 - by, 1 + by).to(given.device) for _ in range(3))
    grey = given.mean(dim=1, keepdim=True)
    out = grey + (given - grey) * colour
    middle = out.mean(dim=(1, 2, 3), keepdim=True)
    return ((middle + (out - middle) * contrast) * bright).clamp(0.0, 1.0)


def shifted(given: Tensor, most: float = 0.1) -> Tensor:
    """Each sound float32[n, samples] a tenth of its length earlier or later at most; what comes in is silence."""
    n, samples = given.shape
    by = torch.randint(-int(samples * most), int(samples * most) + 1, (n, 1)).to(given.device)
    place = torch.arange(samples, device=given.device)[None] - by
    inside = (place >= 0) & (place < samples)
    return torch.where(inside, given.gather(1, place.clamp(0, samples - 1)), 0.0)


def louder(given: Tensor, most: float = 6.0) -> Tensor:
    """Each sound up to six decibels louder or softer, cut off at full scale."""
    gain = 10 ** (torch.empty(len(given), 1).uniform_(-most, most) / 20)
    return (given * gain.to(given.device)).clamp(-1.0, 1.0)


def mixed_with_others(given: Tensor, often: float = 0.5) -> Tensor:
    """Half the sounds with noise behind them, 15 to 40 decibels below: white noise coloured by chance."""
    n, samples = given.shape
    noise = torch.randn(n, samples)
    soft = torch.rand(n, 1) * 0.95  # a one-pole filter's memory of one step: from white to rather dull
    noise = (noise + soft * pad(noise, (1, 0))[:, :-1]) / sqrt(1.5)
    below = 10 ** (-torch.empty(n, 1).uniform_(15.0, 40.0) / 20)
    some = (torch.rand(n, 1) < often).float()
    loud = given.square().mean(dim=1, keepdim=True).sqrt()
    return given + (noise * below * some).to(given.device) * loud


def words_lost(given: Tensor, unknown: int, often: float = 0.05) -> Tensor:
    """Each word of texts int64[n, length] is lost now and then: ``unknown`` stands in its place. 0, no word, stays.

    The first place stays, too, since some networks keep a mark there.
    """
    lost = torch.rand(given.shape) < often
    lost[:, 0] = False
    return torch.where(lost.to(given.device) & (given != 0), unknown, given)


def masked(given: Tensor, long: float = 0.1, wide: float = 0.1) -> Tensor:
    """Each sound with a stretch of time silenced and a band of frequencies taken out, each up to a tenth of what there is.

    SpecAugment, done on the wave so that a network keeps its spectrogram to itself; a band is of equal width in hertz.

    References
    ----------
    Park et al., "SpecAugment" (2019).
    """
    n, samples = given.shape
    out = given * _outside(n, samples, long).to(given.device)
    spectrum = torch.fft.rfft(out)
    kept = _outside(n, spectrum.shape[1], wide).to(given.device)
    heard: Tensor = torch.fft.irfft(spectrum * kept, n=samples)
    return heard


def _outside(n: int, length: int, most: float) -> Tensor:
    """float32[n, length]: 0 in a stretch of each row, 1 elsewhere."""
    wide = torch.rand(n, 1) * most * length
    begin = torch.rand(n, 1) * (length - wide)
    place = torch.arange(length)[None]
    return ((place < begin) | (place >= begin + wide)).float()
