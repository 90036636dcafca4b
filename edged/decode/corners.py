"""Boxes as corners in pixels, a row a cell, with the class scores in another output: decoded, not suppressed.

PaddleDetection without its NMS and YOLO-NAS without its own give this. What tells it from other pairs of boxes and
scores is that the boxes lie where the cells are, in pixels of the input.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, as_table, is_table
from edged.decode.family import Array, Evidence
from edged.decode.grid import STRIDES, Grid, Units, count_rows, fit_grid
from edged.decode.nms import best_scores, require_finite
from edged.detection import Detections


@dataclass(frozen=True, slots=True)
class CornerDecoder:
    """Boxes and scores to candidates: score = the greatest of the classes.

    Attributes:
        boxes: Position of the output [1, N, 4], or [1, N, 4 + C] with the scores behind: x1, y1, x2, y2 in pixels.
        scores: Position of the output [1, N, C]; the same where the scores stand behind the boxes.
        turned: True where scores are [1, C, N].
    """

    boxes: int
    scores: int
    turned: bool = False

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        boxes, scores = as_table(outputs[self.boxes]), as_table(outputs[self.scores])
        if self.boxes == self.scores:
            scores = scores[:, 4:]
        if not self.turned:
            scores = scores.T
        best = best_scores(scores)
        chosen = np.flatnonzero(best >= min_score)
        xyxy = boxes[chosen, :4].astype(np.float32)
        require_finite(xyxy, "boxes")
        return Detections(xyxy, best[chosen], scores[:, chosen].argmax(axis=0).astype(np.int32))


@dataclass(frozen=True, slots=True)
class Corners:
    """What a pair of outputs, or one output, was found to hold.

    Attributes:
        decoder: Where it stands.
        class_count: C.
        grid: Whose cells the boxes follow.
    """

    decoder: CornerDecoder
    class_count: int
    grid: Grid


def corners_of(evidence: Evidence) -> Corners | None:
    """Find boxes of corners with their scores among one or two outputs; None where they are something else."""
    trial = evidence.trial
    if len(trial) not in {1, 2} or not all(is_table(one) for one in trial):
        return None
    tables = [as_table(one).astype(np.float32) for one in trial]
    if len(tables) == 1:
        return _in_one(evidence, tables[0])
    for boxes, scores in ((0, 1), (1, 0)):
        rows = len(tables[boxes])
        if tables[boxes].shape[1] != 4 or rows not in tables[scores].shape:
            continue
        grid = _followed(evidence, tables[boxes])
        if grid is None or not are_probabilities(tables[scores]):
            continue
        turned = len(tables[scores]) != rows
        return Corners(CornerDecoder(boxes, scores, turned), tables[scores].shape[0 if turned else 1], grid)
    return None


def _in_one(evidence: Evidence, table: NDArray[np.float32]) -> Corners | None:
    if table.shape[1] < 5 or not are_probabilities(table[:, 4:]):
        return None
    grid = _followed(evidence, table[:, :4])
    return None if grid is None else Corners(CornerDecoder(0, 0), table.shape[1] - 4, grid)


def _followed(evidence: Evidence, xyxy: NDArray[np.float32]) -> Grid | None:
    """The grid whose cells all these boxes lie at, in pixels, its levels in either order."""
    if (xyxy[:, :2] > xyxy[:, 2:]).any():
        return None
    centres = (xyxy[:, :2] + xyxy[:, 2:]) / np.float32(2)
    for strides in STRIDES:
        levels = [count_rows(evidence.height, evidence.width, (stride,)) for stride in strides]
        if sum(levels) != len(xyxy):
            continue
        turned: NDArray[np.float32] = np.concatenate(np.split(centres, np.cumsum(levels[::-1])[:-1])[::-1])
        for one in (centres, turned):
            fitted = fit_grid(one, evidence.height, evidence.width, anchors=1)
            if fitted is not None and fitted[1] is Units.PIXELS:
                return fitted[0]
    return None
