"""What waits, in which rank, what was dropped, and what an outbox is to those who use it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol

Reason = Literal["full", "old", "disk", "damaged", "refused"]
"""Why a message was dropped: the outbox was full, it was too old, the disk did not take it or gave it back damaged, or
the broker refused it."""


class Rank(IntEnum):
    """What goes first where something has to go: telemetry before results before events."""

    TELEMETRY = 0
    RESULT = 1
    EVENT = 2


SHARES = {Rank.TELEMETRY: 1 / 16, Rank.RESULT: 1.0, Rank.EVENT: 3 / 4}
"""Of the bound on bytes, that a rank may fill."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that waits.

    Attributes:
        key: Grows with every append, from 1; the order of delivery.
        topic: Where it goes.
        payload: As appended; the link may mark it as replayed on the way out.
        qos: 0, 1 or 2.
        appended_monotonic_s: When, on the monotonic clock; before this process began for one that outlived another.
        rank: What it gives way to.
    """

    key: int
    topic: str
    payload: bytes
    qos: int
    appended_monotonic_s: float
    rank: Rank = Rank.RESULT

    @property
    def size_bytes(self) -> int:
        """Topic and payload."""
        return size_bytes(self.topic, self.payload)


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one topic that will never be delivered, all for one reason.

    Attributes:
        topic: Where they would have gone.
        reason: Why.
        count: How many.
        first_id: Of the oldest; empty where its payload names none.
        last_id: Of the newest.
    """

    topic: str
    reason: Reason
    count: int
    first_id: str
    last_id: str


class Outbox(Protocol):
    """What the pipeline and the link need of an outbox; every method may be called from any thread."""

    def start(self) -> None:
        """Begin; messages may be appended before."""
        ...

    def append(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        rank: Rank = Rank.RESULT,
        settled: Callable[[], None] | None = None,
    ) -> None:
        """Take a message. Returns at once, never fails and never waits for a broker or a disk.

        Args:
            topic: Where it goes.
            payload: What.
            qos: 0, 1 or 2.
            rank: What it gives way to.
            settled: Called once, from some thread, when the message no longer depends on this process's memory alone:
                it is on the medium, or delivered, or given up and counted. Not called where the outbox is closed
                before. Must not block; may be called before this method returns.
        """
        ...

    def wait_saved(self, timeout_s: float) -> bool:
        """Wait until the disk had its chance with what was appended before; False if that took longer."""
        ...

    def after(self, key: int, limit: int, *, up_to: int | None = None) -> list[Entry]:
        """At most ``limit`` entries with a greater key, oldest first; what is returned is not dropped any more.

        Args:
            key: 0 for the oldest.
            limit: At least 1.
            up_to: The greatest key wanted; None for all.
        """
        ...

    def remove(self, key: int) -> None:
        """Forget an entry that was delivered. One that is gone already is no error."""
        ...

    def set_aside(self, entry: Entry, why: str) -> None:
        """Give an entry up that no broker will take; counted, and kept for people to look at where that is possible."""
        ...

    def report_gaps(self) -> None:
        """Somebody can hear it now: append a message about what was dropped since the last call."""
        ...

    def __len__(self) -> int:
        """Entries that wait, those in flight included."""
        ...

    @property
    def last_key(self) -> int:
        """Of the newest entry that `after` may give, or of one that was removed since."""
        ...

    def event_keys(self) -> dict[str, int]:
        """Of the newest entry of rank event that `after` may give, or of one that was removed since, by topic."""
        ...

    @property
    def depth_bytes(self) -> int:
        """Topics and payloads that wait."""
        ...

    @property
    def dropped(self) -> int:
        """Entries given up since the start: over the bound, too old, unreadable, or refused."""
        ...

    @property
    def problem(self) -> str:
        """Why what waits would not outlive this process; empty where it would."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called when there are new entries, from some thread; it must not block.

        Returns:
            What ends that.
        """
        ...

    def rebound(self, max_bytes: int, max_age_s: float) -> None:
        """Put other bounds in force; what is over them goes soon."""
        ...

    def close(self, timeout_s: float) -> bool:
        """Take nothing more, and keep what waits if it can be kept.

        Returns:
            Whether everything that waits outlives this process.
        """
        ...


def size_bytes(topic: str, payload: bytes) -> int:
    """What counts against the bound; what a medium adds comes on top."""
    return len(topic) + len(payload)
