"""Networks for pictures, each as its paper has it and under torchvision's names, so that published weights load unchanged.

All take float32[n, 3, h, w], normalised, of 32 pixels a side or more, and give logits. They are made for 224; smaller
pictures are cheaper and told apart less well. ``resnet20`` is made for 32 to 64.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

Pictures = Float[Tensor, "n 3 h w"]
Logits = Float[Tensor, "n classes"]


class Pool(nn.MaxPool2d):
    """The largest of each window; what is already smaller than the window stays as it is, so that small pictures pass."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """float[n, c, h, w] → float[n, c, h', w']."""
        return x if min(x.shape[-2:]) < int(self.kernel_size) else super().forward(x)  # type: ignore[arg-type]


class Averages(nn.Module):
    """Means over ``size × size`` parts of a picture, as ``nn.AdaptiveAvgPool2d``, and exported for any picture.

    ONNX has no operator for parts that are not equally large; there it is two matrix products.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c s s"]:
        """float[n, c, h, w] → float[n, c, size, size]."""
        high, wide = (int(side) for side in x.shape[-2:])
        if high % self.size == 0 and wide % self.size == 0:
            return nn.functional.adaptive_avg_pool2d(x, self.size)
        return torch.matmul(torch.matmul(self._parts(high).to(x), x), self._parts(wide).to(x).T)

    def _parts(self, side: int) -> Float[Tensor, "s side"]:
        """float32[size, side]: which share of each row or column goes into each part."""
        parts = torch.zeros(self.size, side)
        for part in range(self.size):
            begin, end = part * side // self.size, -(-(part + 1) * side // self.size)
            parts[part, begin:end] = 1.0 / (end - begin)
        return parts


def _five_convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), Pool(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), Pool(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), Pool(3, 2),
    )  # fmt: skip


class AlexNet(nn.Module):
    """Krizhevsky's network in the form torchvision publishes.

    References
    ----------
    Krizhevsky, *One weird trick for parallelizing convolutional neural networks* (2014): fewer filters than in 2012, no
    response normalisation. For pictures smaller than 63 pixels we leave out the poolings that have nothing left to pool.
    """

    head_name = "classifier.6"
    readable = ("features.2", "features.5", "features.7", "features.9", "features.12", "classifier.2", "classifier.5")

    def __init__(self, classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = _five_convolutions()
        self.avgpool = Averages(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes),
        )  # fmt: skip

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        logits: Tensor = self.classifier(self.avgpool(self.features(pictures)).flatten(1))
        return logits


class AlexNetTrunk(nn.Module):
    """AlexNet's convolutions under a head of its own: where the rest of its weights, nine tenths, is not to be had."""

    head_name = "head"
    readable = ("features.2", "features.5", "features.7", "features.9", "features.12")

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = _five_convolutions()
        self.head = nn.Linear(256, classes)

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        logits: Tensor = self.head(self.features(pictures).mean((2, 3)))
        return logits


class Plain(nn.Module):
    """ResNet's block of two 3 × 3 convolutions."""

    widens = 1

    def __init__(self, inputs: int, wide: int, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, wide, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.downsample = shortcut

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """float[n, c, h, w] → float[n, wide, h', w']."""
        step = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(step + (x if self.downsample is None else self.downsample(x)))
        return out


class Bottleneck(nn.Module):
    """ResNet's block of 1 × 1, 3 × 3 and 1 × 1; the stride is in the 3 × 3, as in the weights torchvision publishes."""

    widens = 4

    def __init__(self, inputs: int, wide: int, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.conv3 = nn.Conv2d(wide, wide * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide * 4)
        self.relu = nn.ReLU()
        self.downsample = shortcut

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """float[n, c, h, w] → float[n, 4·wide, h', w']."""
        step = self.relu(self.bn1(self.conv1(x)))
        step = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(step)))))
        out: Tensor = self.relu(step + (x if self.downsample is None else self.downsample(x)))
        return out


DEPTHS: dict[int, tuple[type[Plain | Bottleneck], tuple[int, int, int, int]]] = {
    18: (Plain, (2, 2, 2, 2)),
    34: (Plain, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""How many layers a ResNet has → its block, and how many of them at each of its four sizes."""


class ResNet(nn.Module):
    """A residual network of 18, 34, 50, 101 or 152 layers.

    References
    ----------
    He et al., *Deep Residual Learning for Image Recognition* (2015).
    """

    head_name = "fc"
    readable = ("maxpool", "layer1", "layer2", "layer3", "layer4")

    def __init__(self, depth: int, classes: int = 1000) -> None:
        super().__init__()
        block, counts = DEPTHS[depth]
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _residuals(block, 64, 64, counts[0], 1)
        self.layer2 = _residuals(block, 64 * block.widens, 128, counts[1], 2)
        self.layer3 = _residuals(block, 128 * block.widens, 256, counts[2], 2)
        self.layer4 = _residuals(block, 256 * block.widens, 512, counts[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * block.widens, classes)
        _begin(self)

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(pictures))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


class SmallResNet(nn.Module):
    """A residual network for pictures of 32 to 64 pixels: no pooling at the start, three sizes, few filters.

    Parameters
    ----------
    blocks : at each size; the network has 6·blocks + 2 layers.
    wide : filters at the first size.

    References
    ----------
    He et al. (2015), section 4.2, for CIFAR-10; where the width changes our shortcut is a 1 × 1 convolution (their B).
    """

    head_name = "fc"
    readable = ("relu", "layer1", "layer2", "layer3")

    def __init__(self, classes: int = 10, *, blocks: int = 3, wide: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, wide, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU()
        self.layer1 = _residuals(Plain, wide, wide, blocks, 1)
        self.layer2 = _residuals(Plain, wide, 2 * wide, blocks, 2)
        self.layer3 = _residuals(Plain, 2 * wide, 4 * wide, blocks, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * wide, classes)
        _begin(self)

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        x = self.layer3(self.layer2(self.layer1(self.relu(self.bn1(self.conv1(pictures))))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def _residuals(block: type[Plain | Bottleneck], inputs: int, wide: int, count: int, stride: int) -> nn.Sequential:
    """Blocks at one size; the first changes size and width."""
    outputs = wide * block.widens
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    later = (block(outputs, wide, 1, None) for _ in range(count - 1))
    return nn.Sequential(block(inputs, wide, stride, shortcut), *later)


def _begin(network: nn.Module) -> None:
    """He's initial weights of the convolutions."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU: GoogLeNet's brick."""

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """float[n, c, h, w] → float[n, outputs, h', w']."""
        out: Tensor = nn.functional.relu(self.bn(self.conv(x)))
        return out


class Inception(nn.Module):
    """Four ways side by side: 1 × 1; two times 3 × 3 behind a 1 × 1; a pooling before a 1 × 1.

    Parameters
    ----------
    wide : filters of the first way, of the second (inside, out), of the third (inside, out), of the last.
    """

    def __init__(self, inputs: int, wide: Sequence[int]) -> None:
        super().__init__()
        one, inner2, two, inner3, three, four = wide
        self.branch1 = Convolution(inputs, one, 1)
        self.branch2 = nn.Sequential(Convolution(inputs, inner2, 1), Convolution(inner2, two, 3, padding=1))
        self.branch3 = nn.Sequential(Convolution(inputs, inner3, 1), Convolution(inner3, three, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1, ceil_mode=True), Convolution(inputs, four, 1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
        """float[n, c, h, w] → float[n, sum of the four, h, w]."""
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """The first Inception network in the form torchvision publishes, without the two exits that were for training only.

    The published weights want pictures normalised with mean 0.5 and deviation 0.5 (torchvision does that inside); there the
    third way has 3 × 3 where the paper has 5 × 5.

    References
    ----------
    Szegedy et al., *Going Deeper with Convolutions* (2014); with batch normalisation.
    """

    head_name = "fc"
    readable = ("maxpool1", "maxpool2", "inception3b", "inception4a", "inception4e", "inception5a", "inception5b")

    def __init__(self, classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = Convolution(3, 64, 7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = Convolution(64, 64, 1)
        self.conv3 = Convolution(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a = Inception(192, (64, 96, 128, 16, 32, 32))
        self.inception3b = Inception(256, (128, 128, 192, 32, 96, 64))
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = Inception(480, (192, 96, 208, 16, 48, 64))
        self.inception4b = Inception(512, (160, 112, 224, 24, 64, 64))
        self.inception4c = Inception(512, (128, 128, 256, 24, 64, 64))
        self.inception4d = Inception(512, (112, 144, 288, 32, 64, 64))
        self.inception4e = Inception(528, (256, 160, 320, 32, 128, 128))
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a = Inception(832, (256, 160, 320, 32, 128, 128))
        self.inception5b = Inception(832, (384, 192, 384, 48, 128, 128))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, classes)
        _begin(self)

    def forward(self, pictures: Pictures) -> Logits:
        """float32[n, 3, h, w] → float32[n, classes]."""
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(pictures)))))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4e(self.inception4d(self.inception4c(self.inception4b(self.inception4a(x)))))
        x = self.inception5b(self.inception5a(self.maxpool4(x)))
        logits: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return logits
