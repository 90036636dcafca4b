"""UltraFace (Linzaer's Ultra-Light-Fast-Generic-Face-Detector-1MB): ``scores [1, N, 2]`` and ``boxes [1, N, 4]``.

A row belongs to a prior. Its own export decodes in the graph (x1, y1, x2, y2 in fractions of the input, softmax
applied); exports of the bare network have the same names and shapes, with offsets from the priors instead of boxes, and
with softmax or without. The trial tells: decoded boxes lie where their priors are, offsets are scattered around zero.
What is neither is refused.

Scores are those of background and classes. RGB, (x - 127) / 128, plain resize, scores from 0.7:
``detect_imgs_onnx.py``, ``vision/ssd/config/fd_config.py`` and ``vision/utils/box_utils.py`` of its repository.

Other raw SSDs have priors of their own, which are not in the file: they are refused with what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import softmax
from edged.decode.columns import as_table, count_of, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition
from edged.decode.middle import median
from edged.decode.nms import require_finite
from edged.decode.priors import FACE_STRIDES, by_columns, face_priors, from_offsets
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(
    color="RGB", scale=1.0, fit=Fit.STRETCH, pad=0, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0)
)
MIN_SCORE = 0.7

_MAX_STRAY = 0.5  # priors; decoded boxes measured 0.08, offsets read as boxes 25
_MAX_DISORDER = 0.02  # of decoded rows may have x1 > x2 after integer arithmetic; none measured
_MIN_DISORDER = 0.2  # of rows of offsets have x1 > x2 or y1 > y2; 0.9 measured
_SUM_TOLERANCE = 0.02
_MIN_PRIORS = 200  # fewer rows than this are objects, not priors


@dataclass(frozen=True, slots=True, eq=False)
class PriorDecoder:
    """``[1, N, 1 + C]`` and ``[1, N, 4]`` to candidates: score = the greatest of the classes.

    Attributes:
        scores: Position of the output.
        boxes: Position of the output.
        scale: float32 (4,), input pixels to one unit of decoded boxes.
        priors: float32 (N, 4), centre and size in pixels, where boxes are offsets from them.
        softmax: Whether the scores are logits.
    """

    scores: int
    boxes: int
    scale: NDArray[np.float32]
    priors: NDArray[np.float32] | None
    softmax: bool

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        scores = as_table(outputs[self.scores]).astype(np.float32, copy=False)
        require_finite(scores, "scores")
        classes = (softmax(scores) if self.softmax else scores)[:, 1:]
        best = classes.max(axis=1)
        chosen = np.flatnonzero(best >= min_score)
        rows = as_table(outputs[self.boxes])[chosen].astype(np.float32)
        xyxy = rows * self.scale if self.priors is None else from_offsets(rows, self.priors[chosen])
        require_finite(xyxy, "boxes")
        return Detections(xyxy, best[chosen], classes[chosen].argmax(axis=1).astype(np.int32))


class UltraFace:
    """See the head of this file."""

    name = "ultraface"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = _scores_and_boxes(evidence)
        if found is None:
            return None
        scores_at, boxes_at = found
        what = f"{describe(evidence, scores_at)} and {describe(evidence, boxes_at)}"
        boxes = as_table(evidence.trial[boxes_at]).astype(np.float32)
        priors = ultraface_priors(evidence.height, evidence.width)
        if len(boxes) != len(priors) or len(evidence.outputs) != 2:
            return _other_ssd(what, boxes)
        scale = np.array([evidence.width, evidence.height] * 2, np.float32)
        decoded = _follow(boxes * scale, priors)
        if not decoded and _disorder(boxes) < _MIN_DISORDER:
            return (
                f"{what} have a row for each of UltraFace's {len(priors)} priors, and the boxes neither lie where the "
                "priors are nor are offsets from them; export it with convert_to_onnx.py of its project"
            )
        scores = as_table(evidence.trial[scores_at]).astype(np.float32)
        probabilities = bool(scores.min() >= 0 and (np.abs(scores.sum(axis=1) - 1) < _SUM_TOLERANCE).all())
        if not probabilities and scores.min() >= 0 and scores.max() <= 1:
            return f"{what} have UltraFace's shape, and the scores of a row do not sum to 1; export it with softmax"
        classes = scores.shape[1] - 1
        where = "decoded in the graph, in fractions of the input" if decoded else "as offsets from its prior"
        softened = "" if probabilities else " (logits)"
        return Recognition(
            family=self.name,
            why=f"{what} have a row for each of {len(priors)} priors: scores{softened} of background and "
            f"{count_of(classes)}, a box {where}",
            class_count=classes,
            input=INPUT,
            decoder=PriorDecoder(scores_at, boxes_at, scale, None if decoded else priors, not probabilities),
            overlapping=True,
            usual_labels=("face",),
            min_score=MIN_SCORE,
        )


def ultraface_priors(height: int, width: int) -> NDArray[np.float32]:
    """The priors of an input: float32 (N, 4), centre and size in pixels; 4420 at 320 × 240.

    Cells that an input does not hold whole are stretched, so that they share it evenly, and no prior is larger than the
    input (``generate_priors``).
    """
    scales = []
    for stride in FACE_STRIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        scales.append((rows, columns, height / rows, width / columns))
    return np.minimum(face_priors(scales), np.array([width, height] * 2, np.float32))


def _scores_and_boxes(evidence: Evidence) -> tuple[int, int] | None:
    """Positions of two outputs with as many rows, one of them boxes; its name tells where both have four columns."""
    tables = by_columns(evidence)
    boxes = [index for index in tables.get(4, []) if len(tables[4]) == 1 or index == evidence.output("boxes")]
    if len(boxes) != 1 or len(evidence.trial) > 3:
        return None
    rows = evidence.trial[boxes[0]].shape[-2]
    scores = [
        index
        for columns in sorted(tables)
        for index in tables[columns]
        if columns >= 2 and index != boxes[0] and evidence.trial[index].shape[-2] == rows
    ]
    return (scores[0], boxes[0]) if scores else None


def _follow(xyxy: NDArray[np.float32], priors: NDArray[np.float32]) -> bool:
    """Whether boxes in pixels lie where their priors are."""
    centres = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    stray = np.abs((centres - priors[:, :2]) / priors[:, 2:]).max(axis=1)
    return _disorder(xyxy) <= _MAX_DISORDER and median(stray) < _MAX_STRAY


def _disorder(xyxy: NDArray[np.float32]) -> float:
    """How many of the rows cannot be corners."""
    return float(np.mean((xyxy[:, 0] > xyxy[:, 2]) | (xyxy[:, 1] > xyxy[:, 3])))


def _other_ssd(what: str, boxes: NDArray[np.float32]) -> str | None:
    """Offsets from priors go below zero and in no order; boxes, whatever their form, hardly do."""
    offsets = float(np.mean(boxes < 0)) > _MIN_DISORDER and _disorder(boxes) > _MIN_DISORDER
    if len(boxes) < _MIN_PRIORS or not offsets:
        return None
    return (
        f"{what} are an SSD's scores and offsets from priors that are not in the file; "
        "export it with its boxes decoded in the graph, and with NMS if its tool can"
    )
