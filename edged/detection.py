"""What a detector found, as a struct of arrays until it becomes a message."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N found objects, best score first.

    Attributes:
        xyxy: float32 (N, 4): x1, y1, x2, y2 in pixels; the space (frame or model) is the holder's to say.
        score: float32 (N,), 0–1.
        class_id: int32 (N,).
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def empty(cls) -> "Detections":
        """No objects: arrays of shape (0, 4), (0,), (0,)."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Detections":
        """The chosen rows, in the order of ``index`` (positions, or a mask of N booleans)."""
        return Detections(self.xyxy[index], self.score[index], self.class_id[index])

    def parted(self, min_score: float) -> tuple["Detections", "Detections"]:
        """Those of at least a score, and the others; best first, as they are."""
        count = int((self.score >= np.float32(min_score)).sum())
        if count == len(self):
            return self, Detections.empty()
        return (
            Detections(self.xyxy[:count], self.score[:count], self.class_id[:count]),
            Detections(self.xyxy[count:], self.score[count:], self.class_id[count:]),
        )


def label_of(labels: Sequence[str], class_id: int) -> str:
    """The name of a class, or its number as text where it has none."""
    return labels[class_id] if 0 <= class_id < len(labels) else str(class_id)
