"""What a tracker knows after a frame, as structs of arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """M tracks that are sure and have not ended, oldest first.

    Attributes:
        track_id: int64 (M,), from 1 on, never used again within a run.
        xyxy: float32 (M, 4): x1, y1, x2, y2 in pixels of the frame, clipped to it. Of the detection where there is
            one, else where the track is thought to be.
        score: float32 (M,) of the last detection, 0-1.
        best_score: float32 (M,), the greatest so far.
        label: M texts.
        first_s: float64 (M,), capture time of the first detection, seconds.
        seen_s: float64 (M,), capture time of the last detection, seconds.
        stationary: bool (M,).
        detection: int32 (M,), row among this update's detections; -1 = not seen in this frame.
    """

    track_id: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    best_score: NDArray[np.float32]
    label: tuple[str, ...]
    first_s: NDArray[np.float64]
    seen_s: NDArray[np.float64]
    stationary: NDArray[np.bool_]
    detection: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """What one frame changed.

    Attributes:
        tracks: Alive after it.
        track_id: int64 (N,), of each detection; 0 = none, or none yet.
        started: Ids that became sure in this frame, ascending; each is in ``tracks``.
        ended: Ids that ended with this frame, ascending; none is in ``tracks``.
    """

    tracks: Tracks
    track_id: NDArray[np.int64]
    started: tuple[int, ...]
    ended: tuple[int, ...]
