"""What of the outbox is in flight, and what an acknowledgement of it means.

Pure but for the outbox it is given: no clock, no socket. One window serves all connections of a link, one
after the other; the link's thread alone calls it.

                 entries()               sent()               settled()
    outbox ─────────────────→ to be sent ──────→ in flight ───────────────→ removed from the outbox
       ↑                                             │    PUBACK 0x97: later, after a pause
       └──────────── begin(), the next connection ←──┘    PUBACK ≥ 0x80: set aside

An entry that was in flight when the broker hung up may be the cause (in MQTT 3.1.1, a packet too large for it).
From then on it is sent alone, so that the next time there is no doubt; at the third end it is set aside and the
others go on. Sending alone matters: a broker that is killed now and then must not cost anybody's messages, and
it would if each of a whole window were suspected each time.
"""

from dataclasses import dataclass
from enum import Enum

from edged.mqtt.lanes import Flight, Lanes
from edged.outbox import Entry, Outbox

QUOTA_EXCEEDED = 0x97
PAUSE_S = 1.0
"""Between a broker's "quota exceeded" and the next attempt."""

MAX_ENDS = 3
"""Ends of a connection, with an entry in flight, at which it is set aside; all but the first with it alone."""

ACK_TIMEOUT_S = 5.0
"""In flight without any acknowledgement for this long: the connection is dead, whatever the socket says."""

OVERTAKEN_TIMEOUT_S = 10.0
"""In flight this long while later ones were acknowledged: the acknowledgement was lost."""


class Outcome(Enum):
    """What became of something that was sent."""

    DELIVERED = "delivered"
    LATER = "later"
    SET_ASIDE = "set aside"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something in flight.

    Attributes:
        topic: Where it went.
        payload: As it was sent.
        entry: Of the outbox; None for a retained state, which its own keeper sends again.
        sent_s: On the monotonic clock.
    """

    topic: str
    payload: bytes
    entry: Entry | None
    sent_s: float


class Window:
    """In-flight accounting of a link.

    Args:
        outbox: What it takes entries from and removes delivered ones from.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._size = 0
        self._flight: dict[int, Parcel] = {}
        self._keys: set[int] = set()
        self._lanes = Lanes(outbox)
        self._paused_until_s = 0.0
        self._progress_s = 0.0
        self._latest_settled_s = 0.0
        self._ends: dict[int, int] = {}
        self._alone: int | None = None

    @property
    def room(self) -> int:
        """How many more may be in flight."""
        return self._size - len(self._flight)

    def __len__(self) -> int:
        """In flight, entries and states."""
        return len(self._flight)

    @property
    def waits(self) -> bool:
        """Whether something goes only when acknowledgements have come: a backlog, or what follows a suspect."""
        return self.room * 2 < self._size or self._alone in self._keys or self._lanes.backlog_waits

    @property
    def oldest_s(self) -> float:
        """When what is in flight longest was sent; minus infinity where nothing is."""
        return next((parcel.sent_s for parcel in self._flight.values()), float("-inf"))

    @property
    def newest_s(self) -> float:
        """When what was sent last among what is in flight was; minus infinity where nothing is."""
        return next((parcel.sent_s for parcel in reversed(self._flight.values())), float("-inf"))

    def begin(self, size: int, now_s: float) -> None:
        """A new connection: nothing in flight, everything undelivered goes again."""
        self._size = size
        self._flight.clear()
        self._keys.clear()
        self._lanes.begin(now_s)
        self._paused_until_s = 0.0
        self._alone = None
        self._progress_s = self._latest_settled_s = now_s

    def entries(self, now_s: float) -> list[Entry]:
        """What may be sent now, in order; a suspect alone, and nothing beside it."""
        if self._alone in self._keys or now_s < self._paused_until_s or self.room <= 0:
            return []
        oldest_s = next((parcel.sent_s for parcel in self._flight.values()), float("inf"))
        flight = Flight(self._size, self._keys, len(self._flight) - len(self._keys), oldest_s)
        chosen: list[Entry] = []
        for entry in self._lanes.offer(flight, now_s, suspects=self._ends):
            if entry.key in self._ends:
                return chosen or ([] if self._keys else [entry])
            chosen.append(entry)
        return chosen

    def waited(self, entry: Entry) -> bool:
        """Whether an entry was there before this connection."""
        return self._lanes.is_backlog(entry.key)

    def sent(self, message: int, parcel: Parcel) -> None:
        """Note what went out under a packet identifier of the present connection."""
        if not self._flight:
            self._progress_s = parcel.sent_s
        self._flight[message] = parcel
        if parcel.entry is not None:
            key = parcel.entry.key
            self._keys.add(key)
            self._lanes.sent(key)
            if key in self._ends:
                self._alone = key

    def set_aside(self, entry: Entry, why: str) -> None:
        """Give an entry up that cannot be sent, or that no broker takes."""
        self._outbox.set_aside(entry, why)
        self._ends.pop(entry.key, None)

    def settled(self, message: int, reason: int, now_s: float) -> tuple[Parcel, Outcome] | None:
        """An acknowledgement; None where nothing is in flight under this packet identifier.

        Args:
            message: The packet identifier.
            reason: Of MQTT 5; 0 in 3.1.1 and for what needs no acknowledgement.
            now_s: On the monotonic clock.
        """
        parcel = self._flight.pop(message, None)
        if parcel is None:
            return None
        self._progress_s = now_s
        self._latest_settled_s = max(self._latest_settled_s, parcel.sent_s)
        outcome = Outcome.DELIVERED if reason < 0x80 else Outcome.SET_ASIDE  # below are successes, 0x10 too
        if reason == QUOTA_EXCEEDED:
            outcome = Outcome.LATER
            self._paused_until_s = now_s + PAUSE_S
        if parcel.entry is not None:
            self._keys.discard(parcel.entry.key)
            if outcome is Outcome.LATER:
                self._lanes.back_to(parcel.entry.key)
            elif outcome is Outcome.SET_ASIDE:
                self.set_aside(parcel.entry, refusal(reason))
            else:
                self._outbox.remove(parcel.entry.key)
                self._ends.pop(parcel.entry.key, None)
        return parcel, outcome

    def stuck(self, now_s: float) -> str:
        """Why this connection is to be given up; empty while acknowledgements come."""
        if not self._flight:
            return ""
        if now_s - self._progress_s > ACK_TIMEOUT_S:
            return f"no acknowledgement for {ACK_TIMEOUT_S:.0f} s"
        oldest_s = next(iter(self._flight.values())).sent_s
        if now_s - oldest_s > OVERTAKEN_TIMEOUT_S and self._latest_settled_s > oldest_s:
            return "an acknowledgement is missing"
        return ""

    def next_look_s(self, now_s: float) -> float:
        """Seconds until ``entries`` or ``stuck`` can answer differently without anything having happened."""
        looks = [self._lanes.next_look_s()]
        if self._paused_until_s > now_s:
            looks.append(self._paused_until_s - now_s)
        if self._flight:
            looks.append(self._progress_s + ACK_TIMEOUT_S - now_s)
        return max(min(looks), 0.01)

    def hung_up(self) -> Entry | None:
        """The broker ended a connection that had worked: note who was in flight.

        Returns:
            The entry that is set aside for it; None mostly.
        """
        convicted = None
        for parcel in self._flight.values():
            if parcel.entry is None:
                continue
            key = parcel.entry.key
            self._ends[key] = self._ends.get(key, 0) + 1
            if self._ends[key] >= MAX_ENDS:
                convicted = parcel.entry
                self.set_aside(convicted, f"the broker hangs up on it, {MAX_ENDS} times")
        return convicted


def refusal(reason: int) -> str:
    """Why something is set aside: the reason code of its acknowledgement, in words."""
    return f"the broker does not take it (reason 0x{reason:02x})"
