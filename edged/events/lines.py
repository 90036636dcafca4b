"""Lines that objects cross: how often, and which way. Pure, vectorised.

Who walks along a line from its first point to its last has the side ``in`` to the right, on the picture. An object
stands where the bottom centre of its box is, and has crossed a line as often as its way did, there and back taken
against each other; that counts once it is clear of the line. So one that wavers on a line is counted once, or not at
all, and one that goes around an end is not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edged.zones import Points

CLEAR = 0.1
"""Of the mean of a box's sides: an object this far from a line is clear of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line across the picture.

    Attributes:
        name: As configured.
        points: Two at least, in fractions of the frame.
        labels: Only these are counted; empty = all.
        min_score: An object counts once it was found with such a score.
    """

    name: str
    points: Points
    labels: tuple[str, ...] = ()
    min_score: float = 0.0


class LineMap:
    """All lines of a camera, as S pieces.

    Attributes:
        lines: L of them, in the order of the columns.
    """

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        """Keep their pieces."""
        self.lines = tuple(lines)
        points = [np.array(line.points, np.float64).reshape(-1, 2) for line in self.lines]
        self._first = np.cumsum([0, *(len(one) - 1 for one in points)], dtype=np.intp)[:-1]
        self._a = np.concatenate([one[:-1] for one in points]) if points else np.zeros((0, 2))
        self._b = np.concatenate([one[1:] for one in points]) if points else np.zeros((0, 2))

    def __len__(self) -> int:
        return len(self.lines)

    def crossed(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.int32]:
        """How often straight ways cross each line, ``in`` less ``out``.

        An end of a way that lies on a line counts as outside, so that ways which begin where others end count what one
        way over both would.

        Args:
            before: float64 (M, 2), in fractions of the frame.
            after: Likewise.

        Returns:
            int32 (M, L).
        """
        if not self.lines or not len(before):
            return np.zeros((len(before), len(self.lines)), np.int32)
        a, b = self._a[np.newaxis], self._b[np.newaxis]
        p, q = before[:, np.newaxis], after[:, np.newaxis]
        p_in, q_in = _turn(a, b, p) > 0, _turn(a, b, q) > 0
        passes = p_in != q_in
        if not passes.any():  # nobody changes sides of anything, as in most frames
            return np.zeros((len(before), len(self.lines)), np.int32)
        passes &= (_turn(p, q, a) > 0) != (_turn(p, q, b) > 0)
        signed = np.where(passes, np.where(q_in, 1, -1), 0).astype(np.int32)
        return np.add.reduceat(signed, self._first, axis=1)

    def distances_px(self, points: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
        """How far points are from each line, in pixels.

        Args:
            points: float64 (M, 2), in fractions of the frame.
            width: Of the frame, pixels.
            height: Of the frame, pixels.

        Returns:
            float64 (M, L).
        """
        if not self.lines or not len(points):
            return np.zeros((len(points), len(self.lines)))
        size = np.array([width, height], np.float64)
        a, way = self._a * size, (self._b - self._a) * size
        from_a = (points * size)[:, np.newaxis] - a
        along = np.clip((from_a * way).sum(axis=2) / (way * way).sum(axis=1), 0.0, 1.0)
        apart = from_a - along[:, :, np.newaxis] * way
        return np.minimum.reduceat(np.hypot(apart[:, :, 0], apart[:, :, 1]), self._first, axis=1)


def _turn(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Above 0 where ``c`` is to the right of the way from ``a`` to ``b``, as y grows downwards."""
    turn: NDArray[np.float64] = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (
        b[..., 1] - a[..., 1]
    ) * (c[..., 0] - a[..., 0])
    return turn
