"""From many candidates to the objects: choosing by score, and greedy non-maximum suppression (NMS).

Pure NumPy. A model that gives NaN or infinity where a score or a chosen box should be raises
`InferenceFailed`: an answer that means nothing must not look like an empty picture. Values that nothing is
made of (the boxes of rows below the score) are not looked at.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.family import Array
from edged.detection import Detections
from edged.errors import InferenceFailed

MAX_CANDIDATES = 3000
"""The best so many enter suppression; a crowd at the default score gives some hundreds."""

BLOCK = 64
"""Candidates compared pair by pair at once; what they leave is compared with what comes behind them."""

FEW = 32
"""Up to so many are compared one by one: less work than to call NumPy for each step."""

_CLEARLY = 1e-5
"""float32 and float64 agree on every overlap that is off the threshold by more than this share of both areas."""
_LEAST_AREA, _LONGEST = 1e-30, 1e15
"""Where float32 neither loses digits nor overflows."""

_HALF_INFINITY = np.uint16(0x7C00)
_HALF_SIGN = np.uint16(0x8000)


def suppress(
    candidates: Detections, *, iou: float, max_detections: int, class_aware: bool = True
) -> Detections:
    """Keep the best of candidates that overlap.

    The best of what is left is kept, and all that overlap it by more than ``iou`` (intersection over union)
    are dropped, until nothing is left. Of equal scores the one that came first wins.

    Args:
        candidates: In any order; the best `MAX_CANDIDATES` are looked at.
        iou: Overlap up to which two boxes are two objects, 0-1.
        max_detections: The best so many are returned.
        class_aware: False where a box may suppress one of another class.

    Returns:
        Best first; nothing for nothing.
    """
    if len(candidates) < 2:
        return candidates if max_detections else Detections.empty()
    if len(candidates) <= FEW:
        few = _among_few(candidates, iou, max_detections, class_aware=class_aware)
        if few is not None:
            return candidates.take(np.array(few, np.intp))
    return _among_many(candidates, iou, max_detections, class_aware=class_aware)


def _among_few(
    candidates: Detections, iou: float, max_detections: int, *, class_aware: bool
) -> list[int] | None:
    """Positions of those that stay, best first; None where an overlap is too near the threshold to be sure here."""
    boxes, scores, classes = (
        candidates.xyxy.tolist(),
        candidates.score.tolist(),
        candidates.class_id.tolist(),
    )
    areas: list[float] = []
    for x1, y1, x2, y2 in boxes:
        width, height = x2 - x1, y2 - y1
        if not (0.0 <= width < _LONGEST and 0.0 <= height < _LONGEST):  # inside out, or no number
            return None
        areas.append(width * height)
    kept: list[int] = []
    for one in sorted(range(len(scores)), key=scores.__getitem__, reverse=True):
        if len(kept) >= max_detections:
            break
        left, top, right, bottom = boxes[one]
        for other in kept:
            if class_aware and classes[other] != classes[one]:
                continue
            x1, y1, x2, y2 = boxes[other]
            width = (right if right < x2 else x2) - (left if left > x1 else x1)
            height = (bottom if bottom < y2 else y2) - (top if top > y1 else y1)
            if width <= 0.0 or height <= 0.0:
                continue
            shared, both = width * height, areas[one] + areas[other]
            over = shared - iou * (both - shared)
            if abs(over) <= _CLEARLY * both + _LEAST_AREA:
                return None
            if over > 0.0:
                break
        else:
            kept.append(one)
    return kept


def _among_many(candidates: Detections, iou: float, max_detections: int, *, class_aware: bool) -> Detections:
    ordered = candidates.take(np.argsort(-candidates.score, kind="stable")[:MAX_CANDIDATES])
    boxes = Boxes.of(ordered, class_aware=class_aware)
    left = np.arange(len(ordered))
    kept: list[NDArray[np.intp]] = []
    room = max_detections
    while len(left) and room > 0:
        block, left = left[:BLOCK], left[BLOCK:]
        best = block[greedy(boxes.overlap(block, block, iou))][:room]
        kept.append(best)
        room -= len(best)
        if len(left):
            left = left[~boxes.overlap(best, left, iou).any(axis=0)]
    return ordered.take(np.concatenate(kept) if kept else np.zeros(0, np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """N boxes made ready to be compared in pairs.

    Attributes:
        corners: x1, y1, x2, y2, each float32 (N,).
        area: float32 (N,).
        class_id: int32 (N,); None where classes do not count.
    """

    corners: tuple[NDArray[np.float32], ...]
    area: NDArray[np.float32]
    class_id: NDArray[np.int32] | None

    @classmethod
    def of(cls, found: Detections, *, class_aware: bool = True) -> "Boxes":
        """Of detections."""
        x1, y1, x2, y2 = found.xyxy.T.copy()
        several = class_aware and bool((found.class_id != found.class_id[:1]).any())
        return cls((x1, y1, x2, y2), (x2 - x1) * (y2 - y1), found.class_id if several else None)

    def overlap(self, rows: NDArray[np.intp], columns: NDArray[np.intp], iou: float) -> NDArray[np.bool_]:
        """(R, C): which pairs overlap by more than ``iou`` and are of one class."""
        shared = self.shared(rows, columns)
        over: NDArray[np.bool_] = shared > np.float32(iou) * (
            self.area[rows, None] + self.area[columns] - shared
        )
        return self._of_one_class(over, rows, columns)

    def inside(self, rows: NDArray[np.intp], columns: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
        """(R, C): of which of the first more than ``share`` lies in the second, one of the same class."""
        over: NDArray[np.bool_] = self.shared(rows, columns) > np.float32(share) * self.area[rows, None]
        return self._of_one_class(over, rows, columns)

    def shared(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """(R, C): the area that both boxes of a pair cover."""
        x1, y1, x2, y2 = self.corners
        width = np.minimum(x2[rows, None], x2[columns]) - np.maximum(x1[rows, None], x1[columns])
        shared: NDArray[np.float32] = np.minimum(y2[rows, None], y2[columns]) - np.maximum(
            y1[rows, None], y1[columns]
        )
        np.maximum(width, 0, out=width)
        np.maximum(shared, 0, out=shared)
        shared *= width
        return shared

    def _of_one_class(
        self, pairs: NDArray[np.bool_], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        if self.class_id is not None:
            pairs &= self.class_id[rows, None] == self.class_id[columns]
        return pairs


def greedy(over: NDArray[np.bool_]) -> list[int]:
    """Which of N boxes, best first, stay: bool (N, N), whether one drops another, to positions.

    Each row is one Python integer, a bit a box: a hundred rows are looked through in microseconds.
    """
    width = -(-len(over) // 8)
    packed = np.packbits(over, axis=1, bitorder="little").tobytes()
    gone, kept = 0, []
    for position in range(len(over)):
        if not gone >> position & 1:
            kept.append(position)
            gone |= int.from_bytes(packed[position * width : (position + 1) * width], "little")
    return kept


def best_scores(scores: Array) -> NDArray[np.float32]:
    """The greatest score of each candidate: (classes, N) of float32 or float16 to float32 (N,).

    NumPy compares halves one by one in software. Halves that are not negative are ordered as the integers
    of their bits are, so those are compared instead: 8400 candidates of 80 classes in a tenth of the time.

    Raises:
        InferenceFailed: NaN or infinity among them.
    """
    if scores.dtype == np.float16:
        bits = scores.view(np.uint16)
        if _beyond_half(bits):
            raise not_finite("scores")
        best: NDArray[np.float32] = scores.view(np.int16).max(axis=0).view(np.float16).astype(np.float32)
    else:
        best = scores.max(axis=0).astype(np.float32, copy=False)
    require_finite(best, "scores")
    return best


def _beyond_half(bits: NDArray[np.uint16]) -> bool:
    greatest = bits.max(initial=0)
    if greatest >= _HALF_SIGN | _HALF_INFINITY:
        return True
    return bool(greatest >= _HALF_INFINITY and ((bits & ~_HALF_SIGN) >= _HALF_INFINITY).any())


def require_finite(values: Array, what: str) -> None:
    """Raise where a value is NaN or infinite.

    Raises:
        InferenceFailed: It is.
    """
    if not np.isfinite(values).all():
        raise not_finite(what)


def not_finite(what: str) -> InferenceFailed:
    """The error of a model whose outputs are not numbers."""
    return InferenceFailed(
        "model", f"gave NaN or infinity among its {what}", "try it in float32, or export it anew"
    )
