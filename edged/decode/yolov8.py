"""The layout of YOLOv8, 9, 11, 12 and 26: ``[1, 4 + C, N]``, a column a cell, no objectness.

Centre and size are in pixels, or in fractions of the input where an integer export asked for one range of
numbers; the trial tells which. Pose and segmentation models carry more rows behind the classes: their boxes
are served. Turned over (``[1, N, 4 + C]``) it looks like YOLOX decoded in the graph, and labels or metadata
must say which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import as_table, count_of, describe, share_columns, tables
from edged.decode.family import ULTRALYTICS, Array, Evidence, Recognition, centre_to_corners
from edged.decode.grid import Units, fit_grid, is_grid
from edged.decode.nms import best_scores, require_finite
from edged.decode.rows import always_sure, may_lack_objectness, pixels_of
from edged.detection import Detections


@dataclass(frozen=True, slots=True, eq=False)
class ColumnDecoder:
    """``[1, 4 + C, N]`` to candidates: score = the greatest of the classes.

    Attributes:
        output: Position of the output.
        class_count: C; rows behind are left out.
        scale: float32 (4,), input pixels to one unit of the boxes.
        turned: True for ``[1, N, 4 + C]``.
    """

    output: int
    class_count: int
    scale: NDArray[np.float32]
    turned: bool = False

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        table = as_table(outputs[self.output])
        if self.turned:
            table = table.T
        scores = table[4 : 4 + self.class_count]
        best = best_scores(scores)
        chosen = np.flatnonzero(best >= min_score)
        xyxy = centre_to_corners(table[:4, chosen].T.astype(np.float32) * self.scale)
        require_finite(xyxy, "boxes")
        return Detections(xyxy, best[chosen], scores[:, chosen].argmax(axis=0).astype(np.int32))


class YoloV8:
    """See the head of this file."""

    name = "yolov8"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        for index, table, turned in _candidates(evidence):
            what = describe(evidence, index)
            if turned and always_sure(table):
                continue
            fitted = fit_grid(table[:, :2], evidence.height, evidence.width, anchors=1)
            if fitted is None or fitted[1] is Units.CELLS:
                if turned:
                    continue
                return f"{what} has YOLOv8's shape, and its boxes do not lie where the cells are"
            grid, units = fitted
            shares = share_columns(evidence, table[:, 4:])
            if isinstance(shares, str):
                return shares
            return Recognition(
                family=self.name,
                why=f"{what} has a box for {grid}, in {units.value}, and {count_of(shares.class_count)}",
                class_count=shares.class_count,
                input=ULTRALYTICS,
                decoder=ColumnDecoder(index, shares.class_count, pixels_of(units, grid), turned),
                overlapping=True,
                notes=shares.notes,
            )
        return None


def _candidates(evidence: Evidence) -> Iterator[tuple[int, NDArray[np.float32], bool]]:
    """Outputs of this shape, a row a box: the position, (N, 4 + C), and whether the model gives them so."""
    for index, table in tables(evidence):
        if is_grid(table.shape[1], evidence.height, evidence.width, anchors=1):
            yield index, table.T, False
        if is_grid(table.shape[0], evidence.height, evidence.width, anchors=1) and may_lack_objectness(
            evidence, table.shape[1]
        ):
            yield index, table, True
