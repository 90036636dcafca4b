"""Where tracks are thought to be: a Kalman filter for centre and size, for all tracks at once.

With noise that is independent from coordinate to coordinate, the usual filter of eight states falls into four of two
(place and speed), whose matrices are written out: no inverse, no loop. Speeds die away (an integrated
Ornstein-Uhlenbeck process): what has not been seen for long is thought to have stopped, and its variance grows with
time, not with its cube. Time is in seconds, so that any frame rate gives the same motion.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

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


def first_covariance(size: Array) -> Array:
    """Of new tracks of a size (N,): (N, 3, 4), of place, of place with speed, of speed; four coordinates each."""
    covariance = np.zeros((len(size), 3, 4))
    covariance[:, 0] = np.square(NOISE * size[:, None])
    covariance[:, 2] = np.square(FIRST_SPEED * size[:, None])
    return covariance


def predicted(
    place: Array, speed: Array, covariance: Array, size: Array, passed_s: float
) -> tuple[Array, Array, Array]:
    """``passed_s`` seconds later: place (N, 4), speed (N, 4), covariance (N, 3, 4)."""
    fade, reach, noise = _step(passed_s)
    first, both, second = covariance[:, 0], covariance[:, 1], covariance[:, 2]
    grown = np.square(size)[:, None, None] * noise
    far = reach * second
    grown[:, 0] += first + reach * (both + both + far)
    grown[:, 1] += fade * (both + far)
    grown[:, 2] += fade * fade * second
    return place + reach * speed, fade * speed, grown


@lru_cache(maxsize=64)
def _step(passed_s: float) -> tuple[Array, Array, Array]:
    """What is left of a speed (4,), how far it reaches (4,), and what noise adds to a covariance (3, 4)."""
    fade = np.exp(-passed_s / FADE_S)
    reach = FADE_S * (1 - fade)
    of_speed = FADE_S / 2 * (1 - fade * fade)
    of_place = np.square(FADE_S) * np.maximum(passed_s - 2 * reach + of_speed, 0)
    return fade, reach, np.square(ACCELERATION) * np.stack((of_place, np.square(reach) / 2, of_speed))


def corrected(
    place: Array, speed: Array, covariance: Array, measured: Array, variance: Array
) -> tuple[Array, Array, Array]:
    """After seeing ``measured`` (N, 4) with ``variance`` (N, 4)."""
    first, both, second = covariance[:, 0], covariance[:, 1], covariance[:, 2]
    total = first + variance
    gain, gain_of_speed = first / total, both / total
    error = measured - place
    shrunk = np.empty_like(covariance)
    shrunk[:, 0] = gain * variance
    shrunk[:, 1] = both * (1 - gain)
    shrunk[:, 2] = np.maximum(second - gain_of_speed * both, 0)
    return place + gain * error, speed + gain_of_speed * error, shrunk


def variance_of(size: Array, score: Array) -> Array:
    """Of detections of tracks of a size (N,), by their score (N,): (N, 4)."""
    variance: Array = np.square(NOISE * size[:, None]) * (1 + VAGUE * (1 - score[:, None]))
    return variance


def to_place(xyxy: Array) -> Array:
    """Corners (N, 4) as centre x, y, width, height (N, 4)."""
    low, high = xyxy[:, :2], xyxy[:, 2:]
    place = np.empty_like(xyxy)
    place[:, :2] = (low + high) / 2
    place[:, 2:] = high - low
    return place


def to_xyxy(place: Array) -> Array:
    """Centre x, y, width, height (N, 4) as corners (N, 4); sizes below 0 count as 0."""
    centre, half = place[:, :2], np.maximum(place[:, 2:], 0) / 2
    xyxy = np.empty_like(place)
    xyxy[:, :2] = centre - half
    xyxy[:, 2:] = centre + half
    return xyxy


def size_of(place: Array) -> Array:
    """The length (N,) that noise and speeds are measured in: the root of the area, at least a pixel."""
    size: Array = np.sqrt(np.maximum(place[:, 2], 1) * np.maximum(place[:, 3], 1))
    return size
