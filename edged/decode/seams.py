"""From what several looks at one frame found to the objects in it, each once.

The looks overlap, so an object is found by several of them, and one that the edge of a look cuts is found in
pieces. Suppression by overlap does not join pieces, and suppression by the share of the smaller box (intersection
over smaller) lets a large object swallow a small one in front of it. So boxes are compared in what both looks see:

    two looks see one object  ⇔  their boxes, as far as both looks see them, overlap by more than ``iou``

A box is cut where it touches an edge of its look that is no edge of the whole area. The others are whole.

    whole boxes ── the best of each object ───────────────────────────────────────────────┬─→ the best so many
    cut boxes ──── those of an object that is whole elsewhere go ── pieces become one box ─┘

Boxes of one look are never compared: the model has told them apart. Those of different classes are different
objects, but for one case: a piece that agrees with a whole box goes whatever its class, since parts of a thing are
easily taken for another (on the pictures it was tried on, an eighth of all false detections). Pure NumPy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.decode.nms import MAX_CANDIDATES, Boxes, greedy
from edged.detection import Detections
from edged.geometry import Region

SAME = 0.5
"""Two looks see one object where their boxes overlap by more, even if the model tells objects apart up to more."""
COVERED = 0.7
"""What was cut and lies by more in a whole box of its class is a part of that object."""
EDGE = 0.015
"""Share of a look's side within which a box touches its edge: detectors end a little short of a cut."""

_ROWS = 256  # of the table of pairs that are made at once: bounds the memory

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Positions = NDArray[np.intp]


def merge(
    looks: Sequence[Detections], regions: Sequence[Region], *, iou: float, max_detections: int
) -> Detections:
    """Make one answer of several looks.

    Two tiles, x 0-100 and 80-180, see a car at 40-140, one its part up to 100, the other its part from 80 on: in the
    20 pixels that both see the parts are the same, so one box comes out, 40-140.

    Args:
        looks: What was found in each region, in frame pixels, inside the region.
        regions: Of the looks. Together they span the area: its outer edges cut nothing.
        iou: Overlap up to which two boxes of one look are two objects, 0-1: the model's.
        max_detections: The best so many are returned.

    Returns:
        Best first, inside the area, whatever the order of the looks. One look comes back as it is.
    """
    if len(looks) == 1:
        return looks[0]
    found = _Found.of(looks, regions, max(MAX_CANDIDATES, max_detections))
    iou = min(iou, SAME)
    whole, pieces = np.flatnonzero(~found.cut), np.flatnonzero(found.cut)
    whole = whole[greedy(_table(found.overlap, whole, whole, iou))]
    kept = found.detections.take(whole)
    if len(pieces):
        gone = _table(found.agree, pieces, whole, iou).any(axis=1)
        joined = found.join(pieces[~gone], iou)
        kept = _concatenated([kept, joined.take(~_shown(joined, kept, iou))])
    return kept.take(_best_first(kept)[:max_detections])


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The boxes of all looks, best first.

    Attributes:
        detections: N boxes.
        boxes: The same, to be compared.
        look: intp (N,): which look each is of.
        cut: bool (N,).
        reach: float32 (4, N): the corners, where cut moved beyond the edge, so that tiles that only meet overlap.
        seen: float32 (4, N): corners of each box's look, where it is no edge of the area moved likewise.
    """

    detections: Detections
    boxes: Boxes
    look: Positions
    cut: Bools
    reach: Floats
    seen: Floats

    @classmethod
    def of(cls, looks: Sequence[Detections], regions: Sequence[Region], limit: int) -> "_Found":
        detections = _concatenated(looks)
        look = np.repeat(np.arange(len(looks)), [len(one) for one in looks])
        edges = np.array([region.xyxy for region in regions], np.float32)
        order = _best_first(detections, *edges[look].T)[
            :limit
        ]  # equal boxes of two looks: by their look's place
        detections, look = detections.take(order), look[order]
        area = np.concatenate([edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)])
        outward = np.array([-1, -1, 1, 1], np.float32)
        sides = np.tile(edges[:, 2:] - edges[:, :2], (1, 2)) * np.float32(EDGE)
        inner = edges != area
        short = (edges[look] - detections.xyxy) * outward  # of the edge of its look
        cut = inner[look] & (short <= sides[look])
        seen = edges + np.where(inner, sides * outward, 0)
        reach = np.where(cut, seen[look], detections.xyxy)
        boxes = Boxes.of(detections)
        return cls(detections, boxes, look, cut.any(axis=1), reach.T.copy(), seen[look].T.copy())

    def overlap(self, rows: Positions, columns: Positions, iou: float) -> Bools:
        """(R, C): which boxes of different looks overlap by more than ``iou``."""
        return self.boxes.overlap(rows, columns, iou) & self._apart(rows, columns)

    def agree(self, rows: Positions, columns: Positions, iou: float) -> Bools:
        """(R, C): which do so as far as both looks see them, whatever their classes."""
        both = _intersection(self.seen[:, rows, None], self.seen[:, None, columns])
        first = _intersection(self.reach[:, rows, None], both)
        second = _intersection(self.reach[:, None, columns], both)
        shared = _size(_intersection(first, second))
        over: Bools = shared > np.float32(iou) * (_size(first) + _size(second) - shared)
        return over & self._apart(rows, columns)

    def same(self, rows: Positions, columns: Positions, iou: float) -> Bools:
        """(R, C): which do so and are of one class."""
        class_id = self.detections.class_id
        over = self.agree(rows, columns, iou)
        over &= class_id[rows, None] == class_id[columns]
        return over

    def join(self, pieces: Positions, iou: float) -> Detections:
        """One box about the pieces of each object, with the best score among them."""
        found = self.detections.take(pieces)
        first = _components(_table(self.same, pieces, pieces, iou))
        objects, index = np.unique(first, return_inverse=True)
        xyxy, score = found.xyxy[objects], found.score[objects]
        np.minimum.at(xyxy[:, :2], index, found.xyxy[:, :2])
        np.maximum.at(xyxy[:, 2:], index, found.xyxy[:, 2:])
        np.maximum.at(score, index, found.score)
        return Detections(xyxy, score, found.class_id[objects])

    def _apart(self, rows: Positions, columns: Positions) -> Bools:
        different: Bools = self.look[rows, None] != self.look[columns]
        return different


def _table(
    compare: Callable[[Positions, Positions, float], Bools],
    rows: Positions,
    columns: Positions,
    limit: float,
) -> Bools:
    """A comparison of all pairs, made by blocks of rows: bool (R, C)."""
    table = np.zeros((len(rows), len(columns)), np.bool_)
    for start in range(0, len(rows), _ROWS):
        table[start : start + _ROWS] = compare(rows[start : start + _ROWS], columns, limit)
    return table


def _components(linked: Bools) -> Positions:
    """The first of those each of N is linked to, directly or through others: (N, N), symmetric, to (N,)."""
    first = np.arange(len(linked))
    while True:
        lower = np.where(linked, first, first[:, None]).min(axis=1, initial=len(linked))
        lower = np.minimum(lower, first)
        if (lower == first).all():
            return first
        first = lower


def _shown(joined: Detections, kept: Detections, iou: float) -> Bools:
    """(N,): which joined boxes show a whole object after all, or a part of it."""
    both = Boxes.of(_concatenated([joined, kept]))
    rows, columns = np.arange(len(joined)), np.arange(len(joined), len(joined) + len(kept))
    pairs = both.overlap(rows, columns, iou) | both.inside(rows, columns, COVERED)
    return np.asarray(pairs.any(axis=1))


def _intersection(first: Floats, second: Floats) -> Floats:
    """Corners on the first axis, the others broadcast."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    return np.concatenate([low, np.maximum(high, low)])


def _size(corners: Floats) -> Floats:
    size: Floats = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return size


def _best_first(found: Detections, *last: Floats) -> Positions:
    """Positions in an order that does not depend on the one given: what is equal is told apart by ``last``."""
    return np.lexsort((*last, *found.xyxy.T, found.class_id, -found.score))


def _concatenated(parts: Sequence[Detections]) -> Detections:
    return Detections(
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.class_id for part in parts]),
    )
