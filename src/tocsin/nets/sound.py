"""Networks for sound: float32[n, samples] at 16 kHz, a wave as it is, → logits float32[n, classes].

The spectrogram is made inside, by matrix products, so that what is exported hears exactly what was trained.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tocsin.nets.images import Logits, Plain

RATE = 16_000
Waves = Float[Tensor, "n samples"]


class LogMel(nn.Module):
    """A wave → its log-mel spectrogram.

    Windows of 25 ms every 10 ms (Hann), their Fourier transform as a convolution with sines and cosines, power, triangles
    on the mel scale, logarithm. Nothing here is learned or stored with the weights.

    Parameters
    ----------
    mels : how many bands between 20 Hz and 7,600 Hz.

    Shape
    -----
    float32[n, samples] → float32[n, mels, frames], frames = 1 + ⌊(samples − 400) / 160⌋; 400 samples at least.

    References
    ----------
    Davis and Mermelstein (1980); the scale is O'Shaughnessy's, m = 2595 log10(1 + f/700).
    """

    waves: Tensor
    bands: Tensor

    def __init__(self, mels: int = 40, *, window: int = 400, hop: int = 160, points: int = 512) -> None:
        super().__init__()
        self.hop, self.mels = hop, mels
        time = torch.arange(window, dtype=torch.float64)
        hann = 0.5 - 0.5 * torch.cos(2 * math.pi * time / window)
        turns = 2 * math.pi * torch.arange(points // 2 + 1, dtype=torch.float64).unsqueeze(1) * time / points
        waves = torch.cat([torch.cos(turns), torch.sin(turns)]) * hann
        self.register_buffer("waves", waves.float().unsqueeze(1), persistent=False)
        self.register_buffer("bands", mel_bands(mels, points).float(), persistent=False)

    def forward(self, waves: Waves) -> Float[Tensor, "n mels frames"]:
        """float32[n, samples] → float32[n, mels, frames], natural logarithms."""
        real, imaginary = nn.functional.conv1d(waves.unsqueeze(1), self.waves, stride=self.hop).chunk(2, dim=1)
        return torch.log(torch.matmul(self.bands, real**2 + imaginary**2) + 1e-5)


def mel_bands(mels: int, points: int, *, low: float = 20.0, high: float = 7600.0) -> Float[Tensor, "mels bins"]:
    """float64[mels, points / 2 + 1]: triangles evenly apart on the mel scale, 1 at their tops."""
    ends = [2595 * math.log10(1 + hertz / 700) for hertz in (low, high)]
    tops = 700 * (10 ** (torch.linspace(ends[0], ends[1], mels + 2, dtype=torch.float64) / 2595) - 1)
    hertz = torch.arange(points // 2 + 1, dtype=torch.float64) * RATE / points
    rise = (hertz - tops[:-2, None]) / (tops[1:-1] - tops[:-2])[:, None]
    fall = (tops[2:, None] - hertz) / (tops[2:] - tops[1:-1])[:, None]
    return torch.minimum(rise, fall).clamp(min=0)


class _Heard(nn.Module):
    """The spectrogram as a picture of one channel, each band at its own scale: float32[n, 1, mels, frames]."""

    def __init__(self, mels: int) -> None:
        super().__init__()
        self.spectrogram = LogMel(mels)
        self.scale = nn.BatchNorm1d(mels)

    def forward(self, waves: Waves) -> Float[Tensor, "n 1 mels frames"]:
        bands: Tensor = self.scale(self.spectrogram(waves))
        return bands.unsqueeze(1)


def _separable(wide: int, stride: int) -> nn.Sequential:
    """Each channel filtered by itself (3 × 3), then all mixed (1 × 1)."""
    return nn.Sequential(
        nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
    )  # fmt: skip


class DSCNN(nn.Module):
    """Depthwise separable convolutions over the spectrogram: the small network for spoken commands.

    Parameters
    ----------
    wide : channels (172 is the paper's middle size).
    blocks : separable convolutions behind the first one.

    References
    ----------
    Zhang et al., *Hello Edge: Keyword Spotting on Microcontrollers* (2017); they give it 10 MFCCs, we 40 log-mel bands.
    """

    head_name = "head"

    def __init__(self, classes: int = 12, *, wide: int = 172, blocks: int = 5, mels: int = 40, dropout: float = 0.2):
        super().__init__()
        self.readable = ("first", *(f"blocks.{place}" for place in range(blocks)))
        self.heard = _Heard(mels)
        self.first = nn.Sequential(
            nn.Conv2d(1, wide, (4, 10), stride=2, padding=(1, 5), bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(_separable(wide, 2 if place == 0 else 1) for place in range(blocks)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(wide, classes)

    def forward(self, waves: Waves) -> Logits:
        """float32[n, samples] → float32[n, classes]."""
        logits: Tensor = self.head(self.dropout(self.blocks(self.first(self.heard(waves))).mean((2, 3))))
        return logits


class SoundResNet(nn.Module):
    """A small residual network over the spectrogram.

    Parameters
    ----------
    wide : channels at the first of three sizes.
    blocks : residual blocks at each size.

    References
    ----------
    Tang and Lin, *Deep Residual Learning for Small-Footprint Keyword Spotting* (2018), with He's halving of sizes.
    """

    head_name = "head"
    readable = ("first", "layer1", "layer2", "layer3")

    def __init__(self, classes: int = 12, *, wide: int = 24, blocks: int = 2, mels: int = 40, dropout: float = 0.2):
        super().__init__()
        self.heard = _Heard(mels)
        self.first = nn.Sequential(
            nn.Conv2d(1, wide, 3, stride=(1, 2), padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.layer1 = _blocks(wide, wide, blocks, 2)
        self.layer2 = _blocks(wide, 2 * wide, blocks, 2)
        self.layer3 = _blocks(2 * wide, 4 * wide, blocks, 2)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * wide, classes)

    def forward(self, waves: Waves) -> Logits:
        """float32[n, samples] → float32[n, classes]."""
        x = self.layer3(self.layer2(self.layer1(self.first(self.heard(waves)))))
        logits: Tensor = self.head(self.dropout(x.mean((2, 3))))
        return logits


def _blocks(inputs: int, wide: int, count: int, stride: int) -> nn.Sequential:
    shortcut = nn.Sequential(nn.Conv2d(inputs, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))
    return nn.Sequential(Plain(inputs, wide, stride, shortcut), *(Plain(wide, wide, 1, None) for _ in range(count - 1)))
