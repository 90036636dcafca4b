"""Where messages wait until the broker has acknowledged them.

    pipeline ── append ──→ outbox ── after(key) ──→ link ──→ broker
                             ↑                        │
                             └──────── remove(key) ←──┘ PUBACK

The pipeline appends and forgets; the link takes entries in order and removes each one only when it is
delivered. What is over the bound goes oldest first, and is counted: the newest are worth the most.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that waits.

    Attributes:
        key: Grows with every append, from 1; the order of delivery.
        topic: Where it goes.
        payload: As appended; the link may mark it as replayed on the way out.
        qos: 0, 1 or 2.
        appended_monotonic_s: When, on the monotonic clock.
    """

    key: int
    topic: str
    payload: bytes
    qos: int
    appended_monotonic_s: float


class Outbox(Protocol):
    """What the pipeline and the link need of an outbox; every method may be called from any thread."""

    def append(self, topic: str, payload: bytes, *, qos: int) -> None:
        """Take a message. Returns at once, never fails and never waits for a broker."""
        ...

    def after(self, key: int, limit: int) -> list[Entry]:
        """At most ``limit`` entries with a key greater than ``key``, oldest first; [] when there are none."""
        ...

    def remove(self, key: int) -> None:
        """Forget an entry: delivered, or set aside. One that is gone already is no error."""
        ...

    def __len__(self) -> int:
        """Entries that wait, those in flight included."""
        ...

    @property
    def depth_bytes(self) -> int:
        """Topics and payloads that wait."""
        ...

    @property
    def dropped(self) -> int:
        """Entries given up since the start: over the bound, or too old."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called after each append, from the appending thread; it must not block.

        Returns:
            What ends that.
        """
        ...


class MemoryOutbox:
    """An outbox that lives and dies with the process.

    Args:
        max_bytes: Bound on topics and payloads together; Python's own cost comes on top, some 300 bytes
            an entry.
        max_age_s: An entry older than this is no longer worth sending.
        clock: The monotonic clock.
    """

    def __init__(
        self, max_bytes: int, max_age_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes, self._max_age_s, self._clock = max_bytes, max_age_s, clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._last_key = 0
        self._bytes = 0
        self._dropped = 0
        self._dropping = False
        self._wakes: tuple[Callable[[], None], ...] = ()

    def append(self, topic: str, payload: bytes, *, qos: int) -> None:
        """Take a message; the oldest go where it is one too many."""
        with self._lock:
            self._last_key += 1
            self._entries[self._last_key] = Entry(self._last_key, topic, payload, qos, self._clock())
            self._bytes += _size(topic, payload)
            news = self._trim()
        if news:
            _log.warning(
                "outbox full or too old: the oldest messages are dropped",
                dropped=self.dropped,
                max_bytes=self._max_bytes,
                max_age_s=self._max_age_s,
            )
        for wake in self._wakes:
            wake()

    def after(self, key: int, limit: int) -> list[Entry]:
        """At most ``limit`` entries beyond ``key``; entries that became too old meanwhile are gone."""
        found: list[Entry] = []
        with self._lock:
            self._trim()
            # Keys are consecutive and go mostly from the front, so looking upwards meets few holes.
            candidate = max(key + 1, next(iter(self._entries), self._last_key + 1))
            while candidate <= self._last_key and len(found) < limit:
                if (entry := self._entries.get(candidate)) is not None:
                    found.append(entry)
                candidate += 1
        return found

    def remove(self, key: int) -> None:
        """Forget an entry."""
        with self._lock:
            if (entry := self._entries.pop(key, None)) is not None:
                self._bytes -= _size(entry.topic, entry.payload)
            if not self._entries:
                self._dropping = False

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def depth_bytes(self) -> int:
        """Topics and payloads that wait."""
        return self._bytes

    @property
    def dropped(self) -> int:
        """Entries given up since the start."""
        return self._dropped

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called after each append, until what is returned is called."""
        self._wakes = (*self._wakes, wake)

        def end() -> None:
            self._wakes = tuple(other for other in self._wakes if other != wake)

        return end

    def rebound(self, max_bytes: int, max_age_s: float) -> None:
        """Put other bounds in force; what is over them goes with the next message."""
        with self._lock:
            self._max_bytes, self._max_age_s = max_bytes, max_age_s

    def _trim(self) -> bool:
        """Drop what is over a bound, oldest first; True where a spell of dropping begins (one log line)."""
        oldest_allowed_s = self._clock() - self._max_age_s
        before = self._dropped
        while self._entries:
            entry = self._entries[next(iter(self._entries))]
            if self._bytes <= self._max_bytes and entry.appended_monotonic_s >= oldest_allowed_s:
                break
            del self._entries[entry.key]
            self._bytes -= _size(entry.topic, entry.payload)
            self._dropped += 1
        begins = self._dropped > before and not self._dropping
        self._dropping = self._dropping or begins
        return begins


def _size(topic: str, payload: bytes) -> int:
    return len(topic) + len(payload)
