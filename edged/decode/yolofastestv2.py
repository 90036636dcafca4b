"""YOLO-FastestV2: two levels of three anchors, whose cells share their class.

Exported for PyTorch, six maps: box ``[1, 12, h, w]``, objectness ``[1, 3, h, w]`` and classes ``[1, C, h, w]`` for
strides 16 and 32, nothing applied. Exported for ncnn (``export_onnx``), two ``[1, h, w, 12 + 3 + C]`` with sigmoid and
softmax applied. Centre = (2 * sigmoid - 0.5 + cell) * stride, size = (2 * sigmoid)^2 * anchor, score = objectness *
softmax of the classes. BGR, 0-1, stretched.

Anchors are not in the file: each training may have its own. The published ones, of COCO at 352 by 352, are used where
the model has that size and 80 classes, or where a person says that the model is of this family.

Source: dog-qiuqiu/Yolo-FastestV2, ``model/detector.py``, ``utils/utils.py`` (handel_preds), ``data/coco.data``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import sigmoid, softmax
from edged.decode.columns import are_probabilities, count_of, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition, centre_to_corners
from edged.decode.levels import joined
from edged.decode.nms import require_finite
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(color="BGR", scale=1 / 255, fit=Fit.STRETCH, pad=0)
STRIDES = (16, 32)
ANCHORS = (
    ((12.64, 19.39), (37.88, 51.48), (55.71, 138.31)),
    ((126.91, 78.23), (131.57, 214.55), (279.92, 258.87)),
)
"""Width and height in pixels, a level a row; of COCO at 352 by 352."""
PUBLISHED_SIZE, PUBLISHED_CLASSES = (352, 352), 80
ANCHORS_A_CELL = 3
OBJECTNESS = 4 * ANCHORS_A_CELL
CLASSES = 5 * ANCHORS_A_CELL

_SUM_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class YoloFastestV2Decoder:
    """Six raw maps, or two with everything applied, to candidates.

    Attributes:
        applied: True for the two.
    """

    applied: bool

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        return joined([self._of(level, outputs, min_score) for level in range(len(STRIDES))])

    def _of(self, level: int, outputs: Sequence[Array], min_score: float) -> Detections:
        boxes, objectness, classes, columns = self._parts(level, outputs)
        require_finite(objectness, "scores")
        objectness = objectness if self.applied else sigmoid(objectness)
        anchor, cell = np.nonzero(objectness >= min_score)
        chances = classes[:, cell].T.astype(np.float32)
        chances = chances if self.applied else softmax(chances)
        class_id = chances.argmax(axis=1)
        score = objectness[anchor, cell] * chances[np.arange(len(cell)), class_id]
        require_finite(score, "scores")
        keep = np.flatnonzero(score >= min_score)
        anchor, cell = anchor[keep], cell[keep]
        numbers = boxes.reshape(ANCHORS_A_CELL, 4, -1)[anchor, :, cell].astype(np.float32)
        xyxy = self._boxes(numbers, level, anchor, np.divmod(cell, columns))
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score[keep], class_id[keep].astype(np.int32))

    def _parts(self, level: int, outputs: Sequence[Array]) -> tuple[Array, NDArray[np.float32], Array, int]:
        """(12, cells), (3, cells), (C, cells), and how many cells stand in a line."""
        if self.applied:
            rows = outputs[level].reshape(-1, outputs[level].shape[-1])
            parts = np.split(rows.T, [OBJECTNESS, CLASSES])
            columns = outputs[level].shape[-2]
        else:
            maps = outputs[3 * level : 3 * level + 3]
            parts = [one.reshape(one.shape[-3], -1) for one in maps]
            columns = maps[0].shape[-1]
        return parts[0], parts[1].astype(np.float32), parts[2], columns

    def _boxes(
        self,
        numbers: NDArray[np.float32],
        level: int,
        anchor: NDArray[np.intp],
        yx: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> NDArray[np.float32]:
        chances = numbers if self.applied else sigmoid(numbers)
        cells = np.column_stack([yx[1], yx[0]]).astype(np.float32)
        centres = (chances[:, :2] * 2 - np.float32(0.5) + cells) * np.float32(STRIDES[level])
        sizes = (chances[:, 2:] * 2) ** 2 * np.array(ANCHORS[level], np.float32)[anchor]
        return centre_to_corners(np.concatenate([centres, sizes], axis=1))


class YoloFastestV2:
    """See the head of this file."""

    name = "yolo-fastestv2"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        classes, applied = _raw_classes(evidence), False
        if not classes:
            classes, applied = _applied_classes(evidence), True
        if not classes:
            return None
        size = (evidence.height, evidence.width)
        what = f"{describe(evidence, 0)} and what follows"
        published = classes == PUBLISHED_CLASSES and size == PUBLISHED_SIZE
        if not published and evidence.named != self.name:
            return (
                f"{what} are laid out as YOLO-FastestV2 does, with anchors that the file does not hold; "
                f'if it was trained with those of coco.data, say family = "{self.name}" in model.toml'
            )
        notes = () if published else ("its boxes are sized by the anchors published for COCO at 352 × 352",)
        made = "as chances" if applied else "nothing applied"
        return Recognition(
            family=self.name,
            why=f"{what} are boxes of 3 anchors, objectness and {count_of(classes)} at strides 16 and 32, {made}",
            class_count=classes,
            input=INPUT,
            decoder=YoloFastestV2Decoder(applied),
            overlapping=True,
            notes=notes,
        )


def _cells(evidence: Evidence) -> list[tuple[int, int]]:
    return [(-(-evidence.height // stride), -(-evidence.width // stride)) for stride in STRIDES]


def _raw_classes(evidence: Evidence) -> int:
    """C of six maps in their order; 0 where they are others."""
    trial = evidence.trial
    if len(trial) != 6 or any(one.ndim != 4 or one.dtype.kind != "f" or len(one) != 1 for one in trial):
        return 0
    classes = int(trial[2].shape[1])
    widths = (OBJECTNESS, ANCHORS_A_CELL, classes)
    expected = [(1, width, *cells) for cells in _cells(evidence) for width in widths]
    applied = any(are_probabilities(trial[n].astype(np.float32)) for n in (1, 4))
    return classes if evidence.shapes() == expected and not applied else 0


def _applied_classes(evidence: Evidence) -> int:
    """C of two maps with the channels last; 0 where they are others."""
    trial = evidence.trial
    if len(trial) != 2 or any(one.ndim != 4 or one.dtype.kind != "f" for one in trial):
        return 0
    channels = int(trial[0].shape[3])
    if evidence.shapes() != [(1, *cells, channels) for cells in _cells(evidence)] or channels <= CLASSES:
        return 0
    rows = np.concatenate([one.reshape(-1, channels) for one in trial]).astype(np.float32)
    sums = rows[:, CLASSES:].sum(axis=1)
    sure = are_probabilities(rows) and bool(np.abs(sums - 1).max() < _SUM_TOLERANCE)
    return channels - CLASSES if sure else 0
