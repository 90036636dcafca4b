"""From many candidates to the objects: choosing by score, and greedy non-maximum suppression (NMS).

Pure NumPy. A model that gives NaN or infinity where a score or a chosen box should be raises
`InferenceFailed`: an answer that means nothing must not look like an empty picture. Values that nothing is
made of (the boxes of rows below the score) are not looked at.
"""

import numpy as np
from numpy.typing import NDArray

from edged.decode.family import Array
from edged.detection import Detections
from edged.errors import InferenceFailed

MAX_CANDIDATES = 3000
"""The best so many enter suppression; a crowd at the default score gives some hundreds."""

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
    ordered = candidates.take(np.argsort(-candidates.score, kind="stable")[:MAX_CANDIDATES])
    x1, y1, x2, y2 = ordered.xyxy.T.copy()
    area = (x2 - x1) * (y2 - y1)
    left = np.arange(len(ordered))
    kept: list[np.intp] = []
    threshold = np.float32(iou)
    while len(left) and len(kept) < max_detections:
        best, left = left[0], left[1:]
        kept.append(best)
        width = np.minimum(x2[left], x2[best]) - np.maximum(x1[left], x1[best])
        height = np.minimum(y2[left], y2[best]) - np.maximum(y1[left], y1[best])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        drop = shared > threshold * (area[left] + area[best] - shared)
        if class_aware:
            drop &= ordered.class_id[left] == ordered.class_id[best]
        left = left[~drop]
    return ordered.take(np.array(kept, np.intp))


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
