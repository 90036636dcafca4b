"""Rows of centre, size, objectness and classes: what YOLOv5, YOLOv6, YOLOv7 and YOLOX have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import as_table
from edged.decode.family import Array, Evidence, centre_to_corners
from edged.decode.grid import Grid, Units
from edged.decode.nms import require_finite
from edged.detection import Detections


@dataclass(frozen=True, slots=True, eq=False)
class RowDecoder:
    """``[1, N, 5 + C]`` to candidates: score = objectness * class score.

    Attributes:
        output: Position of the output.
        class_count: C; columns behind are left out.
        scale: float32 (4,), input pixels to one unit of the boxes.
        grid: Where centres are relative to their cells and sizes are logarithms (YOLOX as trained): its
        cells.
    """

    output: int
    class_count: int
    scale: NDArray[np.float32]
    grid: Grid | None = None

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        table = as_table(outputs[self.output])
        objectness = table[:, 4].astype(np.float32)
        require_finite(objectness, "scores")
        chosen = np.flatnonzero(objectness >= min_score)
        if not len(chosen):
            return Detections.empty()
        rows = table[chosen].astype(np.float32, copy=False)
        scores = rows[:, 5 : 5 + self.class_count]
        score = rows[:, 4] * scores.max(axis=1)
        require_finite(score, "scores")
        keep = score >= min_score
        if not keep.all():
            rows, scores, score, chosen = rows[keep], scores[keep], score[keep], chosen[keep]
        xyxy = self._boxes(rows[:, :4], chosen)
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score, scores.argmax(axis=1).astype(np.int32))

    def _boxes(self, boxes: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
        if self.grid is None:
            return centre_to_corners(boxes * self.scale)
        stride = self.grid.stride[rows, None]
        with np.errstate(over="ignore"):  # an infinite size is found and named by the caller
            sizes = np.exp(boxes[:, 2:])
        return centre_to_corners(
            np.concatenate([boxes[:, :2] + self.grid.cells[rows], sizes], axis=1) * stride
        )


def pixels_of(units: Units, grid: Grid) -> NDArray[np.float32]:
    """Input pixels to one unit of x, y, width, height: float32 (4,)."""
    return pixels_to_unit(units, grid.height, grid.width)


def pixels_to_unit(units: Units, height: int, width: int) -> NDArray[np.float32]:
    """As `pixels_of`, of an input without a grid."""
    return np.array([width, height] * 2 if units is Units.FRACTIONS else [1] * 4, np.float32)


def may_have_objectness(evidence: Evidence, columns: int) -> bool:
    """Whether rows of so many columns can be box, objectness and classes.

    ``[1, N, K]`` is 4 + 1 + C or 4 + C. The number of labels decides; without labels, 80 classes are COCO's
    and 85 columns have objectness, 84 have none; anything else can be either.
    """
    names = len(evidence.labels)
    if names:
        return columns != 4 + names
    return columns != 84


def may_lack_objectness(evidence: Evidence, columns: int) -> bool:
    """Whether rows of so many columns can be box and classes, as `may_have_objectness`."""
    names = len(evidence.labels)
    if names:
        return columns == 4 + names or "task" in evidence.metadata
    return columns != 85


def always_sure(table: NDArray[np.float32]) -> bool:
    """Whether every row says objectness 1: YOLOv6 has none, and fills the column."""
    return bool((table[:, 4] == 1).all())
