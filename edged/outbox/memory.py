"""An outbox that lives and dies with the process, for a run over recordings, which can be repeated."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from edged.outbox.gaps import GapMessage, Gaps
from edged.outbox.records import SHARES, Entry, Rank, Reason, size_bytes

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MemoryOutbox:
    """An outbox in memory.

    Args:
        max_bytes: Bound on topics and payloads together; Python's own cost comes on top, some 300 bytes
            an entry.
        max_age_s: An entry older than this is no longer worth sending.
        gap_message: Makes the message that tells of a gap; None = nobody is told.
        clock: The monotonic clock.
    """

    problem = "it is in memory"

    def __init__(
        self,
        max_bytes: int,
        max_age_s: float,
        *,
        gap_message: GapMessage | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes, self._max_age_s, self._clock = max_bytes, max_age_s, clock
        self._gap_message = gap_message
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._lent: set[int] = set()
        self._bytes = dict.fromkeys(Rank, 0)
        self._gaps = Gaps()
        self._last_key = 0
        self._dropped = 0
        self._dropping = False
        self._wakes: tuple[Callable[[], None], ...] = ()

    def start(self) -> None:
        """Nothing has to begin."""

    def append(self, topic: str, payload: bytes, *, qos: int, rank: Rank = Rank.RESULT) -> None:
        """Take a message; where it is one too many, others go."""
        with self._lock:
            self._put(topic, payload, qos, rank)
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

    def after(self, key: int, limit: int, *, up_to: int | None = None) -> list[Entry]:
        """At most ``limit`` entries beyond ``key``; entries that became too old meanwhile are gone."""
        found: list[Entry] = []
        with self._lock:
            self._trim()
            last = self._last_key if up_to is None else min(up_to, self._last_key)
            # Keys are consecutive and go mostly from the front, so looking upwards meets few holes.
            candidate = max(key + 1, next(iter(self._entries), self._last_key + 1))
            while candidate <= last and len(found) < limit:
                if (entry := self._entries.get(candidate)) is not None:
                    found.append(entry)
                candidate += 1
            self._lent.update(entry.key for entry in found)
        return found

    def remove(self, key: int) -> None:
        """Forget an entry."""
        with self._lock:
            self._pop(key)

    def set_aside(self, entry: Entry, why: str) -> None:
        """Give an entry up, and count it."""
        with self._lock:
            if self._pop(entry.key):
                self._dropped += 1
                self._gaps.add(entry.topic, entry.payload, "refused")

    def report_gaps(self) -> None:
        """Append a message about what was dropped since the last call."""
        with self._lock:
            if self._gap_message is None:
                return
            for topic, payload in map(self._gap_message, self._gaps.take()):
                self._put(topic, payload, 1, Rank.EVENT)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def last_key(self) -> int:
        """Of the newest."""
        return self._last_key

    @property
    def depth_bytes(self) -> int:
        """Topics and payloads that wait."""
        return sum(self._bytes.values())

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

    def close(self, timeout_s: float) -> bool:
        """Whether nothing waits: what does is lost."""
        return not self._entries

    def _put(self, topic: str, payload: bytes, qos: int, rank: Rank) -> None:
        self._last_key += 1
        self._entries[self._last_key] = Entry(self._last_key, topic, payload, qos, self._clock(), rank)
        self._bytes[rank] += size_bytes(topic, payload)

    def _pop(self, key: int) -> Entry | None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes[entry.rank] -= entry.size_bytes
            self._lent.discard(key)
        if not self._entries:
            self._dropping = False
        return entry

    def _trim(self) -> bool:
        """Drop what is over a bound; True where a spell of dropping begins (one log line)."""
        before = self._dropped
        oldest_allowed_s = self._clock() - self._max_age_s
        while (first := self._oldest()) and first.appended_monotonic_s < oldest_allowed_s:
            self._drop(first, "old")
        for rank in Rank:
            allowed = self._max_bytes * SHARES[rank]
            while self._bytes[rank] > allowed or self.depth_bytes > self._max_bytes:
                if (first := self._oldest(rank)) is None:
                    break
                self._drop(first, "full")
        begins = self._dropped > before and not self._dropping
        self._dropping = self._dropping or begins
        return begins

    def _oldest(self, rank: Rank | None = None) -> Entry | None:
        """Of those that may be dropped."""
        return next(
            (
                entry
                for key, entry in self._entries.items()
                if key not in self._lent and rank in {None, entry.rank}
            ),
            None,
        )

    def _drop(self, entry: Entry, reason: Reason) -> None:
        self._pop(entry.key)
        self._dropped += 1
        self._gaps.add(entry.topic, entry.payload, reason)
