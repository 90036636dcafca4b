"""SCRFD (InsightFace): at each stride a score ``[N, 1]``, four distances ``[N, 4]`` and five keypoints ``[N, 10]``.

Three strides (8, 16, 32) with two anchors a cell, or five (8 to 128) with one; with keypoints or without; with the
batch or without; names that say nothing (``446``, ``out3``), so that shapes tell what is what. Distances run from the
cell's upper left corner, in cells: left, top, right, bottom. Scores have their sigmoid. RGB, (x - 127.5) / 128, laid
out from the upper left, padded with 0, scores from 0.5: ``detection/scrfd/tools/scrfd.py`` and ``scrfd2onnx.py``.

Without keypoints and with one anchor a cell, any detector of one class that gives distances looks the same: then its
name must say it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, as_table
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.nms import require_finite
from edged.decode.priors import KEYPOINTS_LEFT_OUT, by_columns, listed, points, rows_of, stacked
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(
    color="RGB",
    scale=1.0,
    fit=Fit.LETTERBOX_TOPLEFT,
    pad=0,
    mean=(127.5, 127.5, 127.5),
    std=(128.0, 128.0, 128.0),
)
MIN_SCORE = 0.5

_STRIDES = ((8, 16, 32), (8, 16, 32, 64, 128))
_TURNED_CELLS, _MAX_TURNED = -0.1, 0.05  # so many boxes may end further before they begin; none measured


@dataclass(frozen=True, slots=True, eq=False)
class DistanceDecoder:
    """An output of each kind a stride to candidates.

    Attributes:
        scores: Positions of ``[N, 1]``, the finest stride first.
        boxes: Positions of ``[N, 4]``.
        corners: float32 (N, 2), the upper left corner of each row's cell in pixels.
        stride: float32 (N, 1), pixels of each row's cell.
    """

    scores: tuple[int, ...]
    boxes: tuple[int, ...]
    corners: NDArray[np.float32]
    stride: NDArray[np.float32]

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        score = stacked(outputs, self.scores)[:, 0].astype(np.float32)
        require_finite(score, "scores")
        chosen = np.flatnonzero(score >= min_score)
        distances = stacked(outputs, self.boxes)[chosen].astype(np.float32) * self.stride[chosen]
        require_finite(distances, "boxes")
        corners = self.corners[chosen]
        xyxy = np.concatenate([corners - distances[:, :2], corners + distances[:, 2:]], axis=1)
        return Detections(xyxy, score[chosen], np.zeros(len(chosen), np.int32))


class Scrfd:
    """See the head of this file."""

    name = "scrfd"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        tables = by_columns(evidence)
        scores, boxes, keypoints = tables.get(1, []), tables.get(4, []), tables.get(10, [])
        if len(evidence.outputs) != len(scores) + len(boxes) + len(keypoints):
            return None
        found = _strides_and_anchors(evidence, boxes)
        if found is None or any(
            rows_of(evidence, kind) != rows_of(evidence, boxes) for kind in (scores, keypoints or boxes)
        ):
            return None
        strides, anchors = found
        what = f"{listed(evidence, scores)} and {listed(evidence, boxes)}"
        shaped = f"{what} have SCRFD's shapes"
        if not keypoints and anchors == 1 and evidence.named != self.name:
            return (
                f"{shaped}, and those of any detector that gives one class and distances; "
                'if it is SCRFD, say family = "scrfd" in model.toml'
            )
        if not all(are_probabilities(evidence.trial[at].astype(np.float32)) for at in scores):
            return (
                f"{shaped}, and scores that are no probabilities; export it with its sigmoid (scrfd2onnx.py)"
            )
        if not all(_are_distances(as_table(evidence.trial[at]).astype(np.float32)) for at in boxes):
            return f"{shaped}, and boxes that are no distances from their cells; export it with scrfd2onnx.py"
        shared = f"{anchors} anchors in each cell" if anchors > 1 else "each cell"
        return Recognition(
            family=self.name,
            why=f"{what} have a row for {shared} at strides {'/'.join(map(str, strides))}: a score, and "
            "the distances of a box's sides from the cell",
            class_count=1,
            input=INPUT,
            decoder=DistanceDecoder(
                tuple(scores),
                tuple(boxes),
                *points(evidence.height, evidence.width, [(stride, anchors) for stride in strides]),
            ),
            overlapping=True,
            notes=(KEYPOINTS_LEFT_OUT,) if keypoints else (),
            usual_labels=("face",),
            min_score=MIN_SCORE,
        )


def _strides_and_anchors(evidence: Evidence, boxes: Sequence[int]) -> tuple[tuple[int, ...], int] | None:
    """Those that explain the rows of the outputs that hold boxes; None where none do."""
    for strides in _STRIDES:
        cells = [-(-evidence.height // stride) * -(-evidence.width // stride) for stride in strides]
        for anchors in (1, 2):
            if rows_of(evidence, boxes) == [anchors * count for count in cells]:
                return strides, anchors
    return None


def _are_distances(rows: NDArray[np.float32]) -> bool:
    spans = rows[:, :2] + rows[:, 2:]
    return float(np.mean((spans < _TURNED_CELLS).any(axis=1))) <= _MAX_TURNED
