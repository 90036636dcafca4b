"""Topics on which a message costs the connection: nothing is sent there for a while.

Some brokers hang up on what their ACL denies, with a word before or without. Sent again on every connection, one such
topic would keep all others from being told anything.
"""

FIRST_S = 600.0
"""After which it is tried again; twice as long each time that it costs the connection again."""

LONGEST_S = 86_400.0


class BarredTopics:
    """Which they are. Owned by the link's thread."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}
        self._for_s: dict[str, float] = {}

    def bar(self, topic: str, now_s: float) -> float:
        """Nothing goes to a topic for a time; returns how long, in seconds."""
        for_s = min(self._for_s.get(topic, FIRST_S / 2) * 2, LONGEST_S)
        self._for_s[topic], self._until_s[topic] = for_s, now_s + for_s
        return for_s

    def forget(self, topic: str) -> None:
        """The broker took a message there: the next time is a first one."""
        self._for_s.pop(topic, None)

    def holds(self, topic: str) -> bool:
        """Whether nothing goes there now."""
        return topic in self._until_s

    def over(self, now_s: float) -> list[str]:
        """Those that may be tried again from now on."""
        found = [topic for topic, until_s in self._until_s.items() if now_s >= until_s]
        for topic in found:
            del self._until_s[topic]
        return found
