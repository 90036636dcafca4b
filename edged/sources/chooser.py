"""Which frames of a stream are looked at, so that a given number a second is. Pure."""

import math

BACKWARDS_S = 1.0
"""A time stamp further back than this is a new beginning; less is disorder, and its frame is not chosen."""


class FrameChooser:
    """Chooses ``fps`` frames a second by the stream's own clock, evenly and without drift.

    Time is cut into slots of 1/fps; the first frame of each is chosen. The first frame of all lies in the
    middle of its slot, so time stamps that are rounded to milliseconds do not fall on its edges.

    >>> chooser = FrameChooser(10)
    >>> [n for n in range(13) if chooser.choose(n / 30)]
    [0, 2, 5, 8, 11]
    """

    def __init__(self, fps: float) -> None:
        """Args: fps: Frames a second; 0 chooses all."""
        self._fps = fps
        self._elapsed_s = 0.0
        self._last_s: float | None = None
        self._step_s = 0.0
        self._slot = -1
        self._restarted = False

    def restart(self) -> None:
        """The stream begins anew: the next time stamp follows the last one, wherever it is."""
        self._restarted = True

    def choose(self, time_s: float) -> bool:
        """Whether the frame of this time stamp is to be looked at. Called once for each frame, in order."""
        if self._fps <= 0:
            return True
        self._advance(time_s)
        slot = math.floor(self._elapsed_s * self._fps + 0.5)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True

    def _advance(self, time_s: float) -> None:
        if self._last_s is not None:
            step_s = time_s - self._last_s
            if self._restarted or step_s < -BACKWARDS_S:
                step_s = self._step_s
            elif step_s < 0:
                return
            else:
                self._step_s = step_s or self._step_s
            self._elapsed_s += step_s
        self._last_s = time_s
        self._restarted = False
