"""Looking on: what is published under a base, for people and scripts. The daemon itself does not use it."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType

from edged.errors import BrokerUnreachable
from edged.mqtt.connection import Connection
from edged.mqtt.connector import Connector
from edged.mqtt.dial import Waker
from edged.mqtt.records import LinkOptions, Protocol, Received

RETRY_S = 1.0
"""Between two attempts to come back to a broker that went away."""


class Subscriber:
    """A subscription that comes back by itself; used from one thread.

    Attributes:
        why: Why it is not connected; empty while it is.

    Args:
        options: How the broker is spoken to.
        topic_filters: What is asked for.
        qos: Up to which.
        first: The version of MQTT that is tried first.

    Raises:
        BrokerUnreachable: The broker cannot be reached now.
        NotAllowed: It refuses our credentials or a filter.
        ConfigurationError: A certificate file that cannot be used.
    """

    def __init__(
        self, options: LinkOptions, *topic_filters: str, qos: int = 1, first: Protocol = "5"
    ) -> None:
        self.why = ""
        self._filters, self._qos = topic_filters, qos
        self._connector = Connector(options, first=first)
        self._waker = Waker()
        self._pause = threading.Event()
        self._retry_at_s = 0.0
        self._connection: Connection | None = None
        try:
            self._subscribe()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def protocol(self) -> str:
        """The version of MQTT that is spoken; empty while the broker is away."""
        return self._connection.protocol if self._connection else ""

    def receive(self, timeout_s: float) -> list[Received]:
        """What came, in order; [] after ``timeout_s`` without anything, or while the broker is away.

        Raises:
            NotAllowed: The broker came back and refuses us now.
        """
        if self._connection is None:
            self._come_back(timeout_s)
        if self._connection is None:
            return []
        connection = self._connection
        try:
            if not connection.received:
                connection.step(timeout_s)
        except BrokerUnreachable as error:
            self._lost(error)
        return self._taken(connection)

    def look_up(self, topics: Sequence[str], timeout_s: float) -> list[Received]:
        """What the broker keeps on topics, and whatever else came meanwhile, in order.

        Args:
            topics: Without wildcards.
            timeout_s: Longest wait for the broker's answer, which comes after what it keeps.
        """
        connection, deadline_s = self._connection, time.monotonic() + timeout_s
        if connection is None or not topics:
            return self.receive(timeout_s)
        try:
            connection.ask_for(topics, qos=0)
            connection.forget(topics)
            while not connection.forgotten and (left_s := deadline_s - time.monotonic()) > 0:
                connection.step(left_s)
        except BrokerUnreachable as error:
            self._lost(error)
        return self._taken(connection)

    def close(self) -> None:
        """Say goodbye and close."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._waker.close()

    @staticmethod
    def _taken(connection: Connection) -> list[Received]:
        received = list(connection.received)
        connection.received.clear()
        return received

    def _subscribe(self) -> None:
        self._connection = self._connector.connect(self._waker)
        self._connection.subscribe(*self._filters, qos=self._qos)
        self.why = ""

    def _come_back(self, timeout_s: float) -> None:
        pause_s = self._retry_at_s - time.monotonic()
        if pause_s > 0:
            self._pause.wait(min(pause_s, timeout_s))
            return
        try:
            self._subscribe()
        except BrokerUnreachable as error:
            self._lost(error)

    def _lost(self, error: BrokerUnreachable) -> None:
        if self._connection is not None:
            self._connection.drop()
            self._connection = None
        self.why = str(error)
        self._retry_at_s = time.monotonic() + RETRY_S
