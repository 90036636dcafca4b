"""Which tracks stand still, though their boxes jitter and others hide parts of them.

A track has an anchor: the place it was last at rest. It has moved when its box has left the anchor's, and only what
both edges of a side do together counts: what is hidden in part loses one edge and stays where it is. Growing on both
sides counts, too: it comes nearer.
"""

import numpy as np

from edged.tracking.motion import Array
from edged.tracking.state import Rows

MOVED = 0.2
"""Sizes from the anchor at which a track that is not stationary has moved ..."""
LEFT = 0.35
"""... and one that is stationary ..."""
LEFT_S = 0.5
"""... and has been elsewhere for so long."""
SETTLE_S = 1.0
"""An anchor is the mean of the places in its first second: boxes jitter."""
GROWN = 0.3
"""Sizes by which both sides grow or shrink that count as having left."""


def watch(tracks: Rows, passed_s: float, still_s: float) -> None:
    """Bring ``anchor``, ``still_s``, ``astray_s`` and ``stationary`` of tracks up to this frame.

    Args:
        tracks: After the correction by this frame's detections.
        passed_s: Since the last frame.
        still_s: After which a track that does not move is stationary.
    """
    still, seen = tracks["stationary"], tracks["missed"] == 0
    place, anchor = tracks["place"], tracks["anchor"]
    tracks["still_s"] += passed_s
    away = distance(place, anchor, tracks["size"])
    moved = seen & ~still & (away > MOVED)
    if still.any():
        astray = tracks["astray_s"]
        astray += passed_s
        astray[away <= LEFT] = 0
        moved |= still & (astray >= LEFT_S)
    settling = seen & ~still & (tracks["still_s"] < SETTLE_S)
    tracks["anchored"] += settling
    tracks["anchored"][moved] = 1
    tracks["anchor"] += ((moved | settling) / tracks["anchored"])[:, None] * (place - anchor)
    tracks["still_s"][moved] = 0
    tracks["astray_s"][moved] = 0
    tracks["stationary"] = ~moved & (still | (seen & (tracks["still_s"] >= still_s)))


def distance(place: Array, anchor: Array, size: Array) -> Array:
    """How far (N,) places (N, 4) are from anchors (N, 4), in sizes (N,)."""
    apart = np.abs(place - anchor)
    shift = (apart[:, :2] - apart[:, 2:] / 2).max(axis=1, initial=0) / size
    growth = (place[:, 2:] - anchor[:, 2:]) / size[:, None]
    grown = np.where(growth[:, 0] * growth[:, 1] > 0, np.abs(growth).min(axis=1, initial=np.inf), 0)
    return np.asarray(np.maximum(shift, grown * (LEFT / GROWN)))
