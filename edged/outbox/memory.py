"""An outbox that lives and dies with the process, for a run over recordings, which can be repeated."""

import threading
import time
from collections.abc import Callable
from itertools import islice, takewhile

import structlog

from edged.outbox.bounds import excess_bytes, share_bytes
from edged.outbox.gaps import GapMessage, Gaps
from edged.outbox.keyed_queue import KeyedQueue
from edged.outbox.records import Entry, Rank, Reason
from edged.outbox.settling import Settling
from edged.outbox.wakes import Wakes

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MemoryOutbox:
    """An outbox in memory.

    Args:
        max_bytes: Bound on topics and payloads together; Python's own cost comes on top, some 400 bytes
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
        self._entries = KeyedQueue()
        self._droppable = {rank: KeyedQueue() for rank in Rank}  # those among them that were not given out
        self._gaps = Gaps()
        self._last_key = 0
        self._event_keys: dict[str, int] = {}
        self._dropped = 0
        self._dropping = False
        self._settling = Settling()
        self._wakes = Wakes()

    def start(self) -> None:
        """Nothing has to begin."""

    def append(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        rank: Rank = Rank.RESULT,
        settled: Callable[[], None] | None = None,
    ) -> None:
        """Take a message; where it is one too many, others go. It is settled by its delivery, or when it is dropped."""
        with self._lock:
            before = self._dropped
            self._put(topic, payload, qos, rank, settled)
            self._trim()
            news = self._dropped > before and not self._dropping
            self._dropping = self._dropping or news
        if news:
            _log.warning(
                "outbox full or too old: the oldest messages are dropped",
                dropped=self.dropped,
                max_bytes=self._max_bytes,
                max_age_s=self._max_age_s,
            )
        self._settling.tell()
        self._wakes()

    def wait_saved(self, timeout_s: float) -> bool:
        """True: there is no disk to wait for."""
        return True

    def after(self, key: int, limit: int, *, up_to: int | None = None) -> list[Entry]:
        """At most ``limit`` entries beyond ``key``; entries that became too old meanwhile are gone."""
        with self._lock:
            self._trim()
            last = self._last_key if up_to is None else up_to
            wanted = takewhile(lambda entry: entry.key <= last, self._entries.beyond(key))
            found = list(islice(wanted, limit))
            for entry in found:
                self._droppable[entry.rank].pop(entry.key)
        self._settling.tell()
        return found

    def remove(self, key: int) -> None:
        """Forget an entry."""
        with self._lock:
            self._pop(key)
        self._settling.tell()

    def set_aside(self, entry: Entry, why: str) -> None:
        """Give an entry up, and count it."""
        with self._lock:
            if self._pop(entry.key):
                self._count_dropped(entry, "refused")
        self._settling.tell()

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

    def event_keys(self) -> dict[str, int]:
        """Of the newest event, by topic."""
        with self._lock:
            return dict(self._event_keys)

    @property
    def depth_bytes(self) -> int:
        """Topics and payloads that wait."""
        return sum(self._entries.bytes.values())

    @property
    def dropped(self) -> int:
        """Entries given up since the start."""
        return self._dropped

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called after each append, until what is returned is called."""
        return self._wakes.subscribe(wake)

    def rebound(self, max_bytes: int, max_age_s: float) -> None:
        """Put other bounds in force; what is over them goes with the next message."""
        with self._lock:
            self._max_bytes, self._max_age_s = max_bytes, max_age_s

    def close(self, timeout_s: float) -> bool:
        """Whether nothing waits: what does is lost."""
        return not self._entries

    def _put(
        self, topic: str, payload: bytes, qos: int, rank: Rank, settled: Callable[[], None] | None = None
    ) -> None:
        self._last_key += 1
        entry = Entry(self._last_key, topic, payload, qos, self._clock(), rank)
        if entry.size_bytes > share_bytes(rank, self._max_bytes):  # it would not fit were it alone
            self._count_dropped(entry, "full")
            self._settling.settle_keyless(settled)
            return
        self._settling.expect(entry.key, settled)
        self._entries.put(entry)
        self._droppable[rank].put(entry)
        if rank is Rank.EVENT:
            self._event_keys[topic] = entry.key

    def _pop(self, key: int) -> Entry | None:
        entry = self._entries.pop(key)
        if entry is not None:
            self._droppable[entry.rank].pop(key)
            self._settling.settle((key,))
        if not self._entries:
            self._dropping = False
        return entry

    def _trim(self) -> None:
        """Drop what is over a bound."""
        oldest_allowed_s = self._clock() - self._max_age_s
        for line in self._droppable.values():
            while (first := line.first()) and first.appended_monotonic_s < oldest_allowed_s:
                self._drop(first, "old")
        for rank, size_bytes in excess_bytes(self._entries.bytes, self._max_bytes).items():
            left = size_bytes
            while left > 0 and (first := self._droppable[rank].first()) is not None:
                left -= first.size_bytes
                self._drop(first, "full")

    def _drop(self, entry: Entry, reason: Reason) -> None:
        self._pop(entry.key)
        self._count_dropped(entry, reason)

    def _count_dropped(self, entry: Entry, reason: Reason) -> None:
        self._dropped += 1
        self._gaps.add(entry.topic, entry.payload, reason)
