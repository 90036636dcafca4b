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
        self._areas: list[float] = []  # of the triangles of all points but the first and the last
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
        if len(self._points) > 2:
            self._areas.append(self._area(len(self._points) - 2))
        if len(self._points) >= MAX_POINTS:  # there is room for where it is now
            self._drop(self._areas.index(min(self._areas)) + 1)

    @property
    def points(self) -> tuple[Point, ...]:
        """Oldest first; the last is where the object is now."""
        if self._points[-1] == self._now:
            return tuple(self._points)
        return (*self._points, self._now)

    def _drop(self, at: int) -> None:
        del self._points[at], self._areas[at - 1]
        for neighbour in (at - 1, at):
            if 0 < neighbour < len(self._points) - 1:
                self._areas[neighbour - 1] = self._area(neighbour)

    def _area(self, at: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = self._points[at - 1 : at + 2]
        return abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
