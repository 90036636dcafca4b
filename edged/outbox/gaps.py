"""Counting what was dropped, by topic and reason, so that subscribers can be told.

Pure: entries in, gaps out. A subscriber that is told tells a drop from a loss.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from edged.outbox.records import Gap, Reason

GapMessage = Callable[[Gap], tuple[str, bytes]]
"""Topic and payload that tell of a gap."""

_ID = re.compile(rb'"id":\s*"([^"\\]{1,64})"')

HEAD_BYTES = 512
"""Of a payload, in which its id is looked for."""


class Gaps:
    """Gaps that nobody was told of yet, one for each topic and reason. Not synchronised."""

    def __init__(self, gaps: Iterable[Gap] = ()) -> None:
        self._gaps = {(gap.topic, gap.reason): gap for gap in gaps}

    def add(self, topic: str, payload: bytes, reason: Reason) -> None:
        """Count a message that was dropped; those of one topic are dropped oldest first."""
        dropped = id_of(payload)
        self.merge(Gap(topic, reason, 1, dropped, dropped))

    def merge(self, gap: Gap) -> None:
        """Count a gap behind what is counted already."""
        before = self._gaps.get((gap.topic, gap.reason))
        if before is not None:
            count = before.count + gap.count
            first, last = before.first_id or gap.first_id, gap.last_id or before.last_id
            gap = Gap(gap.topic, gap.reason, count, first, last)
        self._gaps[gap.topic, gap.reason] = gap

    def take(self) -> list[Gap]:
        """All of them; nothing is left."""
        gaps = list(self._gaps.values())
        self._gaps.clear()
        return gaps

    def __iter__(self) -> Iterator[Gap]:
        return iter(list(self._gaps.values()))

    def __bool__(self) -> bool:
        return bool(self._gaps)


def id_of(payload: bytes) -> str:
    """The ``id`` of a message, or nothing where its head names none.

    >>> id_of(b'{"schema":"edged.detections/1","id":"01K","device":"gate-7"}')
    '01K'
    """
    found = _ID.search(payload, 0, HEAD_BYTES)
    return found[1].decode(errors="replace") if found else ""
