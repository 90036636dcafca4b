"""Signs of life of the threads of this process: each says that it goes on, and who asks hears which one does not.

    with Heartbeat(bound_s=15.0) as heart:
        while not stopping:
            heart.mark(wait_s=poll_s)       # the next mark comes within poll_s + 15 s
            wait_for_something(poll_s)

A mark takes no lock and no system call, so it may stand in a loop that runs for every frame. Nothing here judges: that
is for `edged.service.supervision`, which asks for `hearts` and is never asked itself.
"""

import math
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

HANG = "EDGED_TEST_HANG"
"""For tests: ``THREAD[,THREAD…][:AFTER_S[:BOUND_S]]`` has the threads of these names stop for ever at a mark."""

_lock = threading.Lock()
_entered: dict[int, "Heartbeat"] = {}


class Heartbeat:
    """Of one thread, which alone enters and marks it; anyone may look.

    Attributes:
        name: Of the thread; empty until it is entered.
        thread_id: As `threading.get_ident` gives it there.
        bound_s: So long after it is due a thread counts as hung.
        patience_s: So long more, until the whole process counts as hung.
        due_s: When the next mark is due, on the monotonic clock; infinite while the thread waits for something that may
            never come.
        late: Whether supervision has found it late; written there.
        error: What ended the thread that should not have ended; empty while nothing has.
    """

    __slots__ = (
        "_allowed_s",
        "_clock",
        "bound_s",
        "due_s",
        "error",
        "late",
        "name",
        "patience_s",
        "thread_id",
    )

    def __init__(self, bound_s: float, *, patience_s: float = 0.0) -> None:
        """Nothing is due before it is entered.

        Args:
            bound_s: Longest time between two marks of a healthy thread, what it says it waits for aside.
            patience_s: How long the process may go on without this thread.
        """
        self.name, self.thread_id, self.error, self.late = "", 0, "", False
        self.bound_s, self.patience_s, self.due_s = bound_s, patience_s, math.inf
        self._allowed_s = bound_s  # from the last mark to the next
        self._clock: Callable[[], float] = time.monotonic

    def __enter__(self) -> Self:
        thread = threading.current_thread()
        self.name, self.thread_id, self.error = thread.name, threading.get_ident(), ""
        if wanted := os.environ.get(HANG):
            self._hang_if(wanted)
        self.mark()
        with _lock:
            _entered[id(self)] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.due_s = math.inf
        if error is not None:
            self.error = f"{type(error).__name__}: {error}"
            return  # it stays among `hearts`: this thread is missing
        with _lock:
            _entered.pop(id(self), None)

    def mark(self, wait_s: float = 0.0) -> None:
        """The thread goes on.

        Args:
            wait_s: What it does next may take so long, beside its bound.
        """
        self._allowed_s = self.bound_s + wait_s
        self.due_s = self._clock() + self._allowed_s

    def rest(self) -> None:
        """The thread waits for something that may never come; it marks when it has."""
        self.due_s = math.inf

    def late_s(self, now_s: float, awake_since_s: float = -math.inf) -> float:
        """How long a mark is overdue; not positive while it is not.

        Args:
            now_s: On the monotonic clock.
            awake_since_s: The process stood still until then, and could not mark anything; what it waited for may begin
                anew, as the system restarts interrupted waits.
        """
        return now_s - max(self.due_s, awake_since_s + self._allowed_s)

    def _hang_if(self, wanted: str) -> None:
        names, _, rest = wanted.partition(":")
        after_s, _, bound_s = rest.partition(":")
        if self.name not in names.split(","):
            return
        if bound_s:
            self.bound_s, self.patience_s = float(bound_s), 0.0
        from_s = time.monotonic() + float(after_s or 0)

        def hanging() -> float:
            now_s = time.monotonic()
            if now_s >= from_s:
                self.due_s = now_s + self.bound_s
                threading.Event().wait()
            return now_s

        self._clock = hanging


def hearts() -> list[Heartbeat]:
    """Of the threads that are at work, and of those that an error ended."""
    with _lock:
        return list(_entered.values())
