"""What a tracker remembers of each track, as a row of one array: one call takes rows out or puts new ones behind."""

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections
from edged.tracking import motion

Rows = NDArray[np.void]
"""Tracks, oldest first, of the type `TRACK`."""

TRACK = np.dtype(
    [
        ("track_id", np.int64),  # 0 = not sure yet
        ("label", np.int64),  # number of its text
        ("place", np.float64, 4),  # centre x, y, width, height in pixels, as the filter has it
        ("speed", np.float64, 4),  # pixels a second
        ("covariance", np.float64, (3, 4)),
        ("size", np.float64),  # pixels
        ("xyxy", np.float64, 4),  # of the last detection
        ("score", np.float32),
        ("best_score", np.float32),
        ("first_s", np.float64),
        ("seen_s", np.float64),
        ("unseen_s", np.float64),  # since the last detection, without the time in which nothing was looked at
        ("missed", np.int64),  # looks in a row that did not show it
        ("looks", np.int64),  # since its first detection, with that
        ("found", np.int64),  # detections, of any score
        ("hits", np.int64),  # those that could have started it
        ("detection", np.int32),  # row in this frame's detections, -1 = none
        ("anchor", np.float64, 4),  # where it stands, if it stands: as place
        ("anchored", np.int64),  # looks that the anchor is the mean of
        ("still_s", np.float64),  # since it has been there
        ("astray_s", np.float64),  # since it has been seen elsewhere
        ("stationary", np.bool_),
    ]
)
_PIXELS = ("place", "speed", "xyxy", "anchor")


def none() -> Rows:
    """No tracks."""
    return np.zeros(0, TRACK)


def begun(detections: Detections, columns: NDArray[np.intp], label: NDArray[np.int64], at_s: float) -> Rows:
    """A track for each of the chosen detections; ``label`` (N,) is of all detections."""
    new = np.zeros(len(columns), TRACK)
    new["label"] = label[columns]
    new["xyxy"] = detections.xyxy[columns]
    new["place"] = new["anchor"] = motion.to_place(new["xyxy"])
    new["size"] = motion.size_of(new["place"])
    new["covariance"] = motion.first_covariance(new["size"])
    new["score"] = new["best_score"] = detections.score[columns]
    new["first_s"] = new["seen_s"] = at_s
    new["looks"] = new["found"] = new["hits"] = new["anchored"] = 1
    new["detection"] = columns
    return new


def resized(tracks: Rows, across: float, down: float) -> None:
    """The camera's pictures became so many times as wide and as high; what they show did not change."""
    factor = np.array([across, down, across, down])
    for name in _PIXELS:
        tracks[name] *= factor
    tracks["covariance"] *= np.square(factor)
    tracks["size"] *= np.sqrt(across * down)
