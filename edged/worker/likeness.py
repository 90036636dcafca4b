"""How alike two versions of a model see the same pictures: the measure where nobody annotated any. Pure.

    detectors     the harmonic mean (F1) of two shares: of what the one finds and the other finds too, and the reverse
    classifiers   the share of pictures with the same best label

Found too is: of the same label, overlapping by an IoU of at least 0.5, no better match taken, and not far below the
score from which on detections count. Otherwise what stands at that threshold would count as lost each time.
"""

from collections.abc import Sequence

import numpy as np

from edged.detection import Detections

IOU = 0.5
NEAR = 0.75
"""Of the score from which on detections count: so much suffices in the other version."""


def detectors_alike(
    reference: Sequence[Detections], found: Sequence[Detections], *, min_score: float, iou: float = IOU
) -> float:
    """F1 of two detectors.

    Args:
        reference: Detections of each picture, down to ``NEAR * min_score``.
        found: Of the same pictures by the other.
        min_score: From which on they count.
        iou: Least overlap of a match.

    Returns:
        0 to 1; 1 where neither finds anything.
    """
    pairs = list(zip(reference, found, strict=True))
    there = sum(int((a.score >= min_score).sum()) for a, _ in pairs)
    here = sum(int((b.score >= min_score).sum()) for _, b in pairs)
    if not there + here:
        return 1.0
    kept = sum(_matched(a, b, min_score, iou) for a, b in pairs) / there if there else 1.0
    true = sum(_matched(b, a, min_score, iou) for a, b in pairs) / here if here else 1.0
    return 2 * kept * true / (kept + true) if kept + true else 0.0


def classifiers_alike(reference: Sequence[Detections], found: Sequence[Detections]) -> float:
    """The share of pictures whose best label is the same; each needs its labels down to a score of 0."""
    same = [
        bool(len(a) == len(b) == 0 or (len(a) and len(b) and a.class_id[0] == b.class_id[0]))
        for a, b in zip(reference, found, strict=True)
    ]
    return sum(same) / len(same) if same else 1.0


def _matched(ours: Detections, theirs: Detections, min_score: float, iou: float) -> int:
    """How many of ours that count are among theirs."""
    free = np.ones(len(theirs), bool)
    count = 0
    overlap = _iou(ours, theirs)
    for number in np.argsort(-ours.score, kind="stable"):
        if ours.score[number] < min_score:
            break
        fits = free & (theirs.class_id == ours.class_id[number]) & (overlap[number] >= iou)
        if fits.any():
            free[int(np.argmax(np.where(fits, overlap[number], -1.0)))] = False
            count += 1
    return count


def _iou(a: Detections, b: Detections) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """float64 (N, M)."""
    one, two = a.xyxy.astype(np.float64)[:, None], b.xyxy.astype(np.float64)[None]
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    shared = np.maximum(sides, 0).prod(axis=-1)
    union = _area(one) + _area(two) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


def _area(
    boxes: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))
