"""Detectors that choose for themselves: ``[1, N, 6]``, rows of x1, y1, x2, y2, score, class; no NMS.

YOLOv10, YOLO26, and Ultralytics' exports with NMS in the graph. N is the greatest number of objects, not of
cells; rows beyond the found ones have low scores or are zero. Pose and segmentation models carry more
columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import (
    COCO_KEYPOINTS,
    are_probabilities,
    as_table,
    describe,
    keypoints,
    prototypes,
    tables,
)
from edged.decode.family import ULTRALYTICS, Array, Evidence, Recognition
from edged.decode.grid import Units, fit_grid, is_grid
from edged.decode.listed import DISORDER, MAX_CLASSES
from edged.decode.nms import require_finite
from edged.decode.rows import pixels_to_unit
from edged.detection import Detections

MAX_ROWS = 3000
"""Rows; a hundred to a thousand are usual."""
_FRACTION = 2.0  # coordinates up to this are fractions of the input: no box ends two pixels from the corner


@dataclass(frozen=True, slots=True, eq=False)
class EndToEndDecoder:
    """``[1, N, 6 + …]`` to candidates, which are the objects.

    Attributes:
        output: Position of the output.
        height: Pixels of the input.
        width: Pixels of the input.
        units: None where the trial found nothing: then each answer tells, all of its numbers being below 2
        or not.
    """

    output: int
    height: int
    width: int
    units: Units | None

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        table = as_table(outputs[self.output])
        require_finite(table[:, 4], "scores")
        rows = table[table[:, 4] >= min_score].astype(np.float32)
        require_finite(rows[:, :6], "boxes")
        units = self.units or units_of(rows)
        xyxy = rows[:, :4] * pixels_to_unit(units, self.height, self.width)
        return Detections(xyxy, rows[:, 4].copy(), np.rint(rows[:, 5]).astype(np.int32))


def units_of(rows: NDArray[np.float32]) -> Units:
    """Pixels or fractions, by the greatest coordinate."""
    return Units.FRACTIONS if rows[:, :4].max(initial=0) <= _FRACTION else Units.PIXELS


class EndToEnd:
    """See the head of this file."""

    name = "end2end"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        for index, table in tables(evidence):
            extra = table.shape[1] - 6
            if extra < 0 or len(table) > MAX_ROWS or not _are_objects(table, evidence):
                continue
            notes = []
            masks, points = prototypes(evidence), keypoints(evidence) or COCO_KEYPOINTS
            if extra and extra == masks:
                notes.append("its masks are left out, boxes only")
            elif extra and extra == points:
                notes.append("its keypoints are left out, boxes only")
            elif extra:
                return (
                    f"{describe(evidence, index)} has {extra} columns behind the class that nothing explains"
                )
            return self._recognised(evidence, index, table, notes)
        return None

    def _recognised(
        self, evidence: Evidence, index: int, table: NDArray[np.float32], notes: list[str]
    ) -> Recognition | str:
        what = describe(evidence, index)
        said = table[table[:, :4].any(axis=1)]
        named, greatest = len(evidence.labels), int(table[:, 5].max())
        if named and greatest >= named:
            return f"{what} found class {greatest} in its trial, and the labels name {named}"
        units = units_of(said) if len(said) else None
        meant = f"in {units.value}" if units else "in units that its first objects will tell"
        return Recognition(
            family=self.name,
            why=f"{what} has rows of x1, y1, x2, y2, score, class, {meant}, already chosen by the model",
            class_count=named,
            input=ULTRALYTICS,
            decoder=EndToEndDecoder(index, evidence.height, evidence.width, units),
            overlapping=False,
            notes=tuple(notes),
        )


def _are_objects(table: NDArray[np.float32], evidence: Evidence) -> bool:
    x1, y1, x2, y2, score, class_id = table[:, :6].T
    whole = bool(
        (class_id == np.rint(class_id)).all() and class_id.min() >= 0 and class_id.max() < MAX_CLASSES
    )
    if not whole or not are_probabilities(score):
        return False
    if np.mean((x1 > x2) | (y1 > y2)) > DISORDER:
        return False
    if not is_grid(len(table), evidence.height, evidence.width, anchors=1):
        return True
    # An input so small that this many objects are as many cells: chosen boxes do not follow the cells.
    return fit_grid(table[:, :2], evidence.height, evidence.width, anchors=1) is None
