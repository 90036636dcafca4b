"""When a frame was captured, and when a recorded one is due. Pure: seconds come in, seconds go out."""

from collections import deque

WINDOW_S = 30.0
"""Over which the quickest arrival is remembered: long enough to meet a quiet network, and to follow drift."""
JUMP_S = 2.0
"""Beyond this a stream's time stamps have jumped; below it they are late or early."""
LATE_S = 1.0
"""A recording this far behind goes on from now instead of hurrying after its own clock."""


class StreamClock:
    """Tells when a live frame was captured, on this machine's monotonic clock.

    A frame may arrive late, never early: the smallest difference of arrival and time stamp in the last
    `WINDOW_S` is the stream's zero, and what a frame took longer is what the network held it back. A time
    stamp that jumps, or lateness that stays for `JUMP_S`, begins a new zero.

    >>> clock = StreamClock()
    >>> clock.captured_s(0.0, 100.0), clock.captured_s(0.1, 100.4), clock.captured_s(0.2, 100.2)
    (100.0, 100.1, 100.2)
    """

    def __init__(self) -> None:
        self._offsets: deque[tuple[float, float]] = deque()  # (arrival, offset), offsets ascending
        self._last: tuple[float, float] | None = None
        self._on_time_s = 0.0

    def captured_s(self, pts_s: float | None, arrival_s: float) -> float:
        """The moment of capture, at most ``arrival_s``.

        Args:
            pts_s: The stream's time stamp; None where the frame has none.
            arrival_s: When it arrived, on the monotonic clock.
        """
        if pts_s is None:
            return arrival_s
        if self._last is None or self._jumped(pts_s, arrival_s):
            self._anew(arrival_s)
        self._last = (pts_s, arrival_s)
        offset_s = arrival_s - pts_s
        if self._offsets and offset_s - self._offsets[0][1] <= JUMP_S:
            self._on_time_s = arrival_s
        elif arrival_s - self._on_time_s > JUMP_S:
            self._anew(arrival_s)
        self._remember(arrival_s, offset_s)
        return min(arrival_s, pts_s + self._offsets[0][1])

    def _jumped(self, pts_s: float, arrival_s: float) -> bool:
        if self._last is None:
            return True
        step_s = pts_s - self._last[0]
        return step_s < -JUMP_S or step_s > max(0.0, arrival_s - self._last[1]) + JUMP_S

    def _anew(self, arrival_s: float) -> None:
        self._offsets.clear()
        self._on_time_s = arrival_s

    def _remember(self, arrival_s: float, offset_s: float) -> None:
        while self._offsets and self._offsets[-1][1] >= offset_s:
            self._offsets.pop()
        self._offsets.append((arrival_s, offset_s))
        while self._offsets[0][0] < arrival_s - WINDOW_S:
            self._offsets.popleft()


class Pace:
    """Plays a recording at the speed of its own time stamps.

    >>> pace = Pace()
    >>> pace.due_s(7.0, now_s=100.0), pace.due_s(7.5, now_s=100.1)
    (100.0, 100.5)
    """

    def __init__(self) -> None:
        self._due_s: float | None = None
        self._pts_s = 0.0
        self._step_s = 0.0
        self._restarted = False

    def restart(self, step_s: float) -> None:
        """The recording begins again: its first frame is due one step after the last.

        Args:
            step_s: The step where the recording has shown none, being one frame long.
        """
        self._restarted = True
        self._step_s = self._step_s or step_s

    def due_s(self, pts_s: float, now_s: float) -> float:
        """When the frame of this time stamp is to be shown, on the clock of ``now_s``."""
        if self._due_s is None:
            due_s = now_s
        else:
            step_s = pts_s - self._pts_s
            if self._restarted or step_s < 0 or step_s > JUMP_S + self._step_s:
                step_s = self._step_s
            due_s = self._due_s + step_s
            self._step_s = step_s or self._step_s
        if now_s - due_s > LATE_S:
            due_s = now_s
        self._due_s, self._pts_s, self._restarted = due_s, pts_s, False
        return due_s
