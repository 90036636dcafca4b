"""Which frames of a stream are looked at, so that a given number a second is. Pure."""

import math

BACKWARDS_S = 1.0
"""A time stamp further back than this is a new beginning; less is disorder, and its frame is not chosen."""
FORESEEN_S = 10.0
"""No choice is foreseen for a time stamp further away from the last one."""
_EDGE = 1e-6
"""Of a slot: so near to its end it is not foreseen on which side rounding puts a frame."""


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
        self._announced: dict[int, float] = {}  # the earliest of each slot

    def restart(self, step_s: float = 0.0) -> None:
        """The stream begins anew: the next time stamp follows the last one, wherever it is.

        Args:
            step_s: The step where the stream has shown none, being one frame long.
        """
        self._restarted = True
        self._step_s = self._step_s or step_s
        self._announced.clear()

    def will_pass(self, time_s: float) -> bool:
        """Whether `choose` is sure to pass over the frame of this time stamp, which is still to come.

        Called for each frame that is to come, in any order; it is sure where an earlier frame of the same slot was
        asked about or chosen.

        >>> chooser = FrameChooser(10)
        >>> chooser.choose(0.0)
        True
        >>> chooser.will_pass(0.04), chooser.will_pass(0.12), chooser.will_pass(0.08)
        (True, False, False)
        """
        if (
            self._fps <= 0
            or self._last_s is None
            or self._restarted
            or abs(time_s - self._last_s) > FORESEEN_S
        ):
            return False
        place = (self._elapsed_s + time_s - self._last_s) * self._fps + 0.5
        slot = math.floor(place)
        if slot != math.floor(place - _EDGE) or slot != math.floor(place + _EDGE):
            return False
        if slot <= self._slot:
            return True
        earliest_s = self._announced.setdefault(slot, time_s)
        self._announced[slot] = min(earliest_s, time_s)
        return earliest_s < time_s

    def choose(self, time_s: float) -> bool:
        """Whether the frame of this time stamp is to be looked at. Called once for each frame, in order."""
        if self._fps <= 0:
            return True
        self._advance(time_s)
        slot = math.floor(self._elapsed_s * self._fps + 0.5)
        if slot <= self._slot:
            return False
        self._slot = slot
        if self._announced:
            self._announced = {later: at_s for later, at_s in self._announced.items() if later > slot}
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
