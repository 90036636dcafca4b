"""What to ask a broker for, so that everything it keeps of a fleet arrives, and it is not asked for what it told.

A broker sends what it keeps under a filter at once, and many drop what does not fit their queue for one client (1,000
messages with mosquitto, unless configured): of ten thousand boxes most would be missing, without a word. So the filters
of all boxes are asked for first; what a box surely has said and did not arrive is asked for by name then, a few boxes
at a time, each after the answer to the one before. Pure: decides, and sends nothing.
"""

from collections import deque
from collections.abc import Iterable

from edged.fleet.boxes import Box

TOGETHER = 250
"""Topics that are asked for at once by their names: well below what brokers queue."""
ATTEMPTS = 2
"""For a topic; one that the broker does not keep never comes."""


def everything_of(base: str) -> tuple[str, ...]:
    """The filters of all boxes: those with few and short messages first, that all boxes are known soon."""
    return tuple(f"{base}/+/{leaf}" for leaf in ("status", "info", "model/+/state", "health"))


class Gathering:
    """Which topics are asked for next, by their names."""

    def __init__(self, base: str) -> None:
        """Nothing was asked for.

        Args:
            base: Under which devices publish.
        """
        self._base = base
        self._asked: dict[str, int] = {}
        self._found: deque[str] = deque()

    def next(self, boxes: Iterable[Box]) -> list[str]:
        """Topics that are missing, `TOGETHER` of them at most; [] once all is here, or was asked for in vain.

        Args:
            boxes: All that are known; looked through once all that was found missing has been asked for.
        """
        if not self._found:
            missing = (f"{self._base}/{box.device}/{leaf}" for box in boxes for leaf in box.missing)
            self._found.extend(topic for topic in missing if self._asked.get(topic, 0) < ATTEMPTS)
        topics = [self._found.popleft() for _ in range(min(TOGETHER, len(self._found)))]
        for topic in topics:
            self._asked[topic] = self._asked.get(topic, 0) + 1
        return topics
