"""RetinaNet of NVIDIA (ONNX Model Zoo): five maps of class scores, then five of boxes, relative to nine anchors a cell.

Scores are ``[1, 9 * C, h, w]``, sigmoid done, boxes ``[1, 36, h, w]`` (an anchor's four numbers beside each other), at
strides 8, 16, 32, 64, 128. Anchors have sides of 4, 4 * 2^(1/3) and 4 * 2^(2/3) strides and the shapes 1, 2 and 1/2,
the shape changing fastest. A box is centre and logarithm of the size relative to its anchor, on pixels counted whole (a
box from pixel 0 to pixel 7 is 8 wide). NMS is left to edged. RGB with ImageNet's mean and deviation; the picture keeps
its shape, and lies in the upper left corner with 114 beside it, close to the mean that training pads with.

RetinaNet of torchvision is of the family ``torchvision``.

Source: NVIDIA/retinanet-examples, ``retinanet/model.py`` and ``retinanet/box.py``; onnx/models,
``vision/object_detection_segmentation/retinanet``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, count_of, describe
from edged.decode.family import IMAGENET, Array, Evidence, Recognition, centre_to_corners
from edged.decode.levels import joined
from edged.decode.nms import best_scores, require_finite
from edged.detection import Detections
from edged.fit import Fit

INPUT = replace(IMAGENET, fit=Fit.LETTERBOX_TOPLEFT)
STRIDES = (8, 16, 32, 64, 128)
RATIOS = (1.0, 2.0, 0.5)
"""Height to width of an anchor."""
SCALES = tuple(4 * 2 ** (third / 3) for third in range(3))
"""Strides to the side of a square anchor."""
ANCHORS = len(RATIOS) * len(SCALES)


@dataclass(frozen=True, slots=True)
class AnchorMapDecoder:
    """Pairs of maps to candidates: score = the greatest of an anchor's classes.

    Attributes:
        class_count: C.
        height: Pixels of the input.
        width: Pixels of the input.
    """

    class_count: int
    height: int
    width: int

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        half = len(STRIDES)
        levels = zip(outputs[:half], outputs[half:], STRIDES, strict=True)
        return joined([self._of(scores, boxes, stride, min_score) for scores, boxes, stride in levels])

    def _of(self, scores: Array, boxes: Array, stride: int, min_score: float) -> Detections:
        columns = scores.shape[3]
        table = scores.reshape(ANCHORS * self.class_count, -1)
        cells = np.flatnonzero(best_scores(table) >= min_score)
        by_anchor = table[:, cells].reshape(ANCHORS, self.class_count, -1).astype(np.float32)
        anchor, chosen = np.nonzero(by_anchor.max(axis=1) >= min_score)
        class_id = by_anchor[anchor, :, chosen].argmax(axis=1).astype(np.int32)
        cell = cells[chosen]
        numbers = boxes.reshape(ANCHORS, 4, -1)[anchor, :, cell].astype(np.float32)
        corner = np.stack([cell % columns, cell // columns], axis=1).astype(np.float32) * stride
        xyxy = placed(numbers, corner, anchor_sizes(stride)[anchor], stride)
        require_finite(xyxy, "boxes")
        limit = np.array([self.width, self.height] * 2, np.float32)
        return Detections(np.clip(xyxy, 0, limit), by_anchor[anchor, class_id, chosen], class_id)


def anchor_sizes(stride: int) -> NDArray[np.float32]:
    """Width and height of the nine anchors of a level, in whole pixels' count: float32 (9, 2)."""
    shapes = np.array([(ratio**-0.5, ratio**0.5) for ratio in RATIOS], np.float32)
    sizes = np.array(SCALES, np.float32)[:, None, None] * shapes * np.float32(stride)
    return sizes.reshape(-1, 2) + np.float32(1)


def placed(
    numbers: NDArray[np.float32], corner: NDArray[np.float32], sizes: NDArray[np.float32], stride: int
) -> NDArray[np.float32]:
    """Boxes relative to their anchors to corners in pixels.

    Args:
        numbers: float32 (N, 4).
        corner: float32 (N, 2), the upper left corner of each box's cell.
        sizes: float32 (N, 2), of each box's anchor.
        stride: Pixels of a cell.
    """
    middle = corner + np.float32(stride / 2 + 0.5)
    with np.errstate(over="ignore"):  # an infinite size is found and named by the caller
        grown = np.exp(numbers[:, 2:]) * sizes
    return centre_to_corners(np.concatenate([numbers[:, :2] * sizes + middle, grown], axis=1))


class RetinaNet:
    """See the head of this file."""

    name = "retinanet"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        classes = _classes_of(evidence)
        if not classes:
            return None
        what = f"{describe(evidence, 0)} and {describe(evidence, len(STRIDES))}"
        if not all(are_probabilities(evidence.trial[n].astype(np.float32)) for n in range(len(STRIDES))):
            return f"{what} have RetinaNet's shape, and the scores are no probabilities; export it with its sigmoid"
        return Recognition(
            family=self.name,
            why=f"{what} have scores of {count_of(classes)} and a box for {ANCHORS} anchors in each cell at stride 8, "
            "and so on to stride 128",
            class_count=classes,
            input=INPUT,
            decoder=AnchorMapDecoder(classes, evidence.height, evidence.width),
            overlapping=True,
        )


def _classes_of(evidence: Evidence) -> int:
    """How many classes five maps of scores and five of boxes hold; 0 where they are something else."""
    shapes, half = evidence.shapes(), len(STRIDES)
    if len(shapes) != 2 * half or any(output.dtype.kind != "f" for output in evidence.trial):
        return 0
    channels = shapes[0][1] if len(shapes[0]) == 4 else 0
    cells = [(-(-evidence.height // stride), -(-evidence.width // stride)) for stride in STRIDES]
    wanted = [(1, count, *cell) for count in (channels, 4 * ANCHORS) for cell in cells]
    return channels // ANCHORS if channels and channels % ANCHORS == 0 and shapes == wanted else 0
