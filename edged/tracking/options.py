"""What may be chosen of a tracker."""

from dataclasses import dataclass

HIGH_SCORE = 0.4
"""From which on a detection may start a track, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How tracks begin, go on and end. Times are in seconds, never in frames.

    Attributes:
        high_score: Detections from here on start tracks; those below only continue them. None = 0.4.
        low_score: Detections below are not looked at.
        sure_hits: So many detections make a track sure, and so give it its id ...
        sure_s: ... and so does being seen twice, so far apart.
        lost_s: A moving track that is not seen for so long ends.
        still_s: Not moving for so long makes a track stationary.
        still_lost_s: A stationary track is waited for so long at most; less if it has not stood for long.
    """

    high_score: float | None = None
    low_score: float = 0.1
    sure_hits: int = 3
    sure_s: float = 0.15
    lost_s: float = 2.0
    still_s: float = 4.0
    still_lost_s: float = 60.0
