"""Whether the thread of a source is to work, to rest or to end. Anyone may say so; the thread itself waits here.

Each attempt to open and read a source has an event of its own that ends it, so that switching off and on again at
once ends it too.
"""

import threading
from collections.abc import Callable
from enum import Enum

CONNECTING, SWITCHED_OFF = "connecting", "switched off by command"
"""Why nothing comes yet, or any more."""


class SourceStatus(Enum):
    """Whether something comes from a source."""

    ONLINE = "online"
    OFFLINE = "offline"
    DISABLED = "disabled"


class Switch:
    """One thread's switch.

    Attributes:
        stop: Set when the thread is to end.
        halt: Set when the present attempt is to end; another event for each attempt.
    """

    def __init__(self, *, enabled: bool, interrupt: Callable[[], None]) -> None:
        """On or off from the start.

        Args:
            enabled: Whether the thread is to work.
            interrupt: Ends whatever the thread waits for besides `halt`; must not block.
        """
        self.stop = threading.Event()
        self.halt = threading.Event()
        self._enabled, self._interrupt = enabled, interrupt
        self._changed = threading.Condition()  # around changes of `stop`, `_enabled` and `halt`

    def end(self) -> None:
        """The thread is to end."""
        with self._changed:
            self.stop.set()
            self._end_attempt()

    def turn(self, enabled: bool) -> None:
        """The thread is to work, or to rest."""
        with self._changed:
            self._enabled = enabled
            if not enabled:
                self._end_attempt()
            self._changed.notify()

    def begins_attempt(self, resting: Callable[[], None]) -> bool:
        """Wait until an attempt may begin; for the thread alone.

        Args:
            resting: Called before each wait for being switched on.

        Returns:
            False where the thread is to end.
        """
        while True:
            with self._changed:
                if self.stop.is_set():
                    return False
                if self._enabled:
                    self.halt = threading.Event()
                    return True
            resting()
            with self._changed:
                self._changed.wait_for(lambda: self._enabled or self.stop.is_set())

    def _end_attempt(self) -> None:
        self.halt.set()
        self._changed.notify()
        self._interrupt()
