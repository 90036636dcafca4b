"""How good a detector is: average precision as COCO computes it, and what a score threshold gives.

Matching after pycocotools: detections by descending score, each takes the free true box of its class in its picture
that it overlaps most, at least by the threshold; precision is made monotonous and read at 101 recalls.
"""

from dataclasses import dataclass, field

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


@dataclass
class Tally:
    """Found and true boxes of one class, picture after picture."""

    scores: list[np.ndarray] = field(default_factory=list)
    hits: list[np.ndarray] = field(default_factory=list)
    counted: list[np.ndarray] = field(default_factory=list)
    wanted: int = 0

    def add(
        self, found: np.ndarray, scores: np.ndarray, true: np.ndarray, ignored: np.ndarray | None = None
    ) -> None:
        """Found boxes (N, 4) with scores (N,), and the true boxes (M, 4) of one picture, xyxy.

        Of the true ones, ``ignored`` bool (M,) count neither when found nor when missed.
        """
        ignored = np.zeros(len(true), bool) if ignored is None else ignored
        order = np.argsort(-scores, kind="stable")
        overlaps = iou(found[order], true)
        hits = _match(overlaps[:, ~ignored])
        beside = (overlaps[:, ignored].max(1, initial=0)[None] >= THRESHOLDS[:, None]) & ~hits
        self.scores.append(scores[order])
        self.hits.append(hits)
        self.counted.append(~beside)
        self.wanted += int((~ignored).sum())

    def average_precision(self) -> np.ndarray:
        """(10,) by threshold, 0.50 to 0.95; NaN where there is nothing to find."""
        if not self.wanted:
            return np.full(len(THRESHOLDS), np.nan)
        values = np.zeros((len(THRESHOLDS), len(RECALLS)))
        for row in range(len(THRESHOLDS)):
            _, precision, recall = self.curve(row)
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            at = np.searchsorted(recall, RECALLS, side="left")
            inside = at < len(envelope)
            values[row, inside] = envelope[at[inside]]
        return values.mean(1)

    def curve(self, row: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At THRESHOLDS[row]: scores (K,) falling, and precision and recall (K,) of all detections down to each."""
        if not self.scores:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        counted = np.concatenate(self.counted, 1)[row]
        scores, hits = np.concatenate(self.scores)[counted], np.concatenate(self.hits, 1)[row, counted]
        order = np.argsort(-scores, kind="stable")
        found = np.cumsum(hits[order])
        return scores[order], found / np.arange(1, len(scores) + 1), found / max(1, self.wanted)


def recall_at_precision(tally: Tally, precision: float) -> tuple[float, float]:
    """The greatest recall at IoU 0.5 with at least ``precision``, and the score threshold that gives it."""
    scores, precisions, recalls = tally.curve()
    good = np.flatnonzero(precisions >= precision)
    return (float(recalls[good[-1]]), float(scores[good[-1]])) if len(good) else (0.0, 1.0)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) of boxes xyxy (N, 4) and (M, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None]
    return shared / np.maximum(areas - shared, 1e-9)


def _match(overlaps: np.ndarray) -> np.ndarray:
    """(10, N): whether each detection, best first, is a hit at each threshold."""
    hits = np.zeros((len(THRESHOLDS), len(overlaps)), bool)
    if overlaps.shape[1] == 0:
        return hits
    for row, threshold in enumerate(THRESHOLDS):
        free = np.ones(overlaps.shape[1], bool)
        for number, line in enumerate(overlaps):
            best = int(np.argmax(np.where(free, line, -1.0)))
            if free[best] and line[best] >= threshold:
                hits[row, number], free[best] = True, False
    return hits
