"""Keeps a line that comes again and again from filling the log: it is written at once, and then summed up.

Pure: the clock is handed in. Two lines are the same where level, event and all values are, numbers with a fraction
aside: those are measured, and differ each time. Of lines that differ, so many of one event are written in a minute.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EVERY_S = 60.0
"""From the first line to the one that sums up, and between those."""
AT_ONCE = 5
"""Lines that say the same and are written in that time: a person who does something twice sees it twice."""
AT_ONCE_OF_EVENT = 60
"""Lines of one event, whatever they say of it."""
MAX_REMEMBERED = 256
"""Different lines, and events; of more, the one that began longest ago is forgotten."""
MAX_VALUE = 200
"""Characters of a value that make a line another one."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Lines that were not written.

    Attributes:
        level: Theirs.
        event: Theirs.
        values: Theirs, where all were the same.
        repeated: How many.
    """

    level: str
    event: str
    values: Mapping[str, Any]
    repeated: int


@dataclass(slots=True)
class _Kind:
    """Lines that count together, since a moment."""

    level: str
    event: str
    values: Mapping[str, Any]
    most: int
    since_s: float
    written: int = 0
    held: int = 0


_Kinds = OrderedDict[object, _Kind]


class Repeats:
    """Which lines are written. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._same: _Kinds = OrderedDict()
        self._of_event: _Kinds = OrderedDict()
        self._over: list[Summary] = []

    def admit(self, level: str, event: str, values: Mapping[str, Any], now_s: float) -> bool:
        """Whether a line is to be written."""
        key = level, event, tuple((name, _text(value)) for name, value in values.items())
        with self._lock:
            same = self._kind(self._same, key, _Kind(level, event, dict(values), AT_ONCE, now_s))
            any_of_it = self._kind(
                self._of_event, (level, event), _Kind(level, event, {}, AT_ONCE_OF_EVENT, now_s)
            )
            full = next((kind for kind in (same, any_of_it) if kind.written >= kind.most), None)
            if full is not None:
                full.held += 1
                return False
            same.written += 1
            any_of_it.written += 1
            return True

    def due(self, now_s: float, *, all_of_them: bool = False) -> list[Summary]:
        """What was held back for a minute, and is to be written in sum now."""
        with self._lock:
            for kind in [*self._same.values(), *self._of_event.values()]:
                if kind.held and (all_of_them or now_s - kind.since_s >= EVERY_S):
                    self._sum_up(kind)
                    kind.since_s, kind.written = (
                        now_s,
                        kind.most,
                    )  # who goes on like this is heard once a minute
            due, self._over = self._over, []
            return due

    def _kind(self, kinds: _Kinds, key: object, fresh: _Kind) -> _Kind:
        known = kinds.get(key)
        if known is not None and fresh.since_s - known.since_s < EVERY_S:
            return known
        if known is not None and known.held:
            self._sum_up(known)
            if fresh.since_s - known.since_s < 2 * EVERY_S:
                fresh.written = fresh.most  # it goes on like that: only the sum is heard
        kinds[key] = fresh
        kinds.move_to_end(key)
        if len(kinds) > MAX_REMEMBERED:
            self._sum_up(kinds.popitem(last=False)[1])
        return fresh

    def _sum_up(self, kind: _Kind) -> None:
        if kind.held:
            self._over.append(Summary(kind.level, kind.event, kind.values, kind.held))
            kind.held = 0


def _text(value: Any) -> str:
    return "" if isinstance(value, float) else str(value)[:MAX_VALUE]
