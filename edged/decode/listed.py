"""Rows of what a model found by itself, NMS done: a column each for class, score and corners, in the family's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities
from edged.decode.family import Array
from edged.decode.nms import require_finite
from edged.detection import Detections

MAX_CLASSES = 20_000
DISORDER = 0.02
"""Of the rows may have x1 > x2 after integer arithmetic."""


@dataclass(frozen=True, slots=True)
class ListDecoder:
    """``[N, K]`` or ``[1, N, K]`` to candidates, which are the objects. N may change from picture to picture, and be 0.

    Attributes:
        output: Position of the output.
        columns: Of x1, y1, x2, y2 (pixels), score and class, in this order.
        first_class: The number of the first class; rows of a lower one are padding.
    """

    output: int
    columns: tuple[int, int, int, int, int, int]
    first_class: int = 0

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        table = self.rows(outputs[self.output])
        score = table[:, 4].astype(np.float32)
        require_finite(score, "scores")
        found = table[score >= min_score].astype(np.float32)
        require_finite(found, "boxes")
        found = found[found[:, 5] >= self.first_class]
        class_id = np.rint(found[:, 5]).astype(np.int32) - self.first_class
        return Detections(found[:, :4], found[:, 4].copy(), class_id)

    def rows(self, output: Array) -> Array:
        """(N, 6): x1, y1, x2, y2, score, class."""
        return output.reshape(-1, output.shape[-1])[:, list(self.columns)]

    def may_read(self, output: Array) -> bool:
        """Whether a trial's rows hold what the columns say; true of no rows."""
        rows = self.rows(output).astype(np.float32)
        if not len(rows):
            return True
        class_id, score = rows[:, 5], rows[:, 4]
        whole = bool((class_id == np.rint(class_id)).all() and class_id.max() < MAX_CLASSES)
        padding = class_id < self.first_class
        in_order = np.mean((rows[:, :2] > rows[:, 2:4]).any(axis=1)) <= DISORDER
        return whole and class_id.min() >= -1 and bool(in_order) and are_probabilities(score * ~padding)

    def greatest_class(self, output: Array) -> int:
        """Of a trial's rows, counted from 0; -1 where there are none."""
        rows: NDArray[np.float32] = self.rows(output).astype(np.float32)
        return int(rows[:, 5].max(initial=-1 + self.first_class)) - self.first_class
