"""Areas of a picture: which objects are in which zone, and which are to be ignored. Pure, vectorised.

    xyxy (N, 4) ─→ bottom centre ─→ in the polygon?          ─┐
                └→ share of the box that lies in the polygon ─┴→ labels, least area ─→ (N, Z) booleans

Polygons are corners in fractions of the frame, in either sense of rotation, whose edges do not cross (`is_simple`).
What lies on an edge lies inside, so that a zone that ends at the lower edge of the picture has the object that is cut
off there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EXACT = 1e-9  # a half is a half, whatever the width of the frame

Points = tuple[tuple[float, float], ...]
"""Corners, x before y, in fractions of the frame."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the picture that somebody cares about.

    Attributes:
        name: As configured.
        points: Of the polygon.
        labels: Only these count; empty = all.
        min_score: An object counts once it was found with such a score.
        min_area: Of an object's box, as a share of the frame.
        share: Of the box's area that must lie in the polygon; None = its bottom centre must.
        inertia_frames: Frames in a row in which an object must be inside before it is (and outside before it is not).
        inertia_s: The same as a time; whichever of the two is not 0 counts, both where both are.
        loitering_s: An object that stays so long loiters; None = nobody asks.
    """

    name: str
    points: Points
    labels: tuple[str, ...] = ()
    min_score: float = 0.0
    min_area: float = 0.0
    share: float | None = None
    inertia_frames: int = 3
    inertia_s: float = 0.0
    loitering_s: float | None = None


@dataclass(frozen=True, slots=True)
class Mask:
    """A part of the picture in which objects are ignored, by their bottom centre.

    Attributes:
        points: Of the polygon.
        labels: Only these are ignored; empty = all.
    """

    points: Points
    labels: tuple[str, ...] = ()


class Polygons:
    """P polygons that many points or boxes are compared with at once."""

    def __init__(self, polygons: Sequence[Points]) -> None:
        """Keep their edges, E in all.

        Args:
            polygons: Of three corners at least.
        """
        corners = [np.array(polygon, np.float64).reshape(-1, 2) for polygon in polygons]
        self._count = len(corners)
        self._first = np.cumsum([0, *map(len, corners)], dtype=np.intp)[:-1]
        a = np.concatenate(corners) if corners else np.zeros((0, 2))
        b = np.concatenate([np.roll(one, -1, axis=0) for one in corners]) if corners else a
        (self._ax, self._ay), (self._bx, self._by) = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
        self._dx, self._dy, self._up = self._bx - self._ax, self._by - self._ay, self._by > self._ay

    def __len__(self) -> int:
        return self._count

    def contain(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points lie in which polygon; those on an edge do.

        Args:
            points: float64 (N, 2).

        Returns:
            bool (N, P).
        """
        if not self._count or not len(points):
            return np.zeros((len(points), self._count), np.bool_)
        ax, ay, bx, by = self._ax, self._ay, self._bx, self._by
        x, y = points[:, :1], points[:, 1:2]
        cross = self._dx * (y - ay) - self._dy * (x - ax)
        # A ray to the right meets an edge that begins on one side of its height and ends on the other.
        meets = ((ay <= y) != (by <= y)) & ((cross > 0) == self._up)
        touches = cross == 0
        if not touches.any():
            return np.logical_xor.reduceat(meets, self._first, axis=1)
        on = touches & _between(x, ax, bx) & _between(y, ay, by)
        odd = np.logical_xor.reduceat(meets & ~touches, self._first, axis=1)
        within: NDArray[np.bool_] = odd | np.logical_or.reduceat(on, self._first, axis=1)
        return within

    def shares(self, xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which share of each box lies in which polygon.

        The area that a polygon has in common with a box is the sum over its edges of ∫ (x(y) - x1) dy with x held
        between x1 and x2, and y between y1 and y2 (Green's theorem).

        Args:
            xyxy: float64 (N, 4).

        Returns:
            float64 (N, P), 0-1; 0 for a box without area.
        """
        if not self._count or not len(xyxy):
            return np.zeros((len(xyxy), self._count))
        ax, ay, by = self._ax, self._ay, self._by
        x1, y1, x2, y2 = (xyxy[:, column : column + 1] for column in range(4))
        start, end = np.clip(ay, y1, y2), np.clip(by, y1, y2)
        low, high = np.minimum(start, end), np.maximum(start, end)
        dx, dy = self._dx, self._dy
        steep = dx != 0
        per_x = np.divide(dy, dx, out=np.zeros_like(dx), where=steep)
        # Heights at which the edge enters and leaves the box; between these four its x is linear, or held.
        turns = [np.where(steep, np.clip(ay + (x - ax) * per_x, low, high), start) for x in (x1, x2)]
        first, last = np.minimum(*turns), np.maximum(*turns)
        falls = end < start
        heights = [start, np.where(falls, last, first), np.where(falls, first, last), end]
        per_y = np.divide(dx, dy, out=np.zeros_like(dx), where=dy != 0)
        wide = [np.clip(ax + (height - ay) * per_y, x1, x2) - x1 for height in heights]
        area = sum(
            (wide[at] + wide[at + 1]) / 2 * (heights[at + 1] - heights[at]) for at in range(len(heights) - 1)
        )
        common = np.abs(np.add.reduceat(area, self._first, axis=1))
        whole = (x2 - x1) * (y2 - y1)
        return np.clip(np.divide(common, whole, out=np.zeros_like(common), where=whole > 0), 0.0, 1.0)


class ZoneMap:
    """All zones of a camera.

    Attributes:
        zones: Z of them, in the order of the columns.
    """

    def __init__(self, zones: Sequence[Zone] = ()) -> None:
        """Keep their polygons."""
        self.zones = tuple(zones)
        self._polygons = Polygons([zone.points for zone in self.zones])
        self._some_by_share = any(zone.share is not None for zone in self.zones)
        self._by_share = np.array([zone.share is not None for zone in self.zones], np.bool_)
        self._share = np.array([zone.share or 0.0 for zone in self.zones], np.float64)
        self._some_min_area = any(zone.min_area > 0 for zone in self.zones)
        self._min_area = np.array([zone.min_area for zone in self.zones], np.float64)
        self._labels = _Labels([zone.labels for zone in self.zones])

    def __len__(self) -> int:
        return len(self.zones)

    def inside(
        self, xyxy: NDArray[np.float32], labels: Sequence[str], *, width: int, height: int
    ) -> NDArray[np.bool_]:
        """Which objects are in which zone, as far as place, label and size say.

        Args:
            xyxy: float32 (N, 4), in pixels of the frame.
            labels: N.
            width: Of the frame, pixels.
            height: Of the frame, pixels.

        Returns:
            bool (N, Z).
        """
        if not self.zones or not len(xyxy):
            return np.zeros((len(xyxy), len(self.zones)), np.bool_)
        boxes = fractions(xyxy, width, height)
        inside = self._polygons.contain(bottom_centres(boxes))
        if self._some_by_share:
            share = self._polygons.shares(boxes)
            inside = np.where(self._by_share, (share > 0) & (share > self._share - _EXACT), inside)
        if self._some_min_area:
            area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            inside &= area[:, np.newaxis] >= self._min_area
        if self._labels.matter:
            inside &= self._labels.of(labels)
        return inside


class MaskMap:
    """All masks of a camera."""

    def __init__(self, masks: Sequence[Mask] = ()) -> None:
        """Keep their polygons."""
        self._polygons = Polygons([mask.points for mask in masks])
        self._labels = _Labels([mask.labels for mask in masks])

    def __len__(self) -> int:
        return len(self._polygons)

    def hidden(
        self, xyxy: NDArray[np.float32], labels: Sequence[str], *, width: int, height: int
    ) -> NDArray[np.bool_]:
        """Which objects are to be ignored: bool (N,); arguments as of `ZoneMap.inside`."""
        if not len(self) or not len(xyxy):
            return np.zeros(len(xyxy), np.bool_)
        points = bottom_centres(fractions(xyxy, width, height))
        hidden = self._polygons.contain(points)
        if self._labels.matter:
            hidden &= self._labels.of(labels)
        anywhere: NDArray[np.bool_] = np.logical_or.reduce(hidden, axis=1)
        return anywhere


class _Labels:
    """Which label counts for which of several polygons.

    Attributes:
        matter: Whether not all of them count everywhere.
    """

    def __init__(self, wanted: Sequence[tuple[str, ...]]) -> None:
        self.matter = any(wanted)
        self._wanted = [frozenset(labels) for labels in wanted]
        self._known: dict[str, NDArray[np.bool_]] = {}

    def of(self, labels: Sequence[str]) -> NDArray[np.bool_]:
        """As booleans (N, P); N is not 0."""
        for label in labels:
            if label not in self._known:  # as many as a model knows
                self._known[label] = np.array([not some or label in some for some in self._wanted], np.bool_)
        return np.array([self._known[label] for label in labels])


def fractions(xyxy: NDArray[np.float32], width: int, height: int) -> NDArray[np.float64]:
    """Boxes in fractions of the frame: float64 (N, 4)."""
    return xyxy.astype(np.float64) / np.array([width, height, width, height], np.float64)


def bottom_centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where objects stand: float64 (N, 2), in the space of the boxes."""
    points = boxes[:, 2:].copy()
    points[:, 0] += boxes[:, 0]
    points[:, 0] /= 2
    return points


def is_simple(points: Points) -> bool:
    """Whether a polygon has an area, and no two of its edges meet but neighbours in their corner.

    >>> is_simple(((0, 0), (1, 0), (1, 1), (0, 1))), is_simple(((0, 0), (1, 1), (1, 0), (0, 1)))
    (True, False)
    """
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    if any(a == b for a, b in edges) or len(set(points)) < len(points):
        return False
    for at, (a, b) in enumerate(edges):
        for other in range(at + 1, len(edges)):
            c, d = edges[other]
            if b == c or d == a:
                shared, before, after = (b, a, d) if b == c else (a, b, c)
                if _turn(before, shared, after) == 0 and _dot(shared, before, after) > 0:
                    return False  # it goes back the way it came
            elif _meet(a, b, c, d):
                return False
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)) > 0


Point = tuple[float, float]


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _dot(origin: Point, a: Point, b: Point) -> float:
    return (a[0] - origin[0]) * (b[0] - origin[0]) + (a[1] - origin[1]) * (b[1] - origin[1])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two pieces of a line have a point in common."""
    one, two, three, four = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if (one > 0) != (two > 0) and (three > 0) != (four > 0) and 0 not in {one, two, three, four}:
        return True
    pieces = ((one, a, b, c), (two, a, b, d), (three, c, d, a), (four, c, d, b))
    return any(turn == 0 and _dot(point, start, end) <= 0 for turn, start, end, point in pieces)


def _between(
    value: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.bool_]:
    between: NDArray[np.bool_] = (value >= np.minimum(start, end)) & (value <= np.maximum(start, end))
    return between
