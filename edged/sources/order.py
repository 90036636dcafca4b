"""Captured frames in the order they are shown, though packets come in the order they are decoded. Pure."""

import heapq
from itertools import count

from edged.sources.capture import Capture

MAX_WAITING = 1000
"""Frames that wait for an earlier one; beyond it the time stamps are nonsense, and nothing waits."""


class CaptureOrder:
    """Holds frames back until no earlier one can come.

    >>> order, nothing = CaptureOrder(), lambda: None
    >>> for pts in (3, 1, 2):
    ...     order.add(pts, Capture(float(pts), 0.0, None))
    >>> [capture.pts_s for capture in order.until(2)]
    [1.0, 2.0]
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Capture]] = []
        self._numbers = count()

    def add(self, pts: int, capture: Capture) -> None:
        """A frame that is to be given out once."""
        heapq.heappush(self._waiting, (pts, next(self._numbers), capture))

    def take_back(self, pts: int) -> bool:
        """The frame of this time stamp is not given out after all; False where it already was, or never came."""
        for at, (waiting, _, _) in enumerate(self._waiting):
            if waiting == pts:
                self._waiting[at] = self._waiting[-1]
                self._waiting.pop()
                heapq.heapify(self._waiting)
                return True
        return False

    def until(self, pts: int) -> list[Capture]:
        """The frames up to this time stamp; none of an earlier one will come."""
        ready = []
        while self._waiting and (self._waiting[0][0] <= pts or len(self._waiting) > MAX_WAITING):
            ready.append(heapq.heappop(self._waiting)[2])
        return ready

    def rest(self) -> list[Capture]:
        """All that still wait."""
        ready = [capture for _, _, capture in sorted(self._waiting, key=lambda entry: entry[:2])]
        self._waiting.clear()
        return ready
