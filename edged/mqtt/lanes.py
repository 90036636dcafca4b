"""In which order entries of the outbox go, so that what waited long does not hold up what is news.

    in order    backlog, then what came since           for as long as the backlog can be gone within a second
    two lanes   what came since ─ first                 order holds within each lane
                backlog ─ at a measured pace, and a trickle of it while acknowledgements are slow

Events are the exception: a new one waits for as long as the backlog holds older ones of its topic, because who hears of
an object's end before its start keeps that object for ever. It does not wait longer than `HELD_S`: a backlog that takes
hours over a satellite is not to hold what happens now.

The backlog is what was in the outbox when the connection began. What comes to light behind either lane, because a disk
could not be read until now, joins it within a second. Pure but for the outbox it is given.
"""

from collections.abc import Collection
from dataclasses import dataclass

from edged.outbox import Entry, Outbox

IN_ORDER_S = 0.8
"""A backlog that is gone by then delays no live result by more than a second, and keeps the order of its source."""

PACE = 1000.0
"""Entries of the backlog a second, at least: a broker may drop what a slow subscriber has not taken yet."""

LIVE_TIMES = 12.0
"""Of the rate at which live results come, where that is more."""

BURST = 128.0
SAVED_UP_S = 0.25
"""Of the pace, that a backlog that had to wait may catch up with at once."""

SHARE = 0.75
"""Of the window, that the backlog may fill."""

SMALLEST = 8
"""Of a window that has room for two lanes."""

CONGESTED_S = 0.25
"""While an acknowledgement takes longer, the backlog trickles."""

TRICKLE = 1 / 16
"""Of the window, that the backlog may fill all the same: over a satellite every acknowledgement takes longer."""

LOOK_BEHIND_S = 1.0
_LOOK_S = 0.01
HELD_S = 30.0
"""From the beginning of a connection, in which a new event waits for older ones."""

_ORDERED = "/events"
"""How topics end whose messages are one story: their order holds across both lanes."""


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
        self.begin(0.0)

    def begin(self, now_s: float) -> None:
        """A new connection: what waits now is the backlog."""
        self._connected_s = now_s
        self._live_key = self._outbox.last_key
        self._begin_at(self._live_key)
        self._backlog_key = 0
        self._began_s: float | None = None
        self._split = self._paced = self._backlog_went = False
        self._live_sent = 0
        self._allowance, self._allowed_at_s = BURST, now_s
        self._look_behind_at_s = 0.0

    def offer(self, flight: Flight, now_s: float, *, suspects: Collection[int]) -> list[Entry]:
        """What may go next; at most what there is room for.

        Args:
            flight: What is in flight; it is passed over.
            now_s: On the monotonic clock.
            suspects: Keys of entries of the backlog that go alone; one whose turn it is comes first.
        """
        if self._began_s is None:
            self._began_s = self._allowed_at_s = now_s
        self._paced = False
        self._look_behind(flight, now_s)
        late = now_s - self._began_s > IN_ORDER_S
        self._split = self._split or (late and self.backlog_waits and flight.size >= SMALLEST)
        if not self._split:
            return self._in_order(flight, now_s)
        trickle = self._trickle(flight)
        live = self._live(flight.room - trickle, flight, now_s)
        room = int(flight.size * SHARE) - len(flight.keys) - len(live)
        if now_s - flight.oldest_s > CONGESTED_S:
            room = 0
        backlog = self._backlog(min(max(room, trickle), flight.room - len(live)), flight, now_s)
        if backlog and backlog[0].key in suspects:  # live results would never leave the window empty for it
            return live if live and self._backlog_went else backlog[:1]
        return [*live, *backlog]

    def is_backlog(self, key: int) -> bool:
        """Whether an entry waited when the connection began."""
        return key <= self._begin_key

    def sent(self, key: int) -> None:
        """An entry went out."""
        self._backlog_went = self.is_backlog(key)
        if self._backlog_went:
            self._backlog_key = max(self._backlog_key, key)
            self._allowance -= 1
        else:
            self._live_key = max(self._live_key, key)
            self._live_sent += 1

    def back_to(self, key: int) -> None:
        """An entry that went out has to go again."""
        if self.is_backlog(key):
            self._backlog_key = min(self._backlog_key, key - 1)
        else:
            self._live_key = min(self._live_key, key - 1)

    def next_look_s(self) -> float:
        """Seconds until more may go without anything having happened."""
        return _LOOK_S if self._paced else 1.0

    def _trickle(self, flight: Flight) -> int:
        """Places that live results leave to the backlog, whatever else."""
        taken = sum(key <= self._begin_key for key in flight.keys)
        return max(0, max(1, int(flight.size * TRICKLE)) - taken) if self.backlog_waits else 0

    @property
    def backlog_waits(self) -> bool:
        """Whether some of the backlog did not go yet, or has to go again."""
        return self._backlog_key < self._begin_key

    def _look_behind(self, flight: Flight, now_s: float) -> None:
        """Have what waits behind a lane go as backlog: nothing else would ever meet it on this connection."""
        if now_s < self._look_behind_at_s and self._live_key:
            return
        self._look_behind_at_s = now_s + LOOK_BEHIND_S
        for oldest in self._beyond(0, 1, flight, None):
            if not self._live_key and oldest.appended_monotonic_s < self._connected_s:
                self._live_key = self._outbox.last_key  # it was not open as this began
                self._begin_at(self._live_key)
            elif self._begin_key < oldest.key <= self._live_key and oldest.topic not in self._held:
                self._begin_at(self._live_key)
            self._backlog_key = min(self._backlog_key, oldest.key - 1)

    def _begin_at(self, key: int) -> None:
        """What is up to a key is the backlog."""
        self._begin_key = key
        newest = self._outbox.event_keys()
        self._ordered_up_to = {
            topic: min(last, key) for topic, last in newest.items() if topic.endswith(_ORDERED)
        }
        self._held: dict[str, int] = {}  # the oldest that was passed over, by topic

    def _live(self, room: int, flight: Flight, now_s: float) -> list[Entry]:
        """What came since the connection began, without what follows something in the backlog."""
        if now_s - self._connected_s > HELD_S:
            self._ordered_up_to.clear()
        for topic in [topic for topic in self._held if not self._follows_backlog(topic)]:
            self._live_key = min(self._live_key, self._held.pop(topic) - 1)
        found: list[Entry] = []
        for entry in self._beyond(self._live_key, room, flight, None):
            if not self._follows_backlog(entry.topic):
                found.append(entry)
                continue
            self._held.setdefault(entry.topic, entry.key)
            if not found:
                self._live_key = entry.key
        return found

    def _follows_backlog(self, topic: str) -> bool:
        """Whether the backlog may hold an older message of a topic whose order matters."""
        return self._backlog_key < self._ordered_up_to.get(topic, 0)

    def _in_order(self, flight: Flight, now_s: float) -> list[Entry]:
        backlog = self._backlog(flight.room, flight, now_s)
        if self.backlog_waits and (backlog or self._paced):
            reached = backlog[-1].key if backlog else 0
            if (
                self._paced
                or len(backlog) == flight.room
                or self._beyond(reached, 1, flight, self._begin_key)
            ):
                return backlog
        return [*backlog, *self._beyond(self._live_key, flight.room - len(backlog), flight, None)]

    def _backlog(self, room: int, flight: Flight, now_s: float) -> list[Entry]:
        if not self.backlog_waits or room <= 0:
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
        """How many of the backlog the pace admits now."""
        lasted_s = now_s - (now_s if self._began_s is None else self._began_s)
        pace = max(PACE, LIVE_TIMES * self._live_sent / max(lasted_s, 0.1))
        gained = pace * max(0.0, now_s - self._allowed_at_s)
        self._allowance = min(self._allowance + gained, max(BURST, SAVED_UP_S * pace))
        self._allowed_at_s = now_s
        return int(self._allowance)

    def _beyond(self, key: int, limit: int, flight: Flight, up_to: int | None) -> list[Entry]:
        """Entries with a greater key that are not in flight."""
        if limit <= 0:
            return []
        # After a pause the key stands before entries in flight: they are met again and passed over.
        met = self._outbox.after(key, limit + len(flight.keys), up_to=up_to)
        return [entry for entry in met if entry.key not in flight.keys][:limit]
