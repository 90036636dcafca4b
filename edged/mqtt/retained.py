"""The last state of each topic, kept so that any broker can be told everything again.

A broker that was wiped knows nothing; one that was only away keeps what it was told. Both get every state on
every new connection: it is little, and then nobody needs to know which it was.

    set() ─→ due ─ take() ─→ in flight ─ settled() ─→ told

What a connection begins with is its burst. Where the broker hung up in the middle of two bursts in succession, the next
one is told one by one, with a pause after each answer, as a broker may acknowledge what it hangs up on: then it is
known which one it was. At its third end of this kind that one is the cause, if the broker takes others.
"""

import threading

from edged.mqtt.window import MAX_ENDS

SUSPECT_S = 0.05
"""After an answer: a broker that hangs up on what it acknowledged has done so by then."""


class RetainedStates:
    """Topics and their present payloads, in the order in which they were first set; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, bytes] = {}
        self._due: dict[str, None] = {}
        self._flying: set[str] = set()
        self._barred: set[str] = set()
        self._ends: dict[str, int] = {}
        self._burst: set[str] = set()
        self._one_by_one = self._held_back = False
        self._told, self._told_s = "", float("-inf")
        self._burst_told_s = float("-inf")
        self._told_here: set[str] = set()

    def set(self, topic: str, payload: bytes) -> bool:
        """Keep a state. False where it is the one the broker was told or is about to be told."""
        with self._lock:
            if self._states.get(topic) == payload:
                return False
            self._states[topic] = payload
            return self._is_due(topic)

    def again(self, topic: str) -> None:
        """Tell the broker a state that it was told already."""
        with self._lock:
            if topic in self._states:
                self._is_due(topic)

    def clear(self, topic: str) -> None:
        """Have the broker forget a state; kept as an empty payload until it has."""
        self.set(topic, b"")

    def all_again(self, *, one_by_one: bool = False, held_back: bool = False) -> None:
        """A new connection: everything is due.

        Args:
            one_by_one: To find what the broker hangs up on.
            held_back: Nothing is told on this connection.
        """
        with self._lock:
            self._one_by_one, self._held_back = one_by_one, held_back
            self._ends = {topic: ends for topic, ends in self._ends.items() if topic in self._states}
            due = [topic for topic in self._states if topic not in self._barred]
            self._due = dict.fromkeys(sorted(due, key=lambda topic: self._ends.get(topic, 0)))
            self._burst = set() if held_back else {*self._due}
            self._flying.clear()
            self._told_here.clear()
            self._told, self._told_s = "", float("-inf")

    def take(self, now_s: float) -> tuple[str, bytes] | None:
        """The next state that is due, one of a topic at a time; None when there is none.

        Args:
            now_s: On the monotonic clock.
        """
        with self._lock:
            self._look(now_s)
            if self._held_back or (self._one_by_one and (self._flying or self._just_told(now_s))):
                return None
            waiting = (one for one in self._due if one not in self._flying)
            topic = next((one for one in waiting if one in self._burst or not self._one_by_one), None)
            if topic is None:
                return None
            del self._due[topic]
            self._flying.add(topic)
            return topic, self._states[topic]

    def settled(self, topic: str, payload: bytes, *, again: bool, now_s: float) -> None:
        """The broker answered, or it cannot be sent at all.

        Args:
            topic: As taken.
            payload: As taken; an empty one need not be kept any longer.
            again: It was not taken for now: due once more.
            now_s: On the monotonic clock.
        """
        with self._lock:
            if topic in self._flying:
                self._flying.discard(topic)
                self._told, self._told_s = topic, now_s
                self._told_here.add(topic)
            if again and topic in self._states:
                self._is_due(topic)
                return
            if topic in self._burst:
                self._burst.discard(topic)
                self._burst_told_s = now_s
            if not payload and self._states.get(topic) == b"":
                del self._states[topic]
                self._due.pop(topic, None)

    def burst_told(self, now_s: float) -> bool:
        """Whether the broker has taken all that the connection began with, and stays."""
        with self._lock:
            self._look(now_s)
            return not self._burst and not self._one_by_one

    def burst_just_told(self, now_s: float) -> bool:
        """Whether the broker may still hang up on the last one of it."""
        return now_s - self._burst_told_s < SUSPECT_S

    def hung_up(self, now_s: float) -> str:
        """The broker ended the connection in the middle of a burst.

        Returns:
            The topic that is the cause; empty mostly.
        """
        with self._lock:
            one = next(iter(self._flying), self._told if self._just_told(now_s) else "")
            if not self._one_by_one or one not in self._states:
                return ""
            self._ends[one] = self._ends.get(one, 0) + 1
            return one if self._ends[one] >= MAX_ENDS and self._told_here - {one} else ""

    def took_any(self) -> bool:
        """Whether the broker answered to any of them on this connection."""
        return bool(self._told_here)

    def bar(self, topic: str) -> None:
        """Tell the broker nothing of a topic."""
        with self._lock:
            self._barred.add(topic)
            self._due.pop(topic, None)
            self._burst.discard(topic)
            self._ends.pop(topic, None)

    def unbar(self, topic: str) -> None:
        """Tell it what there is by now."""
        with self._lock:
            self._barred.discard(topic)
            if topic in self._states:
                self._is_due(topic)

    def __len__(self) -> int:
        """How many the broker has not answered yet."""
        return 0 if self._held_back else len(self._due) + len(self._flying)

    def _is_due(self, topic: str) -> bool:
        if topic in self._barred:
            return False
        self._due[topic] = None
        return True

    def _just_told(self, now_s: float) -> bool:
        return now_s - self._told_s < SUSPECT_S

    def _look(self, now_s: float) -> None:
        """What was answered alone a moment ago is innocent; after the last of a burst they go together again."""
        if self._one_by_one and not self._just_told(now_s):
            self._ends.pop(self._told, None)
            self._one_by_one = bool(self._burst)
