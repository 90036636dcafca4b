"""FastestDet: one map ``[1, 1 + 4 + C, H/16, W/16]``, a cell an object at most.

Channels are objectness, four numbers of the box, and the classes; the head applies sigmoid to the first and softmax to
the last. Centre = (cell + tanh) * 16, size = sigmoid * input, score = objectness^0.6 * class^0.4. BGR, 0-1, stretched.
A map whose last channels sum to 1 in every cell behind one of probabilities is of no other kind.

Source: dog-qiuqiu/FastestDet, ``module/custom_layers.py`` (DetectHead), ``utils/tool.py`` (handle_preds), ``test.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import sigmoid
from edged.decode.columns import are_probabilities, count_of, describe
from edged.decode.family import Array, Evidence, InputDefaults, Recognition, centre_to_corners
from edged.decode.nms import best_scores, require_finite
from edged.detection import Detections
from edged.fit import Fit

INPUT = InputDefaults(color="BGR", scale=1 / 255, fit=Fit.STRETCH, pad=0)
STRIDE = 16
BOX = slice(1, 5)
CLASSES = 5
MIN_SCORE = 0.5
"""The weighted mean of two chances is higher than the product that other families give."""

_OBJECTNESS_POWER, _CLASS_POWER = 0.6, 0.4
_SUM_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class FastestDetDecoder:
    """``[1, 5 + C, h, w]`` to candidates.

    Attributes:
        height: Pixels of the input.
        width: Pixels of the input.
    """

    height: int
    width: int

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        channels, columns = outputs[0].shape[-3], outputs[0].shape[-1]
        cells = outputs[0].reshape(channels, -1)
        objectness = cells[0].astype(np.float32)
        require_finite(objectness, "scores")
        best = best_scores(cells[CLASSES:])
        score = (
            np.clip(objectness, 0, 1) ** np.float32(_OBJECTNESS_POWER)
            * np.clip(best, 0, 1) ** np.float32(_CLASS_POWER)
        )  # fmt: skip
        chosen = np.flatnonzero(score >= min_score)
        xyxy = self._boxes(cells[BOX, chosen].T.astype(np.float32), chosen, columns)
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score[chosen], cells[CLASSES:, chosen].argmax(axis=0).astype(np.int32))

    def _boxes(
        self, numbers: NDArray[np.float32], chosen: NDArray[np.intp], columns: int
    ) -> NDArray[np.float32]:
        y, x = np.divmod(chosen, columns)
        centres = (np.column_stack([x, y]).astype(np.float32) + np.tanh(numbers[:, :2])) * np.float32(STRIDE)
        sizes = sigmoid(numbers[:, 2:]) * np.array([self.width, self.height], np.float32)
        return centre_to_corners(np.concatenate([centres, sizes], axis=1))


class FastestDet:
    """See the head of this file."""

    name = "fastestdet"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        if len(evidence.trial) != 1 or not _is_map(evidence.trial[0], evidence):
            return None
        cells = evidence.trial[0].reshape(evidence.trial[0].shape[-3], -1).astype(np.float32)
        classes = len(cells) - CLASSES
        sums = cells[CLASSES:].sum(axis=0)
        if not are_probabilities(cells[0]) or np.abs(sums - 1).max() > _SUM_TOLERANCE:
            return None
        if not are_probabilities(cells[CLASSES:]) or are_probabilities(cells[BOX]):
            return None
        return Recognition(
            family=self.name,
            why=(
                f"{describe(evidence, 0)} is a map at stride {STRIDE} of objectness, box and {count_of(classes)} that "
                "sum to 1 in each cell"
            ),
            class_count=classes,
            input=INPUT,
            decoder=FastestDetDecoder(evidence.height, evidence.width),
            overlapping=True,
            min_score=MIN_SCORE,
        )


def _is_map(output: Array, evidence: Evidence) -> bool:
    if output.dtype.kind != "f" or output.ndim not in {3, 4} or output.shape[:-3] not in {(), (1,)}:
        return False
    cells = (-(-evidence.height // STRIDE), -(-evidence.width // STRIDE))
    return bool(output.shape[-2:] == cells and output.shape[-3] > CLASSES)
