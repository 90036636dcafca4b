"""In which order entries of the outbox go, so that what waited long does not hold up what is news.

    in order    backlog, then what came since           for as long as the backlog can be gone within a second
    two lanes   what came since ─ first                 order holds within each lane
                backlog ─ at a measured pace, and only while acknowledgements come quickly

The backlog is what was in the outbox when the connection began. Pure but for the outbox it is given.
"""

from collections.abc import Collection
from dataclasses import dataclass

from edged.outbox import Entry, Outbox

IN_ORDER_S = 0.8
"""A backlog that is gone by then delays no live result by more than a second, and keeps the order of its source."""

PACE = 2000.0
"""Entries of the backlog a second, at least: a broker may drop what a slow subscriber has not taken yet."""

LIVE_TIMES = 12.0
"""Of the rate at which live results come, where that is more."""

BURST = 128.0
SHARE = 0.75
"""Of the window, that the backlog may fill."""

SMALLEST = 8
"""Of a window that has room for two lanes."""

CONGESTED_S = 0.25
"""An acknowledgement that takes longer makes the backlog wait."""

_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Flight:
    """What is in flight.

    Attributes:
        size: Of the window.
        keys: Of entries.
        others: That are no entries.
        oldest_s: When the oldest was sent, on the monotonic clock; infinite where there is none.
    """

    size: int
    keys: Collection[int]
    others: int
    oldest_s: float

    @property
    def room(self) -> int:
        """How many more may go."""
        return self.size - len(self.keys) - self.others


class Lanes:
    """Where delivery stands in the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._begin_key = self._backlog_key = self._live_key = 0
        self._began_s: float | None = None
        self._split = False
        self._sent = 0
        self._paced = False

    def begin(self) -> None:
        """A new connection: what waits now is the backlog."""
        self._begin_key = self._live_key = self._outbox.last_key
        self._backlog_key = 0
        self._began_s = None
        self._split = self._paced = False
        self._sent = 0

    def offer(self, flight: Flight, now_s: float, *, in_order: bool) -> list[Entry]:
        """What may go next; at most what there is room for.

        Args:
            flight: What is in flight; it is passed over.
            now_s: On the monotonic clock.
            in_order: Whether the oldest must go first, however long that takes.
        """
        if self._began_s is None:
            self._began_s = now_s
        self._paced = False
        late = now_s - self._began_s > IN_ORDER_S
        self._split = self._split or (late and self._backlog_waits and flight.size >= SMALLEST)
        if not self._split or in_order:
            return self._in_order(flight, now_s)
        live = self._beyond(self._live_key, flight.room, flight, None)
        room = min(flight.room - len(live), int(flight.size * SHARE) - len(flight.keys))
        if now_s - flight.oldest_s > CONGESTED_S:
            room = 0
        return [*live, *self._backlog(room, flight, now_s)]

    def is_backlog(self, key: int) -> bool:
        """Whether an entry waited when the connection began."""
        return key <= self._begin_key

    def sent(self, key: int) -> None:
        """An entry went out."""
        if key > self._begin_key:
            self._live_key = max(self._live_key, key)
        else:
            self._backlog_key = max(self._backlog_key, key)
            self._sent += 1

    def back_to(self, key: int) -> None:
        """An entry that went out has to go again."""
        if key > self._begin_key:
            self._live_key = min(self._live_key, key - 1)
        else:
            self._backlog_key = min(self._backlog_key, key - 1)

    def next_look_s(self) -> float:
        """Seconds until more may go without anything having happened."""
        return _LOOK_S if self._paced else 1.0

    @property
    def _backlog_waits(self) -> bool:
        return self._backlog_key < self._begin_key

    def _in_order(self, flight: Flight, now_s: float) -> list[Entry]:
        backlog = self._backlog(flight.room, flight, now_s)
        if self._backlog_waits and (backlog or self._paced):
            reached = backlog[-1].key if backlog else 0
            if (
                self._paced
                or len(backlog) == flight.room
                or self._beyond(reached, 1, flight, self._begin_key)
            ):
                return backlog
        return [*backlog, *self._beyond(self._live_key, flight.room - len(backlog), flight, None)]

    def _backlog(self, room: int, flight: Flight, now_s: float) -> list[Entry]:
        if not self._backlog_waits or room <= 0:
            return []
        allowed = self._allowed(now_s)
        self._paced = allowed < room
        if allowed <= 0:
            return []
        found = self._beyond(self._backlog_key, min(room, allowed), flight, self._begin_key)
        if not found:
            self._paced = False
            if not flight.keys or min(flight.keys) > self._begin_key:
                self._backlog_key = self._begin_key  # all of it is gone
        return found

    def _allowed(self, now_s: float) -> int:
        passed_s = now_s - (now_s if self._began_s is None else self._began_s)
        live = max(0, self._outbox.last_key - self._begin_key) / max(passed_s, 0.1)
        return int(BURST + max(PACE, LIVE_TIMES * live) * passed_s) - self._sent

    def _beyond(self, key: int, limit: int, flight: Flight, up_to: int | None) -> list[Entry]:
        """Entries with a greater key that are not in flight."""
        if limit <= 0:
            return []
        # After a pause the key stands before entries in flight: they are met again and passed over.
        met = self._outbox.after(key, limit + len(flight.keys), up_to=up_to)
        return [entry for entry in met if entry.key not in flight.keys][:limit]
