"""Where an object went, in few points. Pure.

Of a path that has too many points the one goes that matters least: whose triangle with its neighbours is smallest
(Visvalingam and Whyatt, 1993). Its first point stays.
"""

import math

Point = tuple[float, float]

MAX_POINTS = 32
STEP = 0.01
"""Of the frame's diagonal: a point that is nearer to the one before is none."""


class Path:
    """The way of one object, `MAX_POINTS` at most."""

    def __init__(self, start: Point) -> None:
        """Begin it."""
        self._points = [start]
        self._now = start

    def go(self, point: Point, diagonal: float) -> None:
        """The object is here now.

        Args:
            point: In pixels.
            diagonal: Of the frame, in pixels.
        """
        self._now = point
        if math.dist(self._points[-1], point) < STEP * diagonal:
            return
        self._points.append(point)
        if len(self._points) >= MAX_POINTS:  # there is room for where it is now
            del self._points[self._least()]

    @property
    def points(self) -> tuple[Point, ...]:
        """Oldest first; the last is where the object is now."""
        if self._points[-1] == self._now:
            return tuple(self._points)
        return (*self._points, self._now)

    def _least(self) -> int:
        points = self._points
        areas = [
            abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
            for a, b, c in zip(points, points[1:], points[2:], strict=False)
        ]
        return areas.index(min(areas)) + 1
