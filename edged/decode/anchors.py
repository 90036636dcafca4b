"""Rows that are relative to cells and anchors: what YOLOv2, YOLOv4 and undecoded YOLOv5 and YOLOv7 have in common.

A row is x, y, width, height, objectness and classes of one anchor in one cell. x and y say where in its cell the centre
of a box lies, width and height how much larger than its anchor it is. Anchors are not in such a file, and each training
may have its own: a family serves the published models, and others where a person says that their anchors are the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import sigmoid
from edged.decode.family import Array, centre_to_corners
from edged.decode.grid import Grid, make_grid
from edged.decode.nms import require_finite
from edged.detection import Detections

Floats = NDArray[np.float32]
Sizes = Sequence[tuple[float, float]]
"""Width and height of anchors."""


def as_given(values: Floats) -> Floats:
    """Nothing is left to apply."""
    return values


def exponential(values: Floats) -> Floats:
    """exp(x); an infinite size is found and named by the caller."""
    with np.errstate(over="ignore"):
        result: Floats = np.exp(values)
    return result


def square_of_double(chances: Floats) -> Floats:
    """(2x)²: YOLOv5's growth of an anchor, by nothing to four times."""
    result: Floats = (2 * chances) ** 2
    return result


@dataclass(frozen=True, slots=True)
class Reading:
    """What is left to apply to the columns of a row.

    Attributes:
        centre: x, y (K, 2) to 0-1.
        growth: Width, height (K, 2) to factors of the anchor's.
        objectness: (N,) to 0-1.
        classes: (K, C) to 0-1.
    """

    centre: Callable[[Floats], Floats]
    growth: Callable[[Floats], Floats]
    objectness: Callable[[Floats], Floats]
    classes: Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Where each row belongs.

    Attributes:
        grid: Of the cells, (N,) rows.
        anchors: float32 (N, 2), width and height in pixels.
        spread: float32 (N,), cells over which a centre may lie: 1 is its own cell, 2 reaches half a cell beyond.
    """

    grid: Grid
    anchors: Floats
    spread: Floats


def lay_rows(
    height: int,
    width: int,
    levels: Sequence[tuple[int, Sizes, float]],
    *,
    anchor_last: bool = False,
) -> Rows:
    """Rows of a model.

    Args:
        height: Pixels of the input.
        width: Pixels of the input.
        levels: Stride, anchors in pixels, and spread of each, in the order of the rows.
        anchor_last: Whether rows of a level run by y, x and anchor; else by anchor, y and x.
    """
    strides, per_cell = tuple(stride for stride, *_ in levels), len(levels[0][1])
    grid = make_grid(height, width, strides, per_cell)
    anchors, spread, order = [], [], []
    start = 0
    for stride, sizes, reach in levels:
        count = -(-height // stride) * -(-width // stride)
        anchors.append(np.repeat(np.array(sizes, np.float32), count, axis=0))
        spread.append(np.full(count * per_cell, reach, np.float32))
        rows = np.arange(count * per_cell).reshape(per_cell, count)
        order.append(start + (rows.T if anchor_last else rows).ravel())
        start += count * per_cell
    by = np.concatenate(order)
    moved = Grid(strides, per_cell, grid.cells[by], grid.stride[by], height, width)
    return Rows(moved, np.concatenate(anchors)[by], np.concatenate(spread)[by])


@dataclass(frozen=True, slots=True, eq=False)
class AnchorDecoder:
    """Rows of one output or several to candidates: score = objectness * class score.

    centre = (x * spread - (spread - 1) / 2 + cell) * stride, size = growth * anchor.

    Attributes:
        outputs: Their positions, in the order of the rows.
        table: How one of them is rows, (…) to (n, 5 + C).
        rows: Where each row belongs.
        reading: What is left to apply.
    """

    outputs: tuple[int, ...]
    table: Callable[[Array], Array]
    rows: Rows
    reading: Reading

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        tables = [self.table(outputs[position]) for position in self.outputs]
        objectness = np.concatenate([table[:, 4] for table in tables]).astype(np.float32)
        require_finite(objectness, "scores")
        objectness = self.reading.objectness(objectness)
        chosen = np.flatnonzero(objectness >= min_score)
        if not len(chosen):
            return Detections.empty()
        ends = np.cumsum([len(table) for table in tables])
        taken = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
        starts = (0, *ends[:-1])
        rows = np.concatenate(
            [table[of - start] for table, of, start in zip(tables, taken, starts, strict=True)]
        ).astype(np.float32)
        require_finite(rows[:, 5:], "scores")
        classes = self.reading.classes(rows[:, 5:])
        class_id = classes.argmax(axis=1)
        score = objectness[chosen] * classes[np.arange(len(rows)), class_id]
        keep = np.flatnonzero(score >= min_score)
        xyxy = self._boxes(rows[keep, :4], chosen[keep])
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score[keep], class_id[keep].astype(np.int32))

    def _boxes(self, numbers: Floats, rows: NDArray[np.intp]) -> Floats:
        spread, grid = self.rows.spread[rows, None], self.rows.grid
        within = self.reading.centre(numbers[:, :2]) * spread - (spread - 1) / 2
        centres = (within + grid.cells[rows]) * grid.stride[rows, None]
        sizes = self.reading.growth(numbers[:, 2:]) * self.rows.anchors[rows]
        return centre_to_corners(np.concatenate([centres, sizes], axis=1))


def sigmoid_growth(values: Floats) -> Floats:
    """(2 * sigmoid(x))²."""
    return square_of_double(sigmoid(values))


def levels_of(
    shapes: Sequence[tuple[int, ...]], height: int, width: int, strides: Sequence[int]
) -> tuple[int, ...]:
    """Positions of the levels' outputs, the finest first; empty where they are not those of these strides.

    Args:
        shapes: Height and width of each output, in cells.
        height: Pixels of the input.
        width: Pixels of the input.
        strides: Pixels of a cell, one a level.
    """
    wanted = [(-(-height // stride), -(-width // stride)) for stride in strides]
    if sorted(shapes) != sorted(wanted) or len(set(wanted)) != len(wanted):
        return ()
    return tuple(list(shapes).index(one) for one in wanted)
