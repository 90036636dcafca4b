"""BlazeFace (MediaPipe): ``regressors [1, N, 16]`` and ``classificators [1, N, 1]``, or the same in an output a scale.

Three published models, told by input and rows: short range (128 × 128, 896 rows), back camera (256 × 256, 896 rows),
full range (192 × 192, 2304 rows). A row belongs to an anchor in the middle of its cell. Anchors have no size of their
own: the first four numbers are the way to the centre and a size, in pixels, and six keypoints follow. Scores want a
sigmoid. RGB, -1 to 1, letterbox in the middle, black: MediaPipe's ``face_detection.pbtxt``,
``face_detection_short_range.pbtxt`` and ``face_detection_full_range.pbtxt`` in ``modules/face_detection``, and for the
back camera hollance/BlazeFace-PyTorch, ``blazeface.py``. Exports of tf2onnx (NHWC) and of PyTorch (NCHW) are alike in
this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import sigmoid
from edged.decode.columns import are_probabilities
from edged.decode.family import Array, Evidence, InputDefaults, Recognition, centre_to_corners
from edged.decode.middle import median
from edged.decode.nms import require_finite
from edged.decode.priors import KEYPOINTS_LEFT_OUT, by_columns, listed, points, rows_of, stacked
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(
    color="RGB",
    scale=1.0,
    fit=Fit.LETTERBOX,
    pad=0,
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
)

_NUMBERS = 4 + 6 * 2

_LEAST_SIZE_PX = (
    2.0  # of the median box in a trial; 27 to 97 measured, and fractions of the input stay below 1
)


@dataclass(frozen=True, slots=True)
class Published:
    """One of MediaPipe's models.

    Attributes:
        range: What MediaPipe calls it.
        levels: Pixels of a cell, and anchors in a cell, for each scale.
        min_score: Of its graph.
    """

    range: str
    levels: tuple[tuple[int, int], ...]
    min_score: float


PUBLISHED: Mapping[int, Published] = {
    128: Published("short range", ((8, 2), (16, 6)), 0.5),
    256: Published("back camera", ((16, 2), (32, 6)), 0.65),
    192: Published("full range", ((4, 1),), 0.6),
}
"""By the side of the square input."""


@dataclass(frozen=True, slots=True, eq=False)
class AnchorPointDecoder:
    """Scores and offsets from points to candidates.

    Attributes:
        scores: Positions of ``[1, N, 1]``, the finest stride first.
        boxes: Positions of ``[1, N, 16]``.
        points: float32 (N, 2), the middle of each row's cell in pixels.
        sigmoid: Whether the scores are logits.
    """

    scores: tuple[int, ...]
    boxes: tuple[int, ...]
    points: NDArray[np.float32]
    sigmoid: bool

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        score = stacked(outputs, self.scores)[:, 0].astype(np.float32)
        require_finite(score, "scores")
        if self.sigmoid:
            score = sigmoid(score)
        chosen = np.flatnonzero(score >= min_score)
        rows = stacked(outputs, self.boxes)[chosen, :4].astype(np.float32)
        require_finite(rows, "boxes")
        rows[:, :2] += self.points[chosen]
        return Detections(centre_to_corners(rows), score[chosen], np.zeros(len(chosen), np.int32))


class BlazeFace:
    """See the head of this file."""

    name = "blazeface"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        tables = by_columns(evidence)
        boxes, scores = tables.get(_NUMBERS, []), tables.get(1, [])
        published = PUBLISHED.get(evidence.width) if evidence.width == evidence.height else None
        if published is None or len(evidence.outputs) != len(boxes) + len(scores):
            return None
        rows = [(evidence.width // stride) ** 2 * anchors for stride, anchors in published.levels]
        if rows_of(evidence, boxes) not in (rows, [sum(rows)]) or rows_of(evidence, scores) != rows_of(
            evidence, boxes
        ):
            return None
        what = f"{listed(evidence, boxes)} and {listed(evidence, scores)}"
        logits = stacked(evidence.trial, scores).astype(np.float32)
        sizes = stacked(evidence.trial, boxes)[:, 2:4]
        if median(sizes) < _LEAST_SIZE_PX:
            return (
                f"{what} have BlazeFace's shapes, and boxes that are not in pixels of the input; "
                "convert MediaPipe's file with tf2onnx"
            )
        corners, stride = points(evidence.height, evidence.width, published.levels)
        return Recognition(
            family=self.name,
            why=f"{what} have a row for each of the {sum(rows)} anchors of BlazeFace {published.range}: "
            "a box from its anchor, six keypoints, a score",
            class_count=1,
            input=INPUT,
            decoder=AnchorPointDecoder(
                tuple(scores),
                tuple(boxes),
                (corners + stride / 2).astype(np.float32),
                sigmoid=not are_probabilities(logits),
            ),
            overlapping=True,
            notes=(KEYPOINTS_LEFT_OUT,),
            usual_labels=("face",),
            min_score=published.min_score,
        )
