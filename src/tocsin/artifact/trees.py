"""One ensemble of boosted trees, walked so that every exit comes out of a single pass.

LightGBM grows the trees and its text is the file; here they are only read. A compiled walk gives the running sum after
each stage, equal to the bit to LightGBM's own prediction (tested, and checked again each time a model is written),
takes an eighth of its time for one payment, and needs neither its Python package nor what that imports.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tocsin.errors import Damaged

MOST_TREES = 500
"""The trees, not the features, set the limit of a machine: 30-50 thousand payments a second a core at this size."""

# threshold: of a number, or where a category's bits begin; nan: whether a missing value goes left; words: how many
# 32-bit words of bits a category has (0: a number). A child below 0 is the leaf -child-1. 24 bytes: one cache line.
NODE = np.dtype(
    [("threshold", "f8"), ("column", "i4"), ("left", "i4"), ("right", "i4"), ("words", "u2"), ("nan", "u2")]
)


@dataclass(frozen=True, slots=True)
class Trees:
    """An ensemble as flat arrays.

    Parameters
    ----------
    nodes : NODE[m], the splits of all trees.
    bits : uint32[k], for each categorical split the set of codes that go left.
    leaves : float64[l], what each leaf adds to the margin.
    roots : int32[t], where each tree begins.
    width : how many columns a row must have.
    """

    nodes: NDArray[np.void]
    bits: NDArray[np.uint32]
    leaves: NDArray[np.float64]
    roots: NDArray[np.int32]
    width: int

    def __len__(self) -> int:
        return len(self.roots)

    def margins(self, matrix: NDArray[np.float64], ends: Sequence[int]) -> NDArray[np.float64]:
        """The running sum of the leaves after each stage.

        Parameters
        ----------
        matrix : float64[n, width], C order; NaN where nothing is known.
        ends : how many trees are summed at each exit, rising.

        Returns
        -------
        float64[n, len(ends)]
        """
        out = np.empty((len(matrix), len(ends)))
        walk(self.nodes, self.bits, self.leaves, self.roots, np.asarray(ends, dtype=np.int64), matrix, out)
        return out


@njit(cache=True, nogil=True)
def walk(
    nodes: NDArray[np.void],
    bits: NDArray[np.uint32],
    leaves: NDArray[np.float64],
    roots: NDArray[np.int32],
    ends: NDArray[np.int64],
    matrix: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out`` float64[n, stages] with the sums after each stage; trees outside, rows inside, in blocks of 64."""
    rows = matrix.shape[0]
    total = np.empty(64)
    for first in range(0, rows, 64):
        last = min(first + 64, rows)
        total[:] = 0.0
        begin = 0
        for stage in range(ends.shape[0]):
            for tree in range(begin, ends[stage]):
                for row in range(first, last):
                    at = roots[tree]
                    while at >= 0:
                        value = matrix[row, nodes[at].column]
                        if nodes[at].words:
                            left = False
                            if value > -1.0 and value < 32.0 * nodes[at].words:
                                code = np.int64(value)
                                word = bits[np.int64(nodes[at].threshold) + (code >> 5)]
                                left = (word >> np.uint32(code & 31)) & np.uint32(1) == 1
                        elif value != value:
                            left = nodes[at].nan == 1
                        else:
                            left = value <= nodes[at].threshold
                        at = nodes[at].left if left else nodes[at].right
                    total[row - first] += leaves[-at - 1]
            begin = ends[stage]
            for row in range(first, last):
                out[row, stage] = total[row - first]


def read_trees(text: str, *, classes: int = 1) -> Trees:
    """Read LightGBM's own text.

    Parameters
    ----------
    classes : how many trees a round has; tree ``i`` is of class ``i % classes``.

    Raises
    ------
    Damaged : it is not such a text, or uses what is not walked here (linear leaves, other classes, zero as missing).
    """
    width = re.search(r"^max_feature_idx=(\d+)$", text, re.MULTILINE)
    if width is None or not re.search(rf"^num_tree_per_iteration={classes}$", text, re.MULTILINE):
        wanted = "one class" if classes == 1 else f"{classes} classes"
        raise Damaged(f"trees.txt must be the text of a LightGBM ensemble with {wanted}; its head is not.")
    nodes: list[tuple[float, int, int, int, int, int]] = []
    bits: list[int] = []
    leaves: list[float] = []
    roots: list[int] = []
    for block in re.findall(r"^Tree=\d+\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        try:
            roots.append(_read_tree(fields, nodes, bits, leaves))
        except (KeyError, ValueError, IndexError) as error:
            raise Damaged(f"tree {len(roots)} of trees.txt cannot be read: {error!r}.") from error
    return Trees(
        np.array(nodes, dtype=NODE),
        np.array(bits, dtype=np.uint32),
        np.array(leaves, dtype=np.float64),
        np.array(roots, dtype=np.int32),
        int(width[1]) + 1,
    )


def _read_tree(
    fields: dict[str, str], nodes: list[tuple[float, int, int, int, int, int]], bits: list[int], leaves: list[float]
) -> int:
    """Append one tree and return its root: a node, or for a tree without splits its only leaf."""
    if fields.get("is_linear", "0") != "0":
        raise ValueError("linear leaves")
    first, leaf = len(nodes), len(leaves)
    leaves.extend(float(v) for v in fields["leaf_value"].split())
    if int(fields["num_leaves"]) == 1:
        return -leaf - 1
    columns, kinds, lefts, rights = (
        [int(v) for v in fields[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    starts = [int(v) for v in fields.get("cat_boundaries", "0").split()]
    offset = len(bits)
    bits.extend(int(v) for v in fields.get("cat_threshold", "").split())

    def child(c: int) -> int:
        return first + c if c >= 0 else -(leaf - c - 1) - 1

    for i, threshold in enumerate(float(v) for v in fields["threshold"].split()):
        missing = (kinds[i] >> 2) & 3
        words, nan = 0, 0
        if kinds[i] & 1:
            group = int(threshold)
            words = starts[group + 1] - starts[group]
            threshold = float(offset + starts[group])
        elif missing == 2:
            nan = int(bool(kinds[i] & 2))
        elif missing == 0:
            nan = int(threshold >= 0)  # a column that never missed in learning: LightGBM reads a missing value as 0
        else:
            raise ValueError("zero as missing")
        nodes.append((threshold, columns[i], child(lefts[i]), child(rights[i]), words, nan))
    return first
