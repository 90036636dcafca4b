"""Counts that outlive what counts: cameras, feeds, models and links come and go, and their sums never fall."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

Counts = Mapping[Any, float]


class Lasting:
    """Sums over parts that come and go. Any thread may call."""

    def __init__(self) -> None:
        """Nothing counts yet."""
        self._lock = threading.Lock()
        self._parts: list[tuple[Callable[[], Counts], Callable[[], bool]]] = []
        self._past: dict[Any, float] = {}

    def add(self, read: Callable[[], Counts], is_over: Callable[[], bool]) -> None:
        """Count a part, too.

        Args:
            read: Its counts; none of them ever falls.
            is_over: Whether they stay as they are from now on; the part is read once more then, and let go.
        """
        self.totals()  # lets go of what is over, also where nobody ever asks
        with self._lock:
            self._parts.append((read, is_over))

    def totals(self) -> dict[Any, float]:
        """The sums, of all parts since the start."""
        with self._lock:
            totals, going_on = dict(self._past), []
            for read, is_over in self._parts:
                over = is_over()  # asked first: what was over before it was read has been read to its end
                counts = read()
                _into(totals, counts)
                if over:
                    _into(self._past, counts)
                else:
                    going_on.append((read, is_over))
            self._parts = going_on
            return totals


def _into(totals: dict[Any, float], counts: Counts) -> None:
    for key, count in counts.items():
        totals[key] = totals.get(key, 0) + count
