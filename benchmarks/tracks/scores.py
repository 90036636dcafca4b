"""How well tracks follow the truth: MOTA and id switches (CLEAR MOT), IDF1 (identity measures)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from lap import lapjv
from numpy.typing import NDArray

MATCHED_IOU = 0.5


@dataclass(slots=True)
class Tally:
    """What is counted over the frames of a scene; several scenes add up.

    Attributes:
        truths: Boxes of the truth.
        outputs: Boxes of the tracker.
        misses: Truths without an output.
        false: Outputs without a truth.
        switches: Truths that are followed by another track than before.
        matched_ids: Boxes of pairs of a truth's and a track's id, by the assignment that is best over the scene.
    """

    truths: int = 0
    outputs: int = 0
    misses: int = 0
    false: int = 0
    switches: int = 0
    matched_ids: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def idf1(self) -> float:
        """0-1."""
        return 2 * self.matched_ids / max(1, self.truths + self.outputs)

    @property
    def mota(self) -> float:
        """At most 1; below 0 where more is wrong than there is."""
        return 1 - (self.misses + self.false + self.switches) / max(1, self.truths)


@dataclass(slots=True)
class Scorer:
    """Takes a scene frame by frame."""

    tally: Tally = field(default_factory=Tally)
    _last: dict[int, int] = field(default_factory=dict)
    _together: Counter[tuple[int, int]] = field(default_factory=Counter)
    _truth_frames: Counter[int] = field(default_factory=Counter)

    def add(
        self,
        truth: Iterable[int],
        truth_xyxy: NDArray[np.float64],
        track: Iterable[int],
        xyxy: NDArray[np.float64],
    ) -> None:
        """One frame: ids and boxes (K, 4) of the truth, ids and boxes (M, 4) of the tracks."""
        truths, tracks = [int(n) for n in truth], [int(n) for n in track]
        iou = iou_of(truth_xyxy, xyxy)
        cost = np.where(iou >= MATCHED_IOU, 1 - iou, np.inf)
        for row, column in zip(*np.nonzero(iou >= MATCHED_IOU), strict=True):
            self._together[truths[row], tracks[column]] += 1
        kept = {
            truths.index(t): tracks.index(self._last[t])
            for t in truths
            if self._last.get(t) in tracks and np.isfinite(cost[truths.index(t), tracks.index(self._last[t])])
        }
        rows = [n for n in range(len(truths)) if n not in kept]
        columns = [n for n in range(len(tracks)) if n not in kept.values()]
        pairs = dict(kept)
        for row, column in _cheapest(cost[np.ix_(rows, columns)]):
            pairs[rows[row]] = columns[column]
        for row, column in pairs.items():
            before = self._last.get(truths[row])
            self.tally.switches += before is not None and before != tracks[column]
            self._last[truths[row]] = tracks[column]
        self.tally.truths += len(truths)
        self.tally.outputs += len(tracks)
        self.tally.misses += len(truths) - len(pairs)
        self.tally.false += len(tracks) - len(pairs)

    def close(self) -> Tally:
        """The scene is over."""
        truths = sorted({truth for truth, _ in self._together})
        tracks = sorted({track for _, track in self._together})
        if truths:
            gain = np.array([[self._together[truth, track] for track in tracks] for truth in truths], float)
            size = max(gain.shape)
            square = np.zeros((size, size))
            square[: gain.shape[0], : gain.shape[1]] = -gain
            _, column_of, _ = lapjv(square)
            self.tally.matched_ids = int(-square[np.arange(size), column_of].sum())
        return self.tally


def _cheapest(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """As many pairs as can be had, then the least cost; infinite costs are no pairs."""
    if not cost.size or not np.isfinite(cost).any():
        return []
    size = max(cost.shape)
    square = np.full((size, size), 1000.0)
    square[: cost.shape[0], : cost.shape[1]] = np.where(np.isfinite(cost), cost, 1000.0)
    _, column_of, _ = lapjv(square)
    return [
        (row, int(column_of[row])) for row in range(cost.shape[0]) if square[row, column_of[row]] < 1000.0
    ]


def iou_of(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each pair: (M, 4), (N, 4) to (M, N)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = np.prod(first[:, 2:] - first[:, :2], axis=1)[:, None] + np.prod(
        second[:, 2:] - second[:, :2], axis=1
    )
    return np.asarray(shared / np.maximum(areas - shared, 1e-9))
