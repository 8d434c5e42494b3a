"""Plain features of pictures: what stands for what, and that many at once is as one by one."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.errors import BadInput, Damaged
from tocsin.features.images import (
    ImageFeatures,
    colour_histogram,
    moments,
    opened,
    oriented_gradients,
    thumbnails,
)
from tocsin.features.sound import SoundFeatures


def made(n: int = 5, side: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side + 8, 3)).astype(np.uint8)


def stripes(*, upright: bool) -> np.ndarray:
    """float32[1, 32, 32, 3]: a wave across, or down."""
    wave = np.tile(0.5 + 0.5 * np.sin(np.arange(32) * np.pi / 4), (32, 1)).astype(np.float32)
    return np.repeat((wave if upright else wave.T)[None, :, :, None], 3, axis=3)


def test_many_at_once_is_as_one_by_one() -> None:
    pictures = made(70, 32)
    features = ImageFeatures()
    together = features.of(pictures)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, np.concatenate([features.of(pictures[i : i + 1]) for i in range(70)]))


@pytest.mark.parametrize("features", [ImageFeatures(), ImageFeatures(thumbnail=0), ImageFeatures(colours=0, cell=16)])
def test_blocks_add_up_to_the_width(features: ImageFeatures) -> None:
    pictures = made()
    assert sum(features.blocks(pictures.shape)) == features.of(pictures).shape[1]


def test_an_edge_is_counted_under_its_own_angle() -> None:
    upright = oriented_gradients(stripes(upright=True)).reshape(9, 4, 9).sum(axis=(0, 1))
    lying = oriented_gradients(stripes(upright=False)).reshape(9, 4, 9).sum(axis=(0, 1))
    assert upright[0] > 0.99 * upright.sum(), "across the picture: angle 0"
    assert lying[[4, 5]].sum() > 0.99 * lying.sum(), "down: 90 degrees lies between the fifth and the sixth of nine"


def test_gradients_are_the_same_in_twice_the_contrast() -> None:
    dim = stripes(upright=True) ** 2  # the root makes it the wave itself
    np.testing.assert_allclose(oriented_gradients(dim / 4), oriented_gradients(dim), atol=2e-3)


def test_no_block_of_gradients_is_longer_than_one() -> None:
    light = made(3, 40).astype(np.float32) / 255
    blocks = oriented_gradients(light).reshape(3, -1, 36)
    assert (np.linalg.norm(blocks, axis=2) <= 1.0001).all()
    assert blocks.min() >= 0


def test_a_thumbnail_is_the_mean_of_its_cells() -> None:
    light = made(2, 16).astype(np.float32) / 255
    grid = thumbnails(light, 4).reshape(2, 4, 4, 3)
    np.testing.assert_allclose(grid[1, 2, 3], light[1, 8:12, 18:24].mean(axis=(0, 1)), rtol=1e-5)
    odd = thumbnails(np.ones((1, 17, 19, 3), np.float32), 8)
    np.testing.assert_allclose(odd, 1.0, rtol=1e-6, err_msg="cells of unequal size are means too")


def test_a_colour_histogram_tells_shares() -> None:
    light = np.zeros((1, 8, 8, 3), np.float32)
    light[0, :2] = (1.0, 0.0, 0.0)
    shares = colour_histogram(light, 4)[0] ** 2
    assert shares[0] == pytest.approx(0.75)
    assert shares[3 * 16] == pytest.approx(0.25), "red"
    assert shares.sum() == pytest.approx(1.0)


def test_moments_are_those_of_numpy() -> None:
    light = made(2, 24).astype(np.float32) / 255
    found = moments(light)[0]
    np.testing.assert_allclose(found[:3], light[0].mean(axis=(0, 1)), rtol=1e-4)
    np.testing.assert_allclose(found[9:], np.quantile(light[0].reshape(-1, 3), 0.9, axis=0), rtol=1e-4)


def test_saved_and_opened_it_says_the_same() -> None:
    features = ImageFeatures(thumbnail=4, cell=16)
    assert opened(features.save()) == features
    assert features.save() == features.save()
    with pytest.raises(Damaged, match="archive of features"):
        opened(SoundFeatures().save())
    with pytest.raises(Damaged, match="archive of features"):
        opened(features.save()[:50])


@pytest.mark.parametrize(
    ("pictures", "why"),
    [
        (np.zeros((1, 64, 64, 3), np.float32), "uint8"),
        (np.zeros((64, 64, 3), np.uint8), "uint8"),
        (np.zeros((1, 12, 64, 3), np.uint8), "at least 16"),
    ],
)
def test_what_is_no_picture_is_refused(pictures: np.ndarray, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        ImageFeatures().of(pictures)


def test_no_picture_gives_no_row() -> None:
    assert ImageFeatures().of(made(0)).shape == (0, ImageFeatures().of(made(1)).shape[1])
