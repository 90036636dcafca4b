"""Which tracks stand still, though their boxes jitter and others hide parts of them.

A track has an anchor: the place it was last at rest. It has moved when its box has left the anchor's, and only what
both edges of a side do together counts: what is hidden in part loses one edge and stays where it is. Growing on both
sides counts, too: it comes nearer.
"""

import numpy as np

from edged.tracking.motion import PLACE, Array
from edged.tracking.state import State

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


def watch(tracks: State, passed_s: float, still_s: float) -> None:
    """Bring ``anchor``, ``still_s``, ``astray_s`` and ``stationary`` of tracks up to this frame.

    Args:
        tracks: After the correction by this frame's detections.
        passed_s: Since the last frame.
        still_s: After which a track that does not move is stationary.
    """
    still, seen, still_for = tracks.stationary, tracks.missed == 0, tracks.still_s
    apart = tracks.filter[:, PLACE] - tracks.anchor
    still_for += passed_s
    away = distance(apart, tracks.size)
    may_move = seen & ~still
    moved = may_move & (away > MOVED)
    if still.any():
        astray = tracks.astray_s
        astray += passed_s
        astray[away <= LEFT] = 0
        moved |= still & (astray >= LEFT_S)
    settling = may_move & (still_for < SETTLE_S)
    anchored = tracks.anchored
    anchored += settling
    if moved.any():
        anchored[moved] = 1
        still_for[moved] = tracks.astray_s[moved] = 0
    tracks.anchor += ((moved | settling) / anchored) * apart
    still |= seen & (still_for >= still_s)
    still &= ~moved


def distance(apart: Array, size: Array) -> Array:
    """How far (M,) from their anchors tracks are, in sizes (M,).

    Args:
        apart: (4, M), of the place less the anchor.
        size: (M,).
    """
    way = np.abs(apart)
    shift = way[:2] - way[2:] / 2
    grown = np.minimum(way[2], way[3]) * (apart[2] * apart[3] > 0)
    grown *= LEFT / GROWN
    return np.asarray(np.maximum(np.maximum(shift[0], shift[1]), grown) / size)
