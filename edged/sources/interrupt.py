"""Ends what FFmpeg is waiting for, when its camera is told to stop or its time is up.

Only the owner of a container may close it, and while the owner waits inside FFmpeg nobody can. But PyAV asks
the clock in that very thread, ten times a second, whether its time-out has passed. The clock it asks is the
one below: to a thread whose camera was told to stop it says that it is very late. Should another version of
PyAV ask elsewhere, its own time-outs go on to bound every wait.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from av.container import core

_LEAP_S = 1e9


class _Waiting(threading.local):
    stop: threading.Event | None = None
    deadline_s: float = float("inf")
    leaps: int = 0


class _Clock:
    """Stands where PyAV looks for the module ``time``, of which it uses nothing but ``monotonic``."""

    def __init__(self) -> None:
        self._waiting = _Waiting()

    def monotonic(self) -> float:
        """The monotonic clock; to a thread that is to stop, each answer is far later than the last."""
        now_s, waiting = time.monotonic(), self._waiting
        if waiting.stop is not None and (waiting.stop.is_set() or now_s > waiting.deadline_s):
            waiting.leaps += 1
        return now_s + _LEAP_S * waiting.leaps

    @contextmanager
    def waiting(self, stop: threading.Event, limit_s: float) -> Iterator[None]:
        """See `interruptible`."""
        waiting = self._waiting
        outer = waiting.stop, waiting.deadline_s, waiting.leaps
        waiting.stop, waiting.deadline_s, waiting.leaps = stop, time.monotonic() + limit_s, 0
        try:
            yield
        finally:
            waiting.stop, waiting.deadline_s, waiting.leaps = outer


_CLOCK = _Clock()
vars(core)["time"] = _CLOCK


@contextmanager
def interruptible(stop: threading.Event, limit_s: float = float("inf")) -> Iterator[None]:
    """Let the calls of PyAV inside be ended by ``stop``, from any thread, or by their time.

    Args:
        stop: Once it is set, a call that waits returns within a fraction of a second, with an error.
        limit_s: For all that happens inside, together.
    """
    with _CLOCK.waiting(stop, limit_s):
        yield
