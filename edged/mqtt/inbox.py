"""Deliveries that wait to be read. Bounded; not synchronised."""

from collections import deque

from edged.rows import Delivery

MAX_DELIVERIES = 2000
MAX_BYTES = 16 << 20


class Inbox:
    """Deliveries in the order in which they came.

    Those without a receipt make room for others, oldest first: nobody can send them again, and nobody waits for them.
    Those with one stay; once they alone are too many, it is `full`.

    Attributes:
        dropped: How many made room.
    """

    def __init__(self, *, max_deliveries: int = MAX_DELIVERIES, max_bytes: int = MAX_BYTES) -> None:
        self.dropped = 0
        self._max_deliveries, self._max_bytes = max_deliveries, max_bytes
        self._waiting: dict[int, Delivery] = {}
        self._droppable: deque[int] = deque()
        self._bytes = 0
        self._last = 0

    def put(self, delivery: Delivery) -> None:
        """Take in a delivery."""
        self._last += 1
        self._waiting[self._last] = delivery
        self._bytes += len(delivery.payload)
        if delivery.receipt is None:
            self._droppable.append(self._last)
        while self._droppable and self._over():
            self._bytes -= len(self._waiting.pop(self._droppable.popleft()).payload)
            self.dropped += 1

    def take(self) -> list[Delivery]:
        """All of them; nothing is left."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        self._droppable.clear()
        self._bytes = 0
        return taken

    @property
    def full(self) -> bool:
        """Whether nothing more should be taken in: there is nothing left that could make room."""
        many = len(self._waiting) >= self._max_deliveries or self._bytes >= self._max_bytes
        return many and not self._droppable

    def _over(self) -> bool:
        return len(self._waiting) > self._max_deliveries or self._bytes > self._max_bytes

    def __len__(self) -> int:
        return len(self._waiting)
