"""Light told from motion: a lamp, a cloud or an exposure step changes levels, and leaves shapes as they are."""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.frame import Plane
from edged.sources.motion.background import Levels

_SAMPLES = 2000  # of a picture, about
_FEW_SAMPLES = 30
_DARKEST, _BRIGHTEST = 4.0, 251.0  # levels; beyond, the sensor clips and a line does not hold
_GAINS = (0.3, 3.0)
_MIN_SPREAD = 8.0  # levels between dark and bright, below which no gain can be told
_LOOSE = 0.3  # of the change of light: tone curves are no lines
_FIELD_PX = 16
_DARK = 8.0  # levels added to both sides of a ratio, so that noise in the dark is no light
_SAME_SHADE = 0.01
_DETAIL_PX = 9  # shapes up to this size are compared
_MIN_DETAIL = 1.5  # levels (RMS); less is noise
_ALIKE = 0.7  # correlation of shapes


@dataclass(frozen=True, slots=True)
class Line:
    """Another light on a whole scene: ``now = before * gain + offset``."""

    gain: float
    offset: float

    def unlike(self, before: Levels, now: Levels, limits: Levels) -> Plane:
        """Where another light does not explain a picture: a mask, 0 or 255.

        Args:
            before: float32 (h, w).
            now: float32 (h, w).
            limits: Of a change, in levels; more is allowed the more the light changes.
        """
        lit = before * np.float32(self.gain) + np.float32(self.offset)
        allowed = limits + np.float32(_LOOSE) * cv2.absdiff(lit, before)
        unlike = np.asarray(cv2.compare(cv2.absdiff(now, lit), allowed, cv2.CMP_GT), np.uint8)
        clipped = (before > _BRIGHTEST) | ((lit > _BRIGHTEST) & (now > _BRIGHTEST))
        unlike[clipped | ((lit < _DARKEST) & (now < _DARKEST))] = 0
        return unlike


def step(before: Levels, now: Levels, counted: Plane) -> Line | None:
    """The change of light that explains most of a picture: Tukey's resistant line.

    Whatever covers less than half of the dark and of the bright third does not disturb it. None where too little
    is left to see.
    """
    was, seen = _samples(before, now, counted)
    if was.size < _FEW_SAMPLES:
        return None
    order = np.argsort(was, kind="stable")
    dark, bright = order[: len(order) // 3], order[-(len(order) // 3) :]
    span = float(np.median(was[bright]) - np.median(was[dark]))
    gain = 1.0
    if span > _MIN_SPREAD:
        gain = float(np.median(seen[bright]) - np.median(seen[dark])) / span
    if not _GAINS[0] <= gain <= _GAINS[1]:
        return None
    return Line(gain, float(np.median(seen - was * np.float32(gain))))


def drift(before: Levels, now: Levels, same: Plane) -> Line | None:
    """The change of light among pixels that show the same thing: least squares. None where they are few."""
    was, seen = _samples(before, now, same)
    if was.size < _FEW_SAMPLES:
        return None
    mean = was.mean()
    was -= mean
    spread = float(was @ was)
    gain = float(was @ seen) / spread if spread > was.size * _MIN_SPREAD**2 else 1.0
    return Line(gain, float(seen.mean() - gain * mean))


def shade(before: Levels, now: Levels, counted: Plane) -> Levels | None:
    """How much brighter each place of a scene without motion became, as under clouds; nothing where not counted.

    Returns:
        Factors, float32 (h, w), without detail smaller than `_FIELD_PX`; None where all stayed as it was.
    """
    height, width = before.shape
    fields = (max(1, width // _FIELD_PX), max(1, height // _FIELD_PX))
    was = before[::4, ::4]
    seen = np.where(counted[::4, ::4] != 0, now[::4, ::4], was)
    was_field, field = (cv2.resize(one, fields, interpolation=cv2.INTER_AREA) for one in (was, seen))
    ratio = (field + np.float32(_DARK)) / (was_field + np.float32(_DARK))
    if float(np.abs(ratio - 1).max()) < _SAME_SHADE:
        return None
    return np.asarray(cv2.resize(ratio, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def same_shapes(before: Levels, now: Levels, where: Plane) -> bool | None:
    """Whether the detail of two pictures is alike where the mask says. None where neither shows any."""
    was, seen = _detail(before), _detail(now)
    was_power = cv2.mean(cv2.multiply(was, was), where)[0]
    seen_power = cv2.mean(cv2.multiply(seen, seen), where)[0]
    if max(was_power, seen_power) < _MIN_DETAIL**2:
        return None
    alike: bool = cv2.mean(cv2.multiply(was, seen), where)[0] > _ALIKE * (was_power * seen_power) ** 0.5
    return alike


def _samples(before: Levels, now: Levels, among: Plane) -> tuple[Levels, Levels]:
    """Unclipped levels of the same places, then and now: float32 (N,) each, copies."""
    every = max(1, int((before.size / _SAMPLES) ** 0.5))
    was, seen = before[::every, ::every], now[::every, ::every]
    at = (among[::every, ::every] != 0) & (was > _DARKEST) & (was < _BRIGHTEST)
    at &= (seen > _DARKEST) & (seen < _BRIGHTEST)
    return was[at], seen[at]


def _detail(levels: Levels) -> Levels:
    return levels - cv2.blur(levels, (_DETAIL_PX, _DETAIL_PX))
