"""What a broker hung up on, and what is left out for it, so that everything else goes on.

refused as not allowed, and then hung up    that topic, at once: all that goes there would be refused
hung up before it took all states, twice    a state, found by telling them one by one
the same, and took none, many times         states are held back for a connection, so that results go
hung up after it took all states            a result, found by sending suspects alone; its topic where the next one
                                            ends the same way; or what waits for no answer, three times in a row
"""

from collections.abc import Callable

import structlog

from edged.errors import EdgedError
from edged.mqtt.barred import BarredTopics
from edged.mqtt.hearing import Hearing
from edged.mqtt.records import ConnectionEnded, Ending
from edged.mqtt.retained import RetainedStates
from edged.mqtt.window import MAX_ENDS, Window

DENIED_S = 1.0
"""A broker that hangs up so soon after a message does so for that message."""

NOT_ALLOWED = frozenset({0x87, 0x90})
"""Reasons that are about a topic, and not about a message or a moment: not authorised, topic name invalid."""

HOLD_AFTER = 8
"""Early ends in succession, without a state that the broker took, after which results go without states."""

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
        self._fleeting: dict[str, tuple[float, float]] = {}  # when the first and the last went, since an end
        self._fleeting_ends: dict[str, int] = {}
        self._early_ends = self._in_vain = 0

    @property
    def is_careful(self) -> bool:
        """Whether the last connection ended before the broker had taken all states, or just then."""
        return self._early_ends > 0

    def begin(self, now_s: float) -> None:
        """A new connection, on which everything is told again."""
        self._denied.clear()
        self.try_again(now_s)
        held_back = self._in_vain >= HOLD_AFTER
        if held_back:
            self._in_vain = 0
            _log.warning("mqtt results go without states", why="the broker hangs up on all that is retained")
        self._retained.all_again(one_by_one=self._early_ends > 1, held_back=held_back)

    def try_again(self, now_s: float) -> None:
        """What was left out long enough is told once more."""
        for topic in self._barred.over(now_s):
            self._retained.unbar(topic)

    def proven(self, now_s: float) -> None:
        """The broker has taken all states."""
        if not self._retained.burst_just_told(now_s):
            self._early_ends = 0

    def refused(self, topic: str, reason: int, now_s: float) -> None:
        """It refused a message, and said so."""
        if reason in NOT_ALLOWED:
            self._denied[topic] = now_s

    def taken(self, topic: str) -> None:
        """It took one."""
        if topic == self._convicted:
            self._convicted = ""
        self._barred.forget(topic)

    def sent_fleeting(self, topic: str, now_s: float) -> None:
        """A message went that has no answer."""
        first_s, _ = self._fleeting.get(topic, (now_s, now_s))
        self._fleeting[topic] = first_s, now_s

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
        if not proven or self._retained.burst_just_told(now_s):
            self._early_ends += 1
            self._in_vain = 0 if self._retained.took_any() else self._in_vain + 1
            if not self._hearing.asks and (found := self._retained.hung_up(now_s)):
                return [found]
        if not proven:
            return []
        if found := self._of_fleeting(now_s):
            return [found]
        if (entry := self._window.hung_up()) is None:
            return []
        self._give_up(entry.topic, f"the broker hangs up on it ({len(entry.payload)} bytes)")
        again, self._convicted = entry.topic == self._convicted, entry.topic
        return [entry.topic] if again else []

    def _of_fleeting(self, now_s: float) -> str:
        """A topic without answers on which something went just before, for the third time in a row; empty mostly."""
        for topic, (first_s, last_s) in self._fleeting.items():
            if now_s - first_s >= DENIED_S:
                self._fleeting_ends.pop(topic, None)
            elif now_s - last_s < DENIED_S:
                self._fleeting_ends[topic] = self._fleeting_ends.get(topic, 0) + 1
        self._fleeting.clear()
        found = next((topic for topic, ends in self._fleeting_ends.items() if ends >= MAX_ENDS), "")
        self._fleeting_ends.pop(found, None)
        return found
