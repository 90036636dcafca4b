"""Motion by changed pixels.

    luma ─ small copy ─ differs from the background? ─ light? ─ places large enough ─ Motion
                              ↑                                        │
                              └────────────── learn ───────────────────┘

Nothing of a frame is kept but its small copy, and the same frames always give the same answers.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.frame import Plane
from edged.sections import MotionSettings
from edged.sources.motion.background import Background, Levels
from edged.sources.motion.light import drift, same_shapes, shade, step
from edged.sources.motion.places import places

MAX_BOXES = 8
LEARN_S = 2.0
"""Everything counts as motion for so long, and for `LEARN_FRAMES` at least, so that nothing present at the start
is missed."""
LEARN_FRAMES = 5
FORGET_S = 60.0
"""After so long without a frame the scene is learned anew."""

_SIDE_PX = 320  # the longer one, of the small copy
_SMOOTH = (3, 3)
_SPECKS_PX = 5  # of noise; more is no background, though it may be less than counts
_SHADE_S = 0.09  # between two looks for clouds
_STEP_SHARE = 0.2  # of the picture; less is no step of light
_EXPLAINED = 0.5  # of what changed, by a step of light
_LIGHT_SHARE = 0.3  # of the picture; less, without a step, may well be somebody with a shadow
_ALL_SHARE = 0.9  # of the picture; where nothing has shapes, this much is light


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What moved in one frame.

    Attributes:
        moving: Whether the frame is worth looking at: something moves, or the background is not known yet.
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels of the plane given, inside it; largest change first, at most
            `MAX_BOXES`. None while the background is being learned.
        share: Of the unmasked picture, how much changed, 0 to 1.
    """

    moving: bool
    boxes: NDArray[np.float32]
    share: float


_NO_BOXES = np.empty((0, 4), np.float32)
_NOTHING = Motion(moving=False, boxes=_NO_BOXES, share=0.0)
_UNKNOWN = Motion(moving=True, boxes=_NO_BOXES, share=0.0)


class PixelMotion:
    """Tells motion from noise and light. One for each camera; called by one thread.

    >>> motion = PixelMotion(MotionSettings(gate="pixels"))
    >>> still = np.zeros((360, 640), np.uint8)
    >>> [motion.look(still, second).moving for second in range(6)]  # at first, everything is new
    [True, True, True, True, False, False]
    """

    def __init__(self, settings: MotionSettings) -> None:
        """Args: settings: ``min_area`` and ``masks`` are read; ``recheck`` and ``hold`` are the caller's."""
        self._settings = settings
        self._scene: _Scene | None = None

    def look(self, luma: Plane, time_s: float) -> Motion:
        """What moves in a frame, which becomes a part of what is known. Every frame looked at, in order.

        Args:
            luma: uint8 (H, W), rows of any stride; only read. Another size than before begins anew.
            time_s: When it was captured, by a clock of any origin.
        """
        scene = self._scene
        if scene is None or not scene.continues(luma, time_s):
            scene = self._scene = _Scene(self._settings, luma, time_s)
        return scene.look(luma, time_s)


class _Scene:
    """One uninterrupted view of one size."""

    def __init__(self, settings: MotionSettings, luma: Plane, time_s: float) -> None:
        self._shape = luma.shape
        self._last_s = time_s
        self._known_s = self._shaded_at_s = 0.0
        self._frames = 0
        first = _small(luma)
        height, width = first.shape
        self._scale = np.array([luma.shape[1] / width, luma.shape[0] / height] * 2, np.float32)
        self._counted = np.full(first.shape, 255, np.uint8)
        for polygon in settings.masks:
            corners = np.rint(np.array(polygon) * (width, height)).astype(np.int32)
            cv2.fillPoly(self._counted, [corners], [0])
        self._picture_px = max(1, cv2.countNonZero(self._counted))
        self._min_px = max(1.0, settings.min_area * first.size)
        self._background = Background(first)

    def continues(self, luma: Plane, time_s: float) -> bool:
        return luma.shape == self._shape and time_s - self._last_s <= FORGET_S

    def look(self, luma: Plane, time_s: float) -> Motion:
        step_s = max(0.0, time_s - self._last_s)  # a file that begins again jumps back
        self._last_s = time_s
        self._known_s += step_s
        self._frames += 1
        now = _small(luma)
        if self._frames < LEARN_FRAMES or self._known_s < LEARN_S:
            self._background.learn(now, None, step_s)
            return _UNKNOWN
        changed = self._changes(now)
        pixels = cv2.countNonZero(changed)
        self._background.learn(now, changed if pixels > _SPECKS_PX else None, step_s)
        if pixels < self._min_px:
            return _NOTHING
        solid = np.asarray(cv2.medianBlur(changed, 3), np.uint8)
        found = places(solid, self._min_px)[:MAX_BOXES]
        boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in found], np.float32).reshape(-1, 4)
        return Motion(moving=bool(found), boxes=boxes * self._scale, share=self._share(changed))

    def _changes(self, now: Levels) -> Plane:
        """Where the scene changed for another reason than light."""
        background = self._background
        changed = self._unmasked(background.changed(now))
        light_share = _LIGHT_SHARE
        if self._share(changed) > _STEP_SHARE and (line := step(background.level, now, self._counted)):
            left = self._unmasked(line.unlike(background.level, now, background.limits))
            if self._share(left) < _EXPLAINED * self._share(changed):
                background.relight(line.gain, line.offset)
                background.adopt(now, changed & ~left)
                changed = left
                light_share = 0.0  # a lamp: no line explains all of it
        if cv2.countNonZero(changed) < self._min_px:
            self._follow_shade(now)
            return changed
        if line := drift(background.level, now, self._unmasked(~changed)):
            background.relight(line.gain, line.offset)
            changed = self._unmasked(background.changed(now))
        changed = background.recall(now, changed)
        if self._share(changed) >= light_share and self._is_light(now, changed):
            background.adopt(now, changed)
            return np.zeros_like(changed)
        return changed

    def _follow_shade(self, now: Levels) -> None:
        if self._known_s < self._shaded_at_s + _SHADE_S:
            return
        self._shaded_at_s = self._known_s
        if (factors := shade(self._background.level, now, self._counted)) is not None:
            self._background.relight(factors)

    def _is_light(self, now: Levels, changed: Plane) -> bool:
        alike = same_shapes(self._background.level, now, changed)
        return self._share(changed) >= _ALL_SHARE if alike is None else alike

    def _share(self, changed: Plane) -> float:
        return cv2.countNonZero(changed) / self._picture_px

    def _unmasked(self, changed: Plane) -> Plane:
        return changed & self._counted


def _small(luma: Plane) -> Levels:
    """A smoothed copy, at most `_SIDE_PX` wide and high.

    Few pixels are read, so that 4K costs what 1080p does; smoothing takes the noise that averaging all would take.
    """
    height, width = luma.shape
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_LINEAR)
    return cv2.blur(small, _SMOOTH).astype(np.float32)
