"""Which messages that came in may be acknowledged, and which of those that come again are here already.

    received(message) ─→ Ticket ─ settled, by any thread ─→ due() ─→ PUBACK, in the order in which they came

Acknowledgements go out in the order of the messages, as MQTT 5, 4.6 demands: one that is settled early waits for those
before it. A broker that kept our session sends what it has no acknowledgement for again, under the same packet
identifier and marked as such (MQTT 5, 4.4): what is still on its way through the models is then not taken in a second
time, and is acknowledged on the new connection once it is settled.
"""

from collections import deque

from edged.mqtt.records import Received


class Ticket:
    """A message that the broker waits to be told about.

    Attributes:
        packet: Its identifier.
        content: What tells it from another of this identifier.
        settled: It may be acknowledged. Set by any thread, once.
    """

    __slots__ = ("content", "packet", "settled")

    def __init__(self, packet: int, content: int) -> None:
        self.packet, self.content = packet, content
        self.settled = False


class Tickets:
    """Tickets of the present connection, in the order of their messages. Owned by the connection's thread."""

    def __init__(self) -> None:
        self._waiting: deque[Ticket] = deque()
        self._former: dict[int, Ticket] = {}

    def begin(self, *, resumed: bool) -> None:
        """A new connection: what an earlier one brought is not acknowledged on it, unless it comes again.

        Args:
            resumed: The broker kept our session.
        """
        known = {**self._former, **{ticket.packet: ticket for ticket in self._waiting}}
        self._former = known if resumed else {}
        self._waiting.clear()

    def received(self, message: Received) -> Ticket | None:
        """Note a message of QoS 1; None where it came on an earlier connection, and was taken in then."""
        ticket = Ticket(message.packet, hash((message.topic, message.payload)))
        former = self._former.pop(message.packet, None)
        if former is not None and message.again and former.content == ticket.content:
            self._waiting.append(former)
            return None
        self._waiting.append(ticket)
        return ticket

    def due(self) -> list[int]:
        """Identifiers to be acknowledged now, in this order; none of them comes again."""
        packets = []
        while self._waiting and self._waiting[0].settled:
            packets.append(self._waiting.popleft().packet)
        return packets

    def __len__(self) -> int:
        """How many are not acknowledged."""
        return len(self._waiting)
