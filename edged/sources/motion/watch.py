"""How long a camera is looked at after something moved, and when it is looked at though nothing moves. Pure."""

import math

DISORDER_S = 10.0
"""Time stamps further back than this are a new beginning; less is the order in which packets come."""


class Timeline:
    """One clock that only goes on, though recordings begin again and the clocks of cameras jump back.

    >>> timeline = Timeline()
    >>> timeline.at(5.0), timeline.at(5.5), timeline.at(5.25)
    (5.0, 5.5, 5.25)
    >>> timeline.restart(step_s=0.25)
    >>> timeline.at(0.0), timeline.at(0.5)
    (5.75, 6.25)
    """

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._latest_s: float | None = None
        self._restarted, self._step_s = False, 0.0

    def restart(self, step_s: float = 0.0) -> None:
        """The next time stamp follows the latest one by ``step_s``, wherever it is."""
        self._restarted, self._step_s = True, step_s

    def at(self, time_s: float) -> float:
        """A time stamp of the stream on this clock."""
        latest_s = self._latest_s
        if latest_s is not None and self._restarted:
            self._offset_s = latest_s + self._step_s - time_s
        elif latest_s is not None and time_s + self._offset_s < latest_s - DISORDER_S:
            self._offset_s = latest_s - time_s
        self._restarted = False
        moment_s = time_s + self._offset_s
        self._latest_s = moment_s if latest_s is None else max(latest_s, moment_s)
        return moment_s


class Watch:
    """Remembers when something moved and when the scene was looked at.

    >>> watch = Watch(hold_s=2, recheck_s=30)
    >>> watch.moved(1.0)
    >>> watch.is_awake(3.0), watch.is_awake(3.1)
    (True, False)
    >>> watch.looked(3.0)
    >>> watch.is_due(32.9), watch.is_due(33.0)
    (False, True)
    """

    def __init__(self, *, hold_s: float, recheck_s: float) -> None:
        """Args: hold_s: Awake for so long after motion; recheck_s: between two looks at a still scene."""
        self._hold_s, self._recheck_s = hold_s, recheck_s
        self._moved_s = self._looked_s = -math.inf

    def moved(self, time_s: float) -> None:
        """Something moved."""
        self._moved_s = max(self._moved_s, time_s)

    def looked(self, time_s: float) -> None:
        """The scene was looked at."""
        self._looked_s = max(self._looked_s, time_s)

    def is_awake(self, time_s: float) -> bool:
        """Whether something moves, or did a moment ago."""
        return time_s <= self._moved_s + self._hold_s

    def is_due(self, time_s: float, *, grace: float = 1.0) -> bool:
        """Whether the scene has not been looked at for ``grace`` times ``recheck_s``."""
        return time_s - self._looked_s >= self._recheck_s * grace
