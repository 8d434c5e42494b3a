"""Networks for pictures that are small and quick, under the names their published weights have.

As in ``images``: float32[n, 3, h, w], normalised, of 32 pixels a side or more → logits.
"""

from __future__ import annotations

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tocsin.nets.images import Logits, Pictures, Pool


class Fire(nn.Module):
    """SqueezeNet's block: few 1 × 1 filters, then 1 × 1 and 3 × 3 side by side."""

    def __init__(self, inputs: int, few: int, wide: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, few, 1)
        self.expand1x1 = nn.Conv2d(few, wide, 1)
        self.expand3x3 = nn.Conv2d(few, wide, 3, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
        """float[n, c, h, w] → float[n, 2·wide, h, w]."""
        few = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(few)), torch.relu(self.expand3x3(few))], 1)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1: AlexNet's accuracy with a fiftieth of its weights. Its classifier is a convolution.

    References
    ----------
    Iandola et al., *SqueezeNet* (2016); 1.1 is the authors' later, quicker form.
    """

    head_name = "classifier.1"
    readable = ("features.2", "features.5", "features.8", "features.10", "features.12")

    def __init__(self, classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), Pool(3, 2, ceil_mode=True),
            Fire(64, 16, 64), Fire(128, 16, 64), Pool(3, 2, ceil_mode=True),
            Fire(128, 32, 128), Fire(256, 32, 128), Pool(3, 2, ceil_mode=True),
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.classifier.get_submodule("1").weight, std=0.01)  # type: ignore[arg-type]

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]; none is below 0, the paper ends with a ReLU."""
        logits: Tensor = self.classifier(self.features(pictures)).flatten(1)
        return logits


def _normalised(inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen (1 × 1), filter each channel by itself (3 × 3), narrow (1 × 1) without ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, widen: int) -> None:
        super().__init__()
        inner = inputs * widen
        steps = [_normalised(inputs, inner, 1)] if widen != 1 else []
        self.conv = nn.Sequential(
            *steps,
            _normalised(inner, inner, 3, stride=stride, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """float[n, c, h, w] → float[n, outputs, h', w']."""
        step: Tensor = self.conv(x)
        return x + step if self.adds else step


MOBILE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""MobileNetV2's table: how much a block widens, its width, how many there are, the first one's stride."""


class MobileNetV2(nn.Module):
    """MobileNetV2, width 1.

    References
    ----------
    Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks* (2018).
    """

    head_name = "classifier.1"
    readable = ("features.1", "features.3", "features.6", "features.10", "features.13", "features.17", "features.18")

    def __init__(self, classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_normalised(3, 32, 3, stride=2)]
        inputs = 32
        for widen, outputs, count, stride in MOBILE:
            for place in range(count):
                blocks.append(InvertedResidual(inputs, outputs, stride if place == 0 else 1, widen))
                inputs = outputs
        self.features = nn.Sequential(*blocks, _normalised(inputs, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(1280, classes))
        _begin_mobile(self)

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        logits: Tensor = self.classifier(self.features(pictures).mean((2, 3)))
        return logits


def _begin_mobile(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow does ("SAME"): one more on the far side where it does not come out even."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """float[n, c, h, w] → float[n, c', ⌈h / stride⌉, ⌈w / stride⌉]."""
        (kernel, stride), (high, wide) = (self.kernel_size[0], self.stride[0]), x.shape[-2:]
        down = max((ceil(int(high) / stride) - 1) * stride + kernel - int(high), 0)
        across = max((ceil(int(wide) / stride) - 1) * stride + kernel - int(wide), 0)
        if down or across:
            x = nn.functional.pad(x, [across // 2, across - across // 2, down // 2, down - down // 2])
        return super().forward(x)


class LiteBlock(nn.Module):
    """EfficientNet-Lite's block: MobileNetV2's, with larger windows and, in training, whole blocks left out at random."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, widen: int, left_out: float) -> None:
        super().__init__()
        inner = inputs * widen
        self._expand_conv = SameConv2d(inputs, inner, 1, bias=False) if widen != 1 else None
        self._bn0 = _norm(inner) if widen != 1 else None
        self._depthwise_conv = SameConv2d(inner, inner, size, stride, groups=inner, bias=False)
        self._bn1 = _norm(inner)
        self._project_conv = SameConv2d(inner, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self.adds = stride == 1 and inputs == outputs
        self.left_out = left_out

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """float[n, c, h, w] → float[n, outputs, h', w']."""
        wide = x
        if self._expand_conv is not None and self._bn0 is not None:
            wide = nn.functional.relu6(self._bn0(self._expand_conv(wide)))
        wide = nn.functional.relu6(self._bn1(self._depthwise_conv(wide)))
        step: Tensor = self._bn2(self._project_conv(wide))
        if not self.adds:
            return step
        if self.training and self.left_out:
            kept = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.left_out
            step = step * kept / (1.0 - self.left_out)
        return x + step


def _norm(wide: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(wide, eps=0.001, momentum=0.01)


LITE0 = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""EfficientNet-Lite0's table: as MobileNetV2's, and the window of the middle convolution."""


class EfficientNetLite0(nn.Module):
    """EfficientNet-B0 without squeeze-and-excitation and with ReLU6, for machines without much of anything.

    Pictures are normalised as (x − 127) / 128.

    References
    ----------
    Tan and Le, *EfficientNet* (2019), and Google's Lite form of it (2020); names as in ``efficientnet-lite-pytorch``.
    """

    head_name = "_fc"
    readable = ("_blocks.0", "_blocks.2", "_blocks.4", "_blocks.7", "_blocks.10", "_blocks.14", "_blocks.15", "act")

    def __init__(self, classes: int = 1000, dropout: float = 0.2, left_out: float = 0.2) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        total = sum(count for _, _, count, _, _ in LITE0)
        self._blocks = nn.ModuleList()
        inputs = 32
        for widen, outputs, count, stride, size in LITE0:
            for place in range(count):
                share = left_out * len(self._blocks) / total
                step = stride if place == 0 else 1
                self._blocks.append(LiteBlock(inputs, outputs, size, step, widen, share))
                inputs = outputs
        self._conv_head = SameConv2d(inputs, 1280, 1, bias=False)
        self._bn1 = _norm(1280)
        self.act = nn.ReLU6()
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(1280, classes)
        _begin_mobile(self)

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        x = nn.functional.relu6(self._bn0(self._conv_stem(pictures)))
        for block in self._blocks:
            x = block(x)
        x = self.act(self._bn1(self._conv_head(x)))
        logits: Tensor = self._fc(self._dropout(x.mean((2, 3))))
        return logits
