"""One thread that does one thing after the other, from a bounded queue."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from edged.heartbeat import Heartbeat


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done.

    Attributes:
        run: Does it, in the thread; must not raise.
        cancel: Called instead if it is never begun; must not block.
    """

    run: Callable[[], None]
    cancel: Callable[[], None]


class SerialExecutor:
    """Owns its thread; any thread may call."""

    def __init__(self, name: str, *, limit: int, bound_s: float | None = None) -> None:
        """Nothing runs before `start`.

        Args:
            name: Of the thread.
            limit: How many tasks may wait.
            bound_s: A task that takes longer hangs; None = nobody misses this thread.
        """
        self._limit = limit
        self._heart = Heartbeat(bound_s) if bound_s else None
        self._news = threading.Condition()
        self._waiting: deque[Task] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin; once only."""
        self._thread.start()

    def submit(self, task: Task) -> bool:
        """Have a task done in its turn; False if too many wait, or it was closed."""
        with self._news:
            if self._closed or len(self._waiting) >= self._limit:
                return False
            self._waiting.append(task)
            self._news.notify()
        return True

    def close(self) -> None:
        """Begin nothing any more: what waits is cancelled, what runs is not waited for."""
        with self._news:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            self._news.notify()
        for task in waiting:
            task.cancel()

    def join(self, timeout_s: float) -> bool:
        """After `close`, wait for the task that runs; False if that took longer."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        entered: AbstractContextManager[object] = self._heart or nullcontext()
        with entered:
            while task := self._next():
                if self._heart:
                    self._heart.mark()
                task.run()

    def _next(self) -> Task | None:
        if self._heart:
            self._heart.rest()
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closed)
            return self._waiting.popleft() if self._waiting else None
