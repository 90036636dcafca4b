"""The last state of each topic, kept so that any broker can be told everything again.

A broker that was wiped knows nothing; one that was only away keeps what it was told. Both get every state on
every new connection: it is little, and then nobody needs to know which it was.
"""

import threading


class RetainedStates:
    """Topics and their present payloads, in the order in which they were first set; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, bytes] = {}
        self._due: dict[str, None] = {}
        self._flying: set[str] = set()

    def set(self, topic: str, payload: bytes) -> bool:
        """Keep a state. False where it is the one the broker was told or is about to be told."""
        with self._lock:
            if self._states.get(topic) == payload:
                return False
            self._states[topic] = payload
            self._due[topic] = None
            return True

    def again(self, topic: str) -> None:
        """Tell the broker a state that it was told already."""
        with self._lock:
            if topic in self._states:
                self._due[topic] = None

    def clear(self, topic: str) -> None:
        """Have the broker forget a state; kept as an empty payload until it has."""
        self.set(topic, b"")

    def all_again(self) -> None:
        """A new connection: everything is due."""
        with self._lock:
            self._due = dict.fromkeys(self._states)
            self._flying.clear()

    def take(self) -> tuple[str, bytes] | None:
        """The next state that is due, one of a topic at a time; None when there is none."""
        with self._lock:
            topic = next((topic for topic in self._due if topic not in self._flying), None)
            if topic is None:
                return None
            del self._due[topic]
            self._flying.add(topic)
            return topic, self._states[topic]

    def settled(self, topic: str, payload: bytes, *, again: bool) -> None:
        """The broker answered, or it cannot be sent at all.

        Args:
            topic: As taken.
            payload: As taken; an empty one need not be kept any longer.
            again: It was not taken for now: due once more.
        """
        with self._lock:
            self._flying.discard(topic)
            if again and topic in self._states:
                self._due[topic] = None
            elif not payload and self._states.get(topic) == b"":
                del self._states[topic]
                self._due.pop(topic, None)

    def __len__(self) -> int:
        """How many the broker has not answered yet."""
        return len(self._due) + len(self._flying)
