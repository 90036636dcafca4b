"""Connecting again and again, in the version of MQTT that the broker speaks."""

from collections.abc import Callable

from edged.errors import BrokerUnreachable
from edged.mqtt.connection import Connection
from edged.mqtt.dial import Waker
from edged.mqtt.records import LinkOptions, Message, Protocol, ProtocolRefused, Session

PATIENCE = 10
"""Hang-ups in succession on a version that the broker has spoken, after which another one has its place."""


class Connector:
    """Makes connections, a new one each time, and remembers which version the broker refused.

    Args:
        options: How the broker is spoken to.
        will: What it publishes when we are gone without a goodbye.
        session: What it keeps of us between two connections; None for nothing.
        first: The version that ``auto`` tries first; that of a subscriber to very many messages is 3.1.1, as those of
            MQTT 5 carry properties, whose reading takes a third of all.
    """

    def __init__(
        self,
        options: LinkOptions,
        *,
        will: Message | None = None,
        session: Session | None = None,
        first: Protocol = "5",
    ) -> None:
        self._options, self._will, self._session = options, will, session
        self._first: Protocol = first if options.protocol == "auto" else options.protocol
        self._is_spoken = False
        self._asked_twice = False
        self._refusals = 0

    def connect(self, waker: Waker, cancelled: Callable[[], bool] = lambda: False) -> Connection:
        """A new, accepted connection; raises as ``Connection`` does.

        Args:
            waker: What ends the waits of the connection.
            cancelled: True once nobody wants it any more.
        """

        def attempt(protocol: Protocol) -> Connection:
            return Connection(
                self._options,
                protocol,
                will=self._will,
                session=self._session,
                waker=waker,
                cancelled=cancelled,
            )

        try:
            connection = attempt(self._first)
        except ProtocolRefused as refusal:
            self._refusals += 1
            if self._is_spoken and not refusal.explicit and self._refusals < PATIENCE:
                raise _for_now(refusal) from refusal
            if self._options.protocol != "auto":
                raise
            return self._in_another(attempt, refusal)
        self._is_spoken, self._refusals = True, 0
        return connection

    def _in_another(self, attempt: Callable[[Protocol], Connection], refusal: ProtocolRefused) -> Connection:
        """In the other version. Hanging up or silence may have had another reason, a broker on its way up or down."""
        other: Protocol = "3.1.1" if self._first == "5" else "5"
        connection = attempt(other)
        if refusal.explicit:
            self._first, self._is_spoken = other, True
        elif refusal.how == "hung up" and other == "3.1.1" and not self._asked_twice:
            self._asked_twice = True
            connection.close()
            try:
                connection = attempt("5")
                self._is_spoken = True
            except ProtocolRefused:
                connection = attempt("3.1.1")
        return connection


def _for_now(refusal: ProtocolRefused) -> BrokerUnreachable:
    """What it means of a broker that has spoken this version before."""
    problem = "hung up on the greeting" if refusal.how == "hung up" else "does not answer the greeting"
    return BrokerUnreachable(refusal.subject, f"the broker {problem}", "look at the broker if it goes on")
