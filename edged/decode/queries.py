"""What a transformer's queries answer, one row a query: class logits [1, Q, K] and boxes [1, Q, 4], no NMS.

Boxes are centre, width and height in fractions of the input. What the K columns mean is the family's: softmax with a
last column for "no object" (DETR), or a sigmoid each, where one query may answer with several classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import sigmoid, softmax
from edged.decode.columns import as_table, describe
from edged.decode.family import Array, Evidence, centre_to_corners
from edged.decode.nms import require_finite
from edged.detection import Detections

_LEAST, _GREATEST = -1.0, 2.0  # of a centre or size in fractions; what hangs out of the picture stays within


@dataclass(frozen=True, slots=True)
class Queries:
    """Where the two stand.

    Attributes:
        logits: Position of the output [1, Q, K] or [Q, K].
        boxes: Position of the output [1, Q, 4] or [Q, 4].
        columns: K.
    """

    logits: int
    boxes: int
    columns: int

    def describe(self, evidence: Evidence) -> str:
        """As a person knows it: ``pred_logits [1, 100, 92] and pred_boxes [1, 100, 4]``."""
        return f"{describe(evidence, self.logits)} and {describe(evidence, self.boxes)}"


@dataclass(frozen=True, slots=True, eq=False)
class QueryDecoder:
    """Logits and boxes to candidates, which are the objects.

    Attributes:
        at: Where they stand.
        columns: int (C,), the columns that stand for classes.
        class_ids: int32 (C,), the classes they stand for.
        scale: float32 (4,), input pixels to one unit of the boxes.
        softmax: True where a query has one class, the greatest of the columns or none; False where each column says
            yes or no for itself.
    """

    at: Queries
    columns: NDArray[np.intp]
    class_ids: NDArray[np.int32]
    scale: NDArray[np.float32]
    softmax: bool = False

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """See `edged.decode.family.Decoder`.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes.
        """
        logits = as_table(outputs[self.at.logits]).astype(np.float32)
        require_finite(logits, "scores")
        if self.softmax:
            scores = softmax(logits)[:, self.columns]
            best = scores.argmax(axis=1)
            score = scores[np.arange(len(scores)), best]
            row = np.flatnonzero(score >= min_score)
            score, column = score[row], best[row]
        else:
            wanted = logits[:, self.columns]
            row, column = np.nonzero(wanted >= _logit(min_score))
            score = sigmoid(wanted[row, column])
        boxes = as_table(outputs[self.at.boxes])[row].astype(np.float32)
        xyxy = centre_to_corners(boxes * self.scale)
        require_finite(xyxy, "boxes")
        return Detections(xyxy, score, self.class_ids[column])


def _logit(chance: float) -> np.float32:
    if chance <= 0 or chance >= 1:
        return np.float32(-np.inf if chance <= 0 else np.inf)
    return np.float32(np.log(chance / (1 - chance)))


def queries_named(evidence: Evidence, logits: Sequence[str], boxes: Sequence[str]) -> Queries | None:
    """Find the two by their names; None where one is missing, or they are not as many rows of such numbers."""
    at, box = evidence.output(*logits), evidence.output(*boxes)
    if at is None or box is None:
        return None
    both = [evidence.trial[at], evidence.trial[box]]
    if any(
        one.dtype.kind != "f" or one.ndim not in {2, 3} or one.shape[:-2] not in {(), (1,)} for one in both
    ):
        return None
    if both[0].shape[:-1] != both[1].shape[:-1] or both[1].shape[-1] != 4 or not both[0].size:
        return None
    return Queries(at, box, both[0].shape[-1])


def are_centres_in_fractions(evidence: Evidence, found: Queries) -> bool:
    """Whether the trial's boxes can be centre and size in fractions of the input."""
    boxes = as_table(evidence.trial[found.boxes])
    inside = boxes.min() >= _LEAST and boxes.max() <= _GREATEST
    return bool(inside and boxes[:, 2:].min() >= 0)


def column_range(first: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Columns ``first`` and the following, ``count`` in all, and the classes 0, 1 … they stand for."""
    return np.arange(first, first + count), np.arange(count, dtype=np.int32)


def masks_left_out(evidence: Evidence) -> tuple[str, ...]:
    """A note where masks stand beside the boxes."""
    masks = any(output.ndim == 4 for output in evidence.trial)
    return ("its masks are left out, boxes only",) if masks else ()
