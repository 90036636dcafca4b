"""What a broker hung up on, and what is left out for it, so that everything else goes on.

refused, and then it hung up     that topic, at once
hung up before it took all       a state, found among those in flight by sending suspects alone
states, twice in a row
hung up after that               a result, likewise; its topic where the next one ends the same way
"""

from collections.abc import Callable

import structlog

from edged.errors import EdgedError
from edged.mqtt.barred import BarredTopics
from edged.mqtt.hearing import Hearing
from edged.mqtt.records import ConnectionEnded, Ending
from edged.mqtt.retained import RetainedStates
from edged.mqtt.window import Window

DENIED_S = 1.0
"""A broker that hangs up so soon after it refused a message does so for that message."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Blame:
    """Judges the ends of connections. Owned by the link's thread."""

    def __init__(
        self,
        retained: RetainedStates,
        window: Window,
        hearing: Hearing,
        *,
        give_up: Callable[[str, str], None],
    ) -> None:
        """Nobody is blamed yet.

        Args:
            retained: States, which know what of them was in flight.
            window: Results, likewise.
            hearing: Whether the broker has answered to the subscription.
            give_up: Called with the topic of a result that is set aside, and why.
        """
        self._retained, self._window, self._hearing = retained, window, hearing
        self._give_up = give_up
        self._barred = BarredTopics()
        self._denied: dict[str, float] = {}
        self._convicted = ""  # the topic of the last result that was given up, while no other of it was taken
        self._early_ends = 0

    @property
    def is_careful(self) -> bool:
        """Whether the last connection ended before the broker had taken all states, or just then."""
        return self._early_ends > 0

    def begin(self, now_s: float) -> None:
        """A new connection."""
        self._denied.clear()
        self.try_again(now_s)

    def try_again(self, now_s: float) -> None:
        """What was left out long enough is told once more."""
        for topic in self._barred.over(now_s):
            self._retained.unbar(topic)

    def proven(self, now_s: float) -> None:
        """The broker has taken all states."""
        if not self._retained.just_told(now_s):
            self._early_ends = 0

    def refused(self, topic: str, now_s: float) -> None:
        """It refused a message, and said so."""
        self._denied[topic] = now_s

    def taken(self, topic: str) -> None:
        """It took one."""
        if topic == self._convicted:
            self._convicted = ""

    def bars(self, topic: str) -> bool:
        """Whether nothing is sent to a topic now."""
        return self._barred.holds(topic)

    def judge(self, error: EdgedError, now_s: float, *, proven: bool) -> EdgedError:
        """A connection ended.

        Args:
            error: With what.
            now_s: On the monotonic clock.
            proven: Whether the broker had taken all states.

        Returns:
            The same, or one that names what the broker hung up on.
        """
        hung_up = isinstance(error, ConnectionEnded) and error.ending is Ending.HUNG_UP
        denied = [topic for topic, at_s in self._denied.items() if now_s - at_s < DENIED_S]
        self._hearing.ended(hung_up=hung_up and not denied)
        if not hung_up:
            return error
        causes = denied or self._causes(now_s, proven=proven)
        for topic in causes:
            minutes = round(self._barred.bar(topic, now_s) / 60)
            self._retained.bar(topic)
            why = "the broker hangs up on what goes there; look at its ACL"
            _log.warning("mqtt topic left out", topic=topic, why=why, minutes=minutes)
        if not causes:
            return error
        problem = f"the broker hung up on {', '.join(causes)}"
        return ConnectionEnded(error.subject, problem, "look at its ACL", ending=Ending.REFUSED)

    def _causes(self, now_s: float, *, proven: bool) -> list[str]:
        if not proven or self._retained.just_told(now_s):
            self._early_ends += 1
            if self._early_ends > 1 and not self._hearing.asks and (found := self._retained.hung_up(now_s)):
                return found
        if not proven or (entry := self._window.hung_up()) is None:
            return []
        self._give_up(entry.topic, f"the broker hangs up on it ({len(entry.payload)} bytes)")
        again, self._convicted = entry.topic == self._convicted, entry.topic
        return [entry.topic] if again else []
