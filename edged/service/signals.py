"""SIGTERM and SIGINT end the daemon, SIGHUP reloads it; a second signal to end ends it at once."""

import contextlib
import os
import queue
import signal
from collections.abc import Iterator

import structlog

log = structlog.get_logger()

_RELOAD: int | None = getattr(signal, "SIGHUP", None)  # not on Windows
_WANTED = (signal.SIGTERM, signal.SIGINT, *([_RELOAD] if _RELOAD else []))


class Signals:
    """What the process was told. Made and read by the main thread.

    Attributes:
        ending: Told to end; known at once, also while the main thread waits for something else.
        told_by: The name of the signal that told so; empty before.
    """

    def __init__(self) -> None:
        self.ending, self.told_by = False, ""
        self._told: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Hear signals inside; what was in force before comes back afterwards."""
        before = {number: signal.signal(number, self._hear) for number in _WANTED}
        try:
            yield
        finally:
            for number, usual in before.items():
                signal.signal(number, usual)

    def reload_asked(self, timeout_s: float) -> bool:
        """Wait for a signal; whether it was the one to reload. One to end shows in `ending`."""
        with contextlib.suppress(queue.Empty):
            number = self._told.get(timeout=timeout_s)
            if number == _RELOAD:
                return True
            log.info("ending", signal=number.name)
        return False

    def _hear(self, number: int, _frame: object) -> None:
        if number != _RELOAD:
            if self.ending:
                os._exit(128 + number)
            self.ending, self.told_by = True, signal.Signals(number).name
        self._told.put(signal.Signals(number))
