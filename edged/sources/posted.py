"""Rows that are posted to us, each post answered once its results are safe.

    HTTP thread ── offer ──→ queue ── read ──→ sensor's thread ──→ … ──→ receipt settled ──→ the answer

Who posts is held back by waiting for the answer, and told to come again when that takes too long.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from edged.rows import Delivery, Receipt
from edged.sources.lines import arrived


class Outcome(Enum):
    """What became of a post."""

    SAFE = "safe"
    """Every result of its rows is kept."""
    BUSY = "busy"
    """Too many wait, or it took too long; to be posted again. Rows that were begun may have their results twice."""
    CLOSED = "closed"
    """The sensor is switched off, or the daemon ends; nothing was taken."""


@dataclass(slots=True, eq=False)
class _Post:
    payload: bytes
    origin: str
    read: Callable[[int, int, str], None] | None
    closed: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


class PostedRows:
    """A queue with a bound; see `edged.sources.rowsource.RowSource`. `offer` is for any thread."""

    patient = True
    dropped = 0
    format: None = None
    ended = False

    def __init__(self, limit: int = 64) -> None:
        """Nothing is taken before it is opened.

        Args:
            limit: Of posts that wait to be read.
        """
        self._limit = limit
        self._changed = threading.Condition()  # around everything below
        self._waiting: deque[_Post] = deque()
        self._is_open, self._woken = False, False

    def offer(
        self,
        payload: bytes,
        timeout_s: float,
        *,
        origin: str = "",
        read: Callable[[int, int, str], None] | None = None,
    ) -> Outcome:
        """Hand rows in and wait until their results are safe.

        Args:
            payload: Whole rows; who calls has bounded its size.
            timeout_s: For all of it.
            origin: See `Delivery`.
            read: See `Delivery`.
        """
        end_s = time.monotonic() + timeout_s
        post = _Post(payload, origin, read)
        with self._changed:
            if not self._changed.wait_for(self._takes_or_is_closed, timeout_s):
                return Outcome.BUSY
            if not self._is_open:
                return Outcome.CLOSED
            self._waiting.append(post)
            self._changed.notify_all()
        if post.answered.wait(max(0.0, end_s - time.monotonic())):
            return Outcome.CLOSED if post.closed else Outcome.SAFE
        self._withdraw(post)
        return Outcome.BUSY

    def open(self) -> None:
        """See `RowSource.open`."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._woken, timeout_s)
            posts = list(self._waiting) if not self._woken else []
            self._woken = False
            if posts:
                self._waiting.clear()
                self._changed.notify_all()
        return [
            replace(arrived(post.payload, Receipt(post.answered.set), origin=post.origin), read=post.read)
            for post in posts
        ]

    def close(self) -> None:
        """See `RowSource.close`. Posts that were not read are given back."""
        with self._changed:
            self._is_open = False
            posts = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for post in posts:
            post.closed = True
            post.answered.set()

    def wake(self) -> None:
        """See `RowSource.wake`."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _takes_or_is_closed(self) -> bool:
        return not self._is_open or len(self._waiting) < self._limit

    def _withdraw(self, post: _Post) -> None:
        """Take back what nobody has read."""
        with self._changed:
            if post in self._waiting:
                self._waiting.remove(post)
                self._changed.notify_all()
