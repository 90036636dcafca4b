"""Rows that are published on topics of the broker: a source of rows that speaks MQTT.

    broker ─ QoS 1 ─→ thread "mqtt-rows-NAME" ─→ inbox ── read ─→ sensor's thread ─→ … ─→ receipt let go
      ↑                      └──────────── PUBACK, in the order of the messages ←──────────────┘

The broker keeps a session for us under a name of its own, so rows that are published while edged is away wait there.
A message is acknowledged once its receipt is settled: what had no result when a process died comes again to the next.
What comes again on a new connection and is still on its way through the models is not taken in twice.

The connection is kept alive by a thread of its own, however long nobody reads. What waits is bounded: of QoS 1 by what
the broker sends without an acknowledgement, and by bytes, beyond which the socket is not read any more; messages of
QoS 0, which nobody can send again, make room for others. Retained messages are old news, and passed over.

A broker sends only so many messages without an acknowledgement: mosquitto 1000 in MQTT 5 and 20 in 3.1.1, others as few
as 10. Whoever gathers rows into a window must let go of receipts before it holds that many, or the window never fills.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import structlog

from edged.errors import BrokerUnreachable, EdgedError
from edged.mqtt import filters
from edged.mqtt.backoff import Backoff
from edged.mqtt.connection import Connection
from edged.mqtt.connector import Connector
from edged.mqtt.dial import Waker
from edged.mqtt.inbox import Inbox
from edged.mqtt.records import ConnectionEnded, Ending, LinkOptions, Received, Session
from edged.mqtt.tickets import Ticket, Tickets
from edged.mqtt.topics import Topics
from edged.rows import Delivery, Receipt

SESSION = Session(expiry_s=7 * 86_400, receive_maximum=1000, packet_bytes=2 << 20)
"""Rows of a week without edged; of messages far larger than any row, so that one can be rejected by name."""

LOOK_S = 1.0
"""How often the thread looks whether the broker still answers, with nothing else to do."""

CLOSE_TIMEOUT_S = 2.0
"""For the thread to send the last acknowledgements and say goodbye."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MqttRows:
    """See `edged.sources.rowsource.RowSource`. Receipts may be let go by any thread, at any time.

    Attributes:
        patient: The broker keeps rows for us while nobody reads.
        format: Whoever publishes decides.
        ended: Never.

    Args:
        name: Of the sensor.
        topic_filter: What is subscribed to; may hold wildcards, whose meaning becomes the origin of a delivery.
        options: How the broker is spoken to; the session is ``<client_id>-sensor-<name>``.
        topics: Of this device, whose results are not read as rows again.
        wall: Seconds since 1970.
        monotonic: The monotonic clock, in seconds.

    Raises:
        ConfigurationError: The filter is none, or takes in our own results.
    """

    patient = True
    format: Literal["csv", "json", "text"] | None = None
    ended = False

    def __init__(
        self,
        name: str,
        topic_filter: str,
        options: LinkOptions,
        *,
        topics: Topics,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        filters.check(f"sensors.{name}.url", topic_filter, own_results=topics.sensor_result("+"))
        self._name, self._filter = name, topic_filter
        self._wall, self._monotonic = wall, monotonic
        ours = replace(options, client_id=f"{options.client_id}-sensor-{name}")
        self._connector = Connector(ours, session=SESSION)
        self._backoff = Backoff(ours.client_id)
        self._tickets = Tickets()  # of the connection's thread, and of `open` while there is none
        self._changed = threading.Condition()  # around inbox, failure and woken
        self._inbox = Inbox()
        self._failure: EdgedError | None = None
        self._woken = False
        self._waker: Waker | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._had_session = False
        self._odd_topic = ""
        self._told_of_qos = False

    @property
    def dropped(self) -> int:
        """Messages of QoS 0 that made room for others."""
        return self._inbox.dropped

    @property
    def unacknowledged(self) -> int:
        """Messages of this connection that were taken in, and whose receipts are not settled or not sent yet."""
        return len(self._tickets)

    def open(self) -> None:
        """Connect and subscribe.

        Raises:
            BrokerUnreachable: The broker is away, or `wake` was called.
            NotAllowed: It refuses our credentials or the filter.
            ConfigurationError: A certificate or password file that cannot be used.
        """
        self.close()
        waker = Waker()
        try:
            connection = self._subscribed(waker)
        except BaseException:
            waker.close()
            raise
        finally:
            with self._changed:
                self._woken = False
        self._failure = None
        self._waker, self._closing = waker, threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(connection, self._closing), name=f"mqtt-rows-{self._name}", daemon=True
        )
        self._thread.start()

    def read(self, timeout_s: float) -> list[Delivery]:
        """What came, in order; empty where nothing did within ``timeout_s``, or it was woken.

        Raises:
            BrokerUnreachable: The connection is over; `open` goes on where it was. Also where another client took our
                session.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._inbox or self._failure or self._woken, timeout_s)
            self._woken, was_full = False, self._inbox.full
            found, failure = self._inbox.take(), self._failure
        if was_full:
            self._wake_thread()
        if failure is not None and not found:
            raise failure
        return found

    def close(self) -> None:
        """Acknowledge what is settled, and say goodbye; the broker keeps the session. What waits can still be read."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        self._wake_thread()
        thread.join(CLOSE_TIMEOUT_S)
        if thread.is_alive():
            _log.warning("the connection of a sensor does not end", sensor=self._name)
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()

    def wake(self) -> None:
        """End the present `read` or `open`, or the next one."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _wake_thread(self) -> None:
        if (waker := self._waker) is not None:
            waker.wake()

    def _subscribed(self, waker: Waker) -> Connection:
        connection = self._connector.connect(waker, lambda: self._woken)
        try:
            self._tickets.begin(resumed=connection.resumed)
            connection.subscribe(self._filter)
        except BaseException:
            connection.drop()
            raise
        if self._had_session and not connection.resumed:
            _log.warning(
                "the broker kept no mqtt session: rows that waited there are lost", sensor=self._name
            )
        self._had_session = True
        if connection.granted_qos == 0 and not self._told_of_qos:
            self._told_of_qos = True
            _log.warning(
                "the broker grants QoS 0 only: rows are lost while edged is away, or is killed",
                sensor=self._name,
                topic=self._filter,
                remedy="have the broker allow QoS 1 for this topic",
            )
        return connection

    # The connection's thread

    def _serve(self, connection: Connection, closing: threading.Event) -> None:
        began_s, failure = self._monotonic(), None
        try:
            while not closing.is_set():
                self._take_in(connection)
                self._acknowledge(connection)
                connection.step(LOOK_S, reading=not self._inbox.full)
            self._acknowledge(connection)
            connection.close()
        except EdgedError as error:
            failure = self._in_words(error, lasted_s=self._monotonic() - began_s)
        except Exception as error:  # noqa: BLE001 - a broker can make paho fail in ways nobody lists; go on
            _log.error("the connection of a sensor stumbled", sensor=self._name, exc_info=error)
            failure = BrokerUnreachable("mqtt", f"unexpected {type(error).__name__}: {error}", "report this")
        finally:
            connection.drop()
            self._take_in(connection)  # nobody can send again what has no receipt
            with self._changed:
                self._failure = failure if not closing.is_set() else None
                self._changed.notify_all()

    def _take_in(self, connection: Connection) -> None:
        while connection.received:
            delivery = self._delivery(connection.received.popleft())
            if delivery is None:
                continue
            with self._changed:
                before = self._inbox.dropped
                self._inbox.put(delivery)
                first_dropped = before == 0 < self._inbox.dropped
                self._changed.notify_all()
            if first_dropped:
                remedy = "publish with QoS 1, or fewer rows"
                _log.warning("mqtt rows of QoS 0 are dropped", sensor=self._name, remedy=remedy)

    def _delivery(self, received: Received) -> Delivery | None:
        """None for what is no row, or was taken in before."""
        ticket = None
        if received.packet:
            ticket = self._tickets.received(received)
            if ticket is None:
                return None
        origin = filters.stood_for(self._filter, received.topic)
        if origin is None or received.retained:
            if origin is None:
                self._is_odd(received.topic)
            if ticket is not None:
                ticket.settled = True
            return None
        receipt = Receipt(partial(self._settled, ticket)) if ticket is not None else None
        return Delivery(received.payload, self._wall(), self._monotonic(), origin, receipt)

    def _is_odd(self, topic: str) -> None:
        """A broker that kept our session kept the subscriptions of an earlier configuration as well."""
        if not self._odd_topic:
            self._odd_topic = topic
            _log.warning(
                "mqtt rows of an earlier subscription are passed over",
                sensor=self._name,
                topic=topic,
                remedy="rename the sensor, or remove its session at the broker",
            )

    def _settled(self, ticket: Ticket) -> None:
        ticket.settled = True
        self._wake_thread()

    def _acknowledge(self, connection: Connection) -> None:
        for packet in self._tickets.due():
            connection.acknowledge(packet)

    def _in_words(self, error: EdgedError, *, lasted_s: float) -> EdgedError:
        if not (isinstance(error, ConnectionEnded) and error.ending is Ending.HUNG_UP):
            return error
        setback = self._backoff.failed(error, lasted_s=lasted_s, chance=0.0)
        return ConnectionEnded(error.subject, setback.why, ending=error.ending)
