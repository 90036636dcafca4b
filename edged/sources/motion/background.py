"""What a still scene looks like, pixel by pixel: its level, how much that wavers, and what came to rest there.

All rates are in seconds of the camera's clock, so they hold at 1 frame a second and at 30. A frame is judged by
what the frames before it taught, and taught afterwards.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.frame import Plane

Levels = NDArray[np.float32]

STEADY_S = 10.0
"""What came to rest belongs to the background after so long."""
MEMORY_S = 600.0
"""What was there before it came to rest is known again for so long."""
MAX_STEP_S = 1.0
"""A gap between frames teaches no more than this: what the first frame after it shows may be passing."""

_FOLLOW_S = 5.0  # in which the level follows what does not count as a change
_WAVER_S = 20.0
_MIN_CHANGE = 8.0  # levels; below lie compression and rounding
_DEVIATIONS = 5.0  # mean absolute ones; of Gaussian noise that is 4 sigma
_STIRRED = 0.8  # levels of wavering for each time that a pixel begins to differ: leaves, water
_MAX_WAVER = 14.0  # levels; more would make a busy place blind
_FIRST_FRAMES = 50
_LIMITS_S = 0.2  # between two looks at how much still pixels waver
_EDGE_SHARE = 0.25  # of the contrast around a pixel: coding and shaking move edges a little
_EDGES_S = 1.0  # between two looks for edges
_AROUND = np.ones((3, 3), np.uint8)
_UNKNOWN = -np.inf  # differs from all levels, in any light


class Background:
    """The scene without what moves. Levels are float32 (h, w); masks are uint8 (h, w), 0 or 255."""

    def __init__(self, first: Levels) -> None:
        """Args: first: The scene as it is now; its levels are copied."""
        self.level = first.copy()
        self._waver = np.ones_like(first)
        self._frames = 1
        self._elapsed_s = 0.0
        self._limits_at_s = 0.0
        self._edges_at_s = -_EDGES_S
        self._moved = False
        self.limits = self._limits()
        """Of a change, in levels: float32 (h, w)."""
        self._stirred = np.zeros(first.shape, np.uint8)
        self._resting = first.copy()
        self._rested_s = np.zeros_like(first)
        self._before = np.full_like(first, _UNKNOWN)
        self._settled_at_s = np.zeros_like(first)

    def changed(self, now: Levels) -> Plane:
        """Where ``now`` differs from the background by more than that wavers."""
        return self._differ(now, self.level)

    def recall(self, now: Levels, changed: Plane) -> Plane:
        """``changed`` without what shows again as it was before something came to rest there: that has left."""
        back = cv2.bitwise_and(cv2.bitwise_not(self._differ(now, self._before)), changed)
        if not cv2.countNonZero(back):
            return changed
        cv2.copyTo(self._before, back, self.level)
        self._before[back != 0] = _UNKNOWN
        return np.bitwise_xor(changed, back)

    def learn(self, now: Levels, changed: Plane | None, step_s: float) -> None:
        """Teaches a frame.

        Args:
            now: The frame.
            changed: Where it shows something else than the background; None where it does not, or where the
                background is not known yet.
            step_s: Since the frame before.
        """
        step_s = min(step_s, MAX_STEP_S)
        self._frames += 1
        self._elapsed_s += step_s
        same = None if changed is None else cv2.bitwise_not(changed)
        off = np.minimum(cv2.absdiff(now, self.level), np.float32(_MAX_WAVER))
        cv2.accumulateWeighted(off, self._waver, self._rate(step_s, _WAVER_S), same)
        cv2.accumulateWeighted(now, self.level, self._rate(step_s, _FOLLOW_S), same)
        if changed is not None:
            self._stir(changed)
            self._settle(now, changed, step_s)
        elif self._moved:
            self._stirred.fill(0)
            self._rested_s.fill(0)
        self._moved = changed is not None
        if self._moved or self._frames < _FIRST_FRAMES or self._elapsed_s >= self._limits_at_s + _LIMITS_S:
            self._limits_at_s = self._elapsed_s
            self.limits = self._limits()

    def relight(self, factors: Levels | float, offset: float = 0.0) -> None:
        """All levels, also those behind what covers them, become ``level * factors + offset``."""
        for levels in (self.level, self._resting, self._before):
            np.multiply(levels, factors, out=levels)
            if offset:
                np.add(levels, np.float32(offset), out=levels)

    def adopt(self, now: Levels, where: Plane) -> None:
        """The scene is as ``now`` shows it, there and from now on; how much it wavers is kept."""
        cv2.copyTo(now, where, self.level)
        self._before[where != 0] = _UNKNOWN

    def _differ(self, now: Levels, levels: Levels) -> Plane:
        return np.asarray(cv2.compare(cv2.absdiff(now, levels), self.limits, cv2.CMP_GT), np.uint8)

    def _limits(self) -> Levels:
        """Of a change, in levels. The mean of all guards pixels that happened to be quiet while learning."""
        floor = max(_MIN_CHANGE, _DEVIATIONS * cv2.mean(self._waver)[0])
        limits: Levels = np.maximum(self._waver * np.float32(_DEVIATIONS), np.float32(floor))
        if self._elapsed_s >= self._edges_at_s + _EDGES_S:
            self._edges_at_s = self._elapsed_s
            contrast = np.asarray(cv2.morphologyEx(self.level, cv2.MORPH_GRADIENT, _AROUND), np.float32)
            self._edges = contrast * np.float32(_EDGE_SHARE)
        limits += self._edges
        return limits

    def _rate(self, step_s: float, within_s: float) -> float:
        """Weight of one frame; the first ones are simply averaged."""
        return max(
            1 / self._frames if self._frames < _FIRST_FRAMES else 0.0, 1 - math.exp(-step_s / within_s)
        )

    def _stir(self, changed: Plane) -> None:
        """What passes begins to differ once; what sways does again and again, until it is allowed for."""
        begins = (changed & ~self._stirred) != 0
        self._waver[begins] = np.minimum(self._waver[begins] + _STIRRED, _MAX_WAVER)
        self._stirred = changed.copy()

    def _settle(self, now: Levels, changed: Plane, step_s: float) -> None:
        moved = self._differ(now, self._resting)
        cv2.copyTo(now, moved, self._resting)
        self._rested_s += np.float32(step_s)
        self._rested_s[cv2.bitwise_or(moved, cv2.bitwise_not(changed)) != 0] = 0
        settled = self._rested_s >= STEADY_S
        if not settled.any():
            return
        forgotten = (self._before == _UNKNOWN) | (self._elapsed_s - self._settled_at_s > MEMORY_S)
        replaced = settled & forgotten
        self._before[replaced] = self.level[replaced]
        self._settled_at_s[settled] = self._elapsed_s
        self.level[settled] = now[settled]
        self._rested_s[settled] = 0
