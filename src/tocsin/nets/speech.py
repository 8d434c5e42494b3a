"""Google's speech embedding: a network taught to tell thousands of spoken words, to be learned on with few examples.

float32[n, samples] at 16 kHz, 12,512 samples (0.78 s) or more, → logits. Of a clip it says 96 numbers every 80 ms.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tocsin.nets.images import Logits
from tocsin.nets.sound import RATE, Waves

_SHAPES = (24, 24, 24, 48, 48, 48, 48, 72, 72, 72, 72, 96, 96, 96, 96, 96, 96, 96, 96)
"""Filters of the nineteen convolutions before the last."""
_POOLS: dict[int, tuple[int, int]] = {2: (2, 2), 6: (1, 2), 10: (2, 2), 14: (1, 2), 18: (2, 2)}
"""Behind which of them the largest of so many times and bands is taken."""


class Decibels(nn.Module):
    """A wave in [−1, 1] → the spectrogram the embedding was taught on: 32 bands, tenths of decibels, nothing learned.

    Windows of 25 ms every 10 ms, 32 bands from 60 Hz to 3,800 Hz, no more than 80 dB below a clip's loudest place.

    Shape
    -----
    float32[n, samples] → float32[n, 1, frames, 32], frames = 1 + ⌊(samples − 512) / 160⌋.
    """

    waves: Tensor
    bands: Tensor

    def __init__(self, *, points: int = 512, window: int = 400, hop: int = 160, bands: int = 32) -> None:
        super().__init__()
        self.hop = hop
        inner = torch.arange(window, dtype=torch.float64)
        hann = torch.zeros(points, dtype=torch.float64)
        begin = (points - window) // 2
        hann[begin : begin + window] = 0.5 - 0.5 * torch.cos(2 * math.pi * inner / window)
        time = torch.arange(points, dtype=torch.float64)
        turns = 2 * math.pi * torch.arange(points // 2 + 1, dtype=torch.float64).unsqueeze(1) * time / points
        self.register_buffer(
            "waves", (torch.cat([turns.cos(), turns.sin()]) * hann).float().unsqueeze(1), persistent=False
        )
        self.register_buffer("bands", _slaney(bands, points).float(), persistent=False)

    def forward(self, waves: Waves) -> Float[Tensor, "n 1 frames bands"]:
        """float32[n, samples] → float32[n, 1, frames, 32]."""
        whole = (waves * 32768.0).unsqueeze(1)
        real, imaginary = nn.functional.conv1d(whole, self.waves, stride=self.hop).chunk(2, dim=1)
        power = torch.matmul(self.bands, real**2 + imaginary**2).transpose(1, 2)
        decibels = 10.0 / math.log(10.0) * torch.log(power.clamp(min=1e-10))
        floor = decibels.amax((1, 2), keepdim=True) - 80.0
        return (torch.maximum(decibels, floor) / 10.0 + 2.0).unsqueeze(1)


def _slaney(bands: int, points: int, low: float = 60.0, high: float = 3800.0) -> Float[Tensor, "bands bins"]:
    """Triangles of equal area on Slaney's mel scale: straight up to 1,000 Hz, then logarithmic."""
    step = math.log(6.4) / 27.0

    def mel(hertz: float) -> float:
        return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) / step

    mels = torch.linspace(mel(low), mel(high), bands + 2, dtype=torch.float64)
    tops = torch.where(mels < 15, mels * 200 / 3, 1000 * torch.exp((mels - 15) * step))
    hertz = torch.arange(points // 2 + 1, dtype=torch.float64) * RATE / points
    rise = (hertz - tops[:-2, None]) / (tops[1:-1] - tops[:-2])[:, None]
    fall = (tops[2:, None] - hertz) / (tops[2:] - tops[1:-1])[:, None]
    return torch.minimum(rise, fall).clamp(min=0) * (2.0 / (tops[2:] - tops[:-2]))[:, None]


class SpeechEmbedding(nn.Module):
    """The embedding, its mean over the clip, and a head.

    Batch normalisation is already in the published convolutions, so fine-tuning moves them without it.

    References
    ----------
    Lin et al., *Training Keyword Spotters with Limited and Synthesized Speech Data* (2020); the weights as converted by
    openWakeWord.
    """

    head_name = "head"
    readable = ("pools.2", "pools.6", "pools.10", "pools.14", "pools.18", "last")

    def __init__(self, classes: int = 12, dropout: float = 0.2) -> None:
        super().__init__()
        self.heard = Decibels()
        self.convolutions = nn.ModuleList()
        inputs = 1
        for place, wide in enumerate(_SHAPES):
            # The first looks at 3 times and 3 bands; then times and bands take turns. Only bands are padded.
            size = (3, 3) if place == 0 else (1, 3) if place % 2 else (3, 1)
            self.convolutions.append(nn.Conv2d(inputs, wide, size, padding=(0, size[1] // 2)))
            inputs = wide
        self.pools = nn.ModuleDict({str(place): nn.MaxPool2d(size) for place, size in _POOLS.items()})
        self.last = nn.Conv2d(inputs, 96, (3, 1), bias=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(96, classes)

    def embedded(self, bands: Float[Tensor, "n 1 frames 32"]) -> Float[Tensor, "n 96 steps"]:
        """The spectrogram, 76 frames or more → 96 numbers every 8 frames."""
        x = bands
        for place, convolution in enumerate(self.convolutions):
            x = nn.functional.leaky_relu(convolution(x), 0.2).clamp(min=-0.4)
            if place in _POOLS:
                x = self.pools[str(place)](x)
        out: Tensor = self.last(x).flatten(2)
        return out

    def forward(self, waves: Waves) -> Logits:
        """float32[n, samples] → float32[n, classes]."""
        logits: Tensor = self.head(self.dropout(self.embedded(self.heard(waves)).mean(2)))
        return logits
