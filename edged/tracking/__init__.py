"""Which detections of one frame and the next are the same object.

    Detections ─→ Tracker.update ─→ TrackedFrame: the tracks alive, the track of each detection, who came and who ended

Pure NumPy: no clock (the time of a frame is given), no file, no thread. One `Tracker` for each camera and model.
"""

from edged.tracking.options import TrackOptions
from edged.tracking.tracker import Tracker
from edged.tracking.tracks import TrackedFrame, Tracks

__all__ = ["TrackOptions", "TrackedFrame", "Tracker", "Tracks"]
