"""What plain machine learning looks at in a picture: where it is light, which colours, which edges point where.

A thumbnail, histograms and moments of colour, histograms of oriented gradients, and these whatever their place (texture), all
of them fixed formulas: nothing is learned here, so there is no state but the settings. Many pictures at once, NumPy only; the same code trains and serves.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.features.state import packed, unpacked

AT_ONCE = 64
"""Pictures worked on together: the arrays of one batch stay in the processor's cache."""


class ImageFeatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers about pictures.

    Use it below a linear machine or trees where nothing pretrained is at hand, and as what networks must beat.

    Parameters
    ----------
    thumbnail : cells a side of the reduced picture, three colours each; 0 for none.
    colours : levels a colour of the joint histogram, which has ``colours ** 3`` numbers; 0 for none.
    cell : pixels a side of a cell of oriented gradients; 0 for none.
    angles : directions told apart, evenly over half a turn.
    """

    thumbnail: int = 8
    colours: int = 4
    cell: int = 8
    angles: int = 9

    def of(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, f] of uint8[n, h, w, 3] (RGB).

        Raises
        ------
        BadInput : another shape or type, or a picture smaller than a block of gradients or than the thumbnail.
        """
        check_pictures(pictures, max(self.thumbnail, 2 * self.cell, 2))
        batches = [self._batch(pictures[first : first + AT_ONCE]) for first in range(0, len(pictures), AT_ONCE)]
        nothing = np.zeros((0, sum(self.blocks(pictures.shape))), dtype=np.float32)
        return np.concatenate(batches) if batches else nothing

    def blocks(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How many of the numbers, one after another, tell of one thing, for pictures of shape [..., h, w, 3]."""
        rows, columns = (side // self.cell if self.cell else 1 for side in shape[-3:-1])
        gradients = max(0, rows - 1) * max(0, columns - 1) * 4 * self.angles
        texture = 8 * self.angles if gradients else 0
        widths = (12, 3 * self.thumbnail**2, self.colours**3 if self.colours else 0, texture, gradients)
        return tuple(width for width in widths if width)

    def save(self) -> bytes:
        """What :func:`opened` reads."""
        return packed(self)

    def _batch(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        light = pictures.astype(np.float32) / np.float32(255)
        parts = [moments(light)]
        if self.thumbnail:
            parts.append(thumbnails(light, self.thumbnail))
        if self.colours:
            parts.append(colour_histogram(light, self.colours))
        if self.cell:
            gradients = oriented_gradients(light, self.cell, self.angles)
            places = gradients.reshape(len(light), -1, 4 * self.angles)
            parts += [np.concatenate([places.mean(axis=1), places.std(axis=1)], axis=1), gradients]
        return np.concatenate(parts, axis=1, dtype=np.float32)


def opened(state: bytes) -> ImageFeatures:
    """What :meth:`ImageFeatures.save` wrote.

    Raises
    ------
    Damaged : the state is of something else.
    """
    return unpacked(state, ImageFeatures)[0]


def check_pictures(pictures: NDArray[np.uint8], least: int) -> None:
    """Hold pictures to uint8[n, h, w, 3] with sides of at least so many pixels.

    Raises
    ------
    BadInput : they are not.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3:
        raise BadInput(f"pictures must be uint8[n, h, w, 3]; got {pictures.dtype}{list(pictures.shape)}.")
    if min(pictures.shape[1:3]) < least:
        raise BadInput(
            f"pictures must be at least {least} pixels a side; got {pictures.shape[2]} x {pictures.shape[1]}.",
            hint="Prepare them larger, or take smaller cells.",
        )


def moments(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n, 12]: of each colour the mean, the spread, and the levels a tenth and nine tenths of the pixels stay under."""
    flat = light.reshape(len(light), -1, 3)
    low, high = np.quantile(flat, (0.1, 0.9), axis=1).astype(np.float32)
    return np.concatenate([flat.mean(axis=1), flat.std(axis=1), low, high], axis=1)


def thumbnails(light: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """float32[n, cells * cells * 3]: the mean colour of each cell of a grid laid evenly over the picture."""
    n, height, width, _ = light.shape
    rows = np.add.reduceat(light, _begins(height, cells), axis=1)
    sums = np.add.reduceat(rows, _begins(width, cells), axis=2)
    area = _lengths(height, cells)[:, None] * _lengths(width, cells)[None, :]
    return np.asarray((sums / area[None, :, :, None]).reshape(n, -1), dtype=np.float32)


def _begins(length: int, cells: int) -> NDArray[np.int64]:
    return np.arange(cells) * length // cells


def _lengths(length: int, cells: int) -> NDArray[np.float32]:
    return np.diff(np.append(_begins(length, cells), length)).astype(np.float32)


def colour_histogram(light: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """float32[n, levels ** 3]: the square root of the share of the pixels in each box of colours.

    The root takes from large even areas some of what they would drown (Hellinger's distance between histograms).
    """
    n = len(light)
    level = np.minimum((light * levels).astype(np.int64), levels - 1)
    box = (level[..., 0] * levels + level[..., 1]) * levels + level[..., 2]
    box = box.reshape(n, -1) + np.arange(n)[:, None] * levels**3
    counts = np.bincount(box.ravel(), minlength=n * levels**3).reshape(n, levels**3)
    return np.asarray(np.sqrt(counts / max(1, box.shape[1])), dtype=np.float32)


def oriented_gradients(light: NDArray[np.float32], cell: int = 8, angles: int = 9) -> NDArray[np.float32]:
    """Histograms of oriented gradients (HOG), blocks of 2 x 2 cells, each block to length 1, cut at 0.2, again to length 1.

    Parameters
    ----------
    light : float32[n, h, w, 3] in [0, 1]. cell : pixels a side. angles : over half a turn, light to dark as dark to light.

    Returns
    -------
    float32[n, (rows - 1) * (columns - 1) * 4 * angles], with rows = h // cell and columns = w // cell; what does not fill a
    cell at the right and the bottom is left out.

    References
    ----------
    Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, 2005. Here a pixel's vote goes to the two
    nearest angles but to one cell only.
    """
    n, height, width, _ = light.shape
    rows, columns = height // cell, width // cell
    root = np.sqrt(light)  # their gamma: shadows count for as much as light
    across, down = np.zeros_like(root), np.zeros_like(root)
    across[:, :, 1:-1] = root[:, :, 2:] - root[:, :, :-2]
    down[:, 1:-1] = root[:, 2:] - root[:, :-2]
    strongest = np.argmax(across**2 + down**2, axis=3)[..., None]  # of the three colours
    x = np.take_along_axis(across, strongest, axis=3)[:, : rows * cell, : columns * cell, 0]
    y = np.take_along_axis(down, strongest, axis=3)[:, : rows * cell, : columns * cell, 0]
    size = np.hypot(x, y)
    turn = (np.arctan2(y, x) / np.pi * angles) % angles
    lower = np.floor(turn).astype(np.int64) % angles
    share = (turn - np.floor(turn)).astype(np.float32)
    cells = _cell_numbers(n, rows, columns, cell)
    bins = n * rows * columns * angles
    votes = np.bincount((cells * angles + lower).ravel(), (size * (1 - share)).ravel(), bins)
    votes += np.bincount((cells * angles + (lower + 1) % angles).ravel(), (size * share).ravel(), bins)
    grid = votes.reshape(n, rows, columns, angles).astype(np.float32)
    blocks = np.concatenate([grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, :-1], grid[:, 1:, 1:]], axis=3)
    return _to_length_one(np.minimum(_to_length_one(blocks), np.float32(0.2))).reshape(n, -1)


def _cell_numbers(n: int, rows: int, columns: int, cell: int) -> NDArray[np.int64]:
    """int64[n, rows * cell, columns * cell]: which cell a pixel is of."""
    row = np.arange(rows * cell) // cell
    column = np.arange(columns * cell) // cell
    inside = row[:, None] * columns + column[None, :]
    return np.arange(n)[:, None, None] * (rows * columns) + inside[None]


def _to_length_one(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-4), dtype=np.float32)
