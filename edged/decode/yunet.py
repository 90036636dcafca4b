"""YuNet of 2023: ``cls``, ``obj``, ``bbox`` and ``kps`` at strides 8, 16 and 32, twelve outputs, a row a cell.

Score = sqrt(cls * obj), each clamped to 0-1; centre = (cell + xy) * stride, size = exp(wh) * stride. The two scores are
alike in shape and in use, so nothing needs their names. BGR, 0-255, laid out from the upper left, padded with 0:
OpenCV's ``FaceDetectorYN`` (``modules/objdetect/src/face_detect.cpp``) on ``face_detection_yunet_2023mar.onnx`` of its
Zoo, and the export of libfacedetection.train. Scores from 0.6: the Zoo's ``yunet.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, as_table
from edged.decode.family import Array, Evidence, InputDefaults, Recognition, centre_to_corners
from edged.decode.grid import MAX_STRAY_CELLS
from edged.decode.middle import median
from edged.decode.nms import require_finite
from edged.decode.priors import KEYPOINTS_LEFT_OUT, by_columns, listed, points, rows_of, stacked
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(color="BGR", scale=1.0, fit=Fit.LETTERBOX_TOPLEFT, pad=0)
MIN_SCORE = 0.6

_STRIDES = (8, 16, 32)


@dataclass(frozen=True, slots=True, eq=False)
class YuNetDecoder:
    """Three outputs of each kind to candidates.

    Attributes:
        cls: Positions of ``[1, N, 1]``, the finest stride first.
        obj: As ``cls``.
        boxes: Positions of ``[1, N, 4]``.
        corners: float32 (N, 2), the upper left corner of each row's cell in pixels.
        stride: float32 (N, 1), pixels of each row's cell.
    """

    cls: tuple[int, ...]
    obj: tuple[int, ...]
    boxes: tuple[int, ...]
    corners: NDArray[np.float32]
    stride: NDArray[np.float32]

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        cls, obj = (stacked(outputs, at)[:, 0].astype(np.float32) for at in (self.cls, self.obj))
        require_finite(cls, "scores")
        require_finite(obj, "scores")
        score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
        chosen = np.flatnonzero(score >= min_score)
        rows = stacked(outputs, self.boxes)[chosen].astype(np.float32)
        stride = self.stride[chosen]
        with np.errstate(over="ignore"):  # an infinite size is found and named below
            sizes = np.exp(rows[:, 2:]) * stride
        centres = self.corners[chosen] + rows[:, :2] * stride
        require_finite(sizes, "boxes")
        require_finite(centres, "boxes")
        xyxy = centre_to_corners(np.concatenate([centres, sizes], axis=1))
        return Detections(xyxy, score[chosen], np.zeros(len(chosen), np.int32))


class YuNet:
    """See the head of this file."""

    name = "yunet"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        tables = by_columns(evidence)
        if len(evidence.outputs) != 12 or {c: len(at) for c, at in tables.items()} != {1: 6, 4: 3, 10: 3}:
            return None
        cells = [-(-evidence.height // stride) * -(-evidence.width // stride) for stride in _STRIDES]
        if rows_of(evidence, tables[4]) != cells or rows_of(evidence, tables[10]) != cells:
            return None
        cls, obj, boxes = tables[1][::2], tables[1][1::2], tables[4]
        if rows_of(evidence, cls) != cells or rows_of(evidence, obj) != cells:
            return None
        what = f"{listed(evidence, sorted(tables[1]))} and {listed(evidence, boxes)}"
        if not all(are_probabilities(evidence.trial[at].astype(np.float32)) for at in tables[1]):
            return f"{what} have YuNet's shapes, and scores that are no probabilities; export it with its sigmoid"
        for at in boxes:
            centres = as_table(evidence.trial[at])[:, :2].astype(np.float32)
            if median(np.abs(centres - 0.5)) > MAX_STRAY_CELLS:
                return f"{what} have YuNet's shapes, and boxes that are not relative to their cells"
        return Recognition(
            family=self.name,
            why=f"{what} have a row for each of the {sum(cells)} cells at strides 8/16/32: two scores, a box relative "
            "to its cell",
            class_count=1,
            input=INPUT,
            decoder=YuNetDecoder(
                tuple(cls),
                tuple(obj),
                tuple(boxes),
                *points(evidence.height, evidence.width, [(stride, 1) for stride in _STRIDES]),
            ),
            overlapping=True,
            notes=(KEYPOINTS_LEFT_OUT,),
            usual_labels=("face",),
            min_score=MIN_SCORE,
        )
