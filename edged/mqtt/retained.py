"""The last state of each topic, kept so that any broker can be told everything again.

A broker that was wiped knows nothing; one that was only away keeps what it was told. Both get every state on
every new connection: it is little, and then nobody needs to know which it was.

    set() ─→ due ── take() ─→ in flight ── settled() ─→ told
                     ↑            │ hung_up(): a suspect
                     └─ suspects ←┘ alone, and after a pause; at its third end it is the cause

A broker may acknowledge what it hangs up on, so that a state is under suspicion a moment longer.
"""

import threading

from edged.mqtt.window import MAX_ENDS

PAUSE_S = 0.05
"""After the answer to a suspect: a broker that hangs up on it has done so by then."""


class RetainedStates:
    """Topics and their present payloads, in the order in which they were first set; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, bytes] = {}
        self._due: dict[str, None] = {}
        self._flying: set[str] = set()
        self._barred: set[str] = set()
        self._ends: dict[str, int] = {}
        self._told, self._told_s = "", float("-inf")
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

    def all_again(self) -> None:
        """A new connection: everything is due."""
        with self._lock:
            self._due = dict.fromkeys(topic for topic in self._states if topic not in self._barred)
            self._flying.clear()
            self._told, self._told_s = "", float("-inf")
            self._told_here.clear()

    def take(self, now_s: float) -> tuple[str, bytes] | None:
        """The next state that is due, one of a topic at a time and suspects alone; None when there is none.

        Args:
            now_s: On the monotonic clock.
        """
        with self._lock:
            topic = self._next(now_s)
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
            elif not payload and self._states.get(topic) == b"":
                del self._states[topic]
                self._due.pop(topic, None)

    def hung_up(self, now_s: float) -> list[str]:
        """The broker ended the connection: note what was in flight, or told a moment ago.

        Returns:
            Topics that are the cause: it has happened with each of them alone, and the broker takes others.
        """
        with self._lock:
            suspects = {*self._flying, *([self._told] if self.just_told(now_s) else [])}
            for topic in suspects:
                self._ends[topic] = self._ends.get(topic, 0) + 1
            return [one for one in suspects if self._ends[one] >= MAX_ENDS and self._told_here - {one}]

    def bar(self, topic: str) -> None:
        """Tell the broker nothing of a topic."""
        with self._lock:
            self._barred.add(topic)
            self._due.pop(topic, None)
            self._ends.pop(topic, None)

    def unbar(self, topic: str) -> None:
        """Tell it what there is by now."""
        with self._lock:
            self._barred.discard(topic)
            if topic in self._states:
                self._is_due(topic)

    def just_told(self, now_s: float) -> bool:
        """Whether the broker may still hang up on the last one that it acknowledged."""
        return now_s - self._told_s < PAUSE_S

    @property
    def suspects(self) -> bool:
        """Whether one of them may be what the broker hung up on."""
        return bool(self._ends)

    def __len__(self) -> int:
        """How many the broker has not answered yet."""
        return len(self._due) + len(self._flying)

    def _is_due(self, topic: str) -> bool:
        if topic in self._barred:
            return False
        self._due[topic] = None
        return True

    def _next(self, now_s: float) -> str | None:
        if not self.just_told(now_s):
            self._ends.pop(self._told, None)
        if self._flying & self._ends.keys():
            return None
        topic = next((one for one in self._due if one not in self._flying and one not in self._ends), None)
        if topic is None and self._ends and not self._flying and not self.just_told(now_s):
            topic = min(self._due, key=self._ends.__getitem__, default=None)
        return topic
