"""Where tracks are thought to be: a Kalman filter for centre and size, for all tracks at once.

With noise that is independent from coordinate to coordinate, the usual filter of eight states falls into four of two
(place and speed), whose matrices are written out: no inverse, no loop. Speeds die away (an integrated
Ornstein-Uhlenbeck process): what has not been seen for long is thought to have stopped, and its variance grows with
time, not with its cube. Time is in seconds, so that any frame rate gives the same motion.

A filter is float64 (4, 6, M): for centre x, y, width, height of each of M tracks the rows `PLACE` (pixels), `SPEED`
(pixels a second), three of covariance, and the square of the track's size. So a step in time is a product of matrices.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PLACE, SPEED, OF_PLACE, OF_BOTH, OF_SPEED, SQUARE = ROWS_OF_FILTER = range(6)
"""Rows of a filter; those of covariance: of place, of place with speed, of speed."""
ROWS = len(ROWS_OF_FILTER)

FADE_S = np.array([10.0, 10.0, 0.7, 0.7])
"""In which speeds fall to 1/e: of centre x and y, width and height. Sizes change for short times only."""
ACCELERATION = np.array([0.8, 0.8, 0.25, 0.25])
"""Root of the spectral density, in sizes per second^1.5."""
FIRST_SPEED = np.array([1.5, 1.5, 0.3, 0.3])
"""Standard deviation of a new track's speed, sizes a second."""
NOISE = np.array([0.05, 0.05, 0.08, 0.08])
"""Standard deviation of a detection, sizes, at a score of 1."""
VAGUE = 4.0
"""So many times the variance, more, has a detection at a score of 0."""

_FIRST = np.stack((np.square(NOISE), np.zeros(4), np.square(FIRST_SPEED)), axis=1)[..., np.newaxis]
_NOISE_SQUARE = np.square(NOISE)[:, np.newaxis]


def begin(filtered: Array, size: Array) -> None:
    """Nothing is known of the tracks but their places and sizes (M,): they stand, as far as one knows."""
    square = np.square(size)
    filtered[:, SPEED] = 0
    filtered[:, OF_PLACE:SQUARE] = _FIRST * square
    filtered[:, SQUARE] = square


def predict(filtered: Array, passed_s: float) -> None:
    """``passed_s`` seconds later."""
    filtered[:, :SQUARE] = _step(passed_s) @ filtered


@lru_cache(maxsize=64)
def _step(passed_s: float) -> Array:
    """What becomes of a filter's rows: (4, 5, 6)."""
    fade = np.exp(-passed_s / FADE_S)
    reach = FADE_S * (1 - fade)
    of_speed = FADE_S / 2 * (1 - fade * fade)
    of_place = np.square(FADE_S) * np.maximum(passed_s - 2 * reach + of_speed, 0)
    step = np.zeros((4, SQUARE, ROWS))
    step[:, PLACE, PLACE] = step[:, OF_PLACE, OF_PLACE] = 1
    step[:, PLACE, SPEED] = reach
    step[:, SPEED, SPEED] = step[:, OF_BOTH, OF_BOTH] = fade
    step[:, OF_PLACE, OF_BOTH] = 2 * reach
    step[:, OF_PLACE, OF_SPEED] = reach * reach
    step[:, OF_BOTH, OF_SPEED] = fade * reach
    step[:, OF_SPEED, OF_SPEED] = fade * fade
    step[:, OF_PLACE:, SQUARE] = (
        np.square(ACCELERATION) * np.stack((of_place, np.square(reach) / 2, of_speed))
    ).T
    return step


def correct(filtered: Array, measured: Array, score: Array) -> None:
    """Detections were seen: ``measured`` (4, M), as places, by their score (M,)."""
    variance = _NOISE_SQUARE * (filtered[0, SQUARE] * ((1 + VAGUE) - VAGUE * score))
    first, both = filtered[:, OF_PLACE], filtered[:, OF_BOTH]
    gain = filtered[:, OF_PLACE:OF_SPEED] / (first + variance)[:, np.newaxis]
    error = measured - filtered[:, PLACE]
    filtered[:, :OF_PLACE] += gain * error[:, np.newaxis]
    of_speed = filtered[:, OF_SPEED]
    of_speed -= gain[:, 1] * both
    np.maximum(of_speed, 0, out=of_speed)
    both *= 1 - gain[:, 0]
    np.multiply(gain[:, 0], variance, out=first)


def resize(filtered: Array, factor: Array, square: float) -> None:
    """Pixels became other ones: so many times (4, 1) of each coordinate, ``square`` times the area."""
    filtered[:, :OF_PLACE] *= factor[:, np.newaxis]
    filtered[:, OF_PLACE:SQUARE] *= np.square(factor)[:, np.newaxis]
    filtered[:, SQUARE] *= square


def to_place(xyxy: Array) -> Array:
    """Corners (4, M) as centre x, y, width, height (4, M)."""
    low, high = xyxy[:2], xyxy[2:]
    place = np.empty(xyxy.shape)
    np.add(low, high, out=place[:2])
    place[:2] *= 0.5
    np.subtract(high, low, out=place[2:])
    return place


def to_xyxy(place: Array) -> Array:
    """Centre x, y, width, height (4, M) as corners (4, M); sizes below 0 count as 0."""
    half = np.maximum(place[2:], 0)
    half *= 0.5
    xyxy = np.empty(place.shape)
    np.subtract(place[:2], half, out=xyxy[:2])
    np.add(place[:2], half, out=xyxy[2:])
    return xyxy


def size_of(place: Array) -> Array:
    """The length (M,) that noise and speeds are measured in: the root of the area, at least a pixel."""
    sides = np.maximum(place[2:], 1)
    size: Array = np.sqrt(sides[0] * sides[1])
    return size
