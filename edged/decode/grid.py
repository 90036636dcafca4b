"""The grid that a one-stage detector lays over its input, and what its boxes are relative to.

A detector of this kind gives one row (or one for each anchor) for each cell of a few grids, the finest
first, x fastest. Where a model's trial boxes lie tells what its numbers mean: a row's box lies near its
cell, so centres that follow the cells over the picture are absolute, and centres that do not were never put
there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from edged.decode.middle import median

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
"""Strides in use: the common ones, P6 models, P2 models, the tiny models with two heads."""

MAX_STRAY = 0.4
"""Of the distance that unplaced centres have from their cells; placed ones measured 0.01 to 0.15."""
MAX_STRAY_CELLS = 1.5
"""Cells; centres relative to their cells lie within them, or in the neighbour."""


class Units(Enum):
    """What the centres of boxes are measured in."""

    PIXELS = "pixels of the input"
    FRACTIONS = "fractions of the input"
    CELLS = "cells, relative to their own"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Rows and their cells.

    Attributes:
        strides: Pixels of a cell, a number a level.
        anchors: Rows to a cell.
        cells: float32 (N, 2), x and y of each row's cell, counted in cells of its level.
        stride: float32 (N,), pixels of each row's cell.
        height: Pixels of the input.
        width: Pixels of the input.
    """

    strides: tuple[int, ...]
    anchors: int
    cells: NDArray[np.float32]
    stride: NDArray[np.float32]
    height: int
    width: int

    def __str__(self) -> str:
        strides = "/".join(map(str, self.strides))
        cells = f"each of the {len(self.stride) // self.anchors} cells at strides {strides}"
        return cells if self.anchors == 1 else f"{self.anchors} anchors in {cells}"


def count_rows(height: int, width: int, strides: Sequence[int], anchors: int = 1) -> int:
    """Rows of such a grid: 8400 at 640 by 640 and strides 8, 16, 32."""
    return anchors * sum(-(-height // stride) * -(-width // stride) for stride in strides)


def make_grid(height: int, width: int, strides: tuple[int, ...], anchors: int = 1) -> Grid:
    """The cells of a grid in the order of the rows: level, anchor, y, x."""
    cells, sizes = [], []
    for stride in strides:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.divmod(np.arange(rows * columns), columns)
        cells += [np.column_stack([x, y])] * anchors
        sizes.append(np.full(rows * columns * anchors, stride))
    return Grid(
        strides,
        anchors,
        np.concatenate(cells).astype(np.float32),
        np.concatenate(sizes).astype(np.float32),
        height,
        width,
    )


def is_grid(rows: int, height: int, width: int, anchors: int) -> bool:
    """Whether a number of rows is that of a grid in use."""
    return any(count_rows(height, width, strides, anchors) == rows for strides in STRIDES)


def fit_grid(xy: NDArray[np.float32], height: int, width: int, anchors: int) -> tuple[Grid, Units] | None:
    """Find the grid that trial centres follow, and their units.

    Args:
        xy: float32 (N, 2), the first two numbers of each row.
        height: Pixels of the input.
        width: Pixels of the input.
        anchors: Rows to a cell.

    Returns:
        The grid and the units; None where no grid in use has N rows, or the centres do not follow it.
    """
    found = []
    for strides in STRIDES:
        if count_rows(height, width, strides, anchors) != len(xy):
            continue
        grid = make_grid(height, width, strides, anchors)
        here = (grid.cells + 0.5) * grid.stride[:, None]
        size = np.array([width, height], np.float32)
        unplaced = _stray(np.broadcast_to(size / 2, here.shape), here, grid)
        for units, centres in ((Units.PIXELS, xy), (Units.FRACTIONS, xy * size)):
            stray = _stray(centres, here, grid)
            if stray < MAX_STRAY * unplaced:
                found.append((stray, grid, units))
        if not found and _stray((xy + grid.cells) * grid.stride[:, None], here, grid) < MAX_STRAY_CELLS:
            found.append((MAX_STRAY_CELLS, grid, Units.CELLS))
    if not found:
        return None
    _, grid, units = min(found, key=lambda one: one[0])
    return grid, units


def _stray(centres: NDArray[np.float32], here: NDArray[np.float32], grid: Grid) -> float:
    """The median distance of centres from the middle of their cells, in cells."""
    return median(np.abs(centres - here).max(axis=1) / grid.stride)
