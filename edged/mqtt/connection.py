"""One MQTT connection, from dialling to its end: the only file that knows paho.

    Connection(options, …) ── publish / subscribe / step ──→ close, or ConnectionEnded

Everything runs in the thread that calls: no thread of paho's, no reconnecting by paho, no queue of paho's
beyond the window its caller keeps. A new client for each connection, because paho carries stale state
from one to the next. Callbacks only note what happened; an exception cannot get lost in them.
"""

import logging
import select
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from socket import socket
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edged.errors import BadInput, BrokerUnreachable, NotAllowed
from edged.mqtt.dial import CONNECT_TIMEOUT_S, LOOK_UP_S, Patience, Waker, dial, tls_failure
from edged.mqtt.records import (
    ConnectionEnded,
    Ending,
    Limits,
    LinkOptions,
    Message,
    Protocol,
    ProtocolRefused,
    Received,
    Session,
)

CLOSE_TIMEOUT_S = 0.5
"""For the last bytes to leave when a connection is closed cleanly."""

MAX_INCOMING_BYTES = 1 << 20
"""Announced to an MQTT 5 broker: nobody has reason to send us more at once."""
READ_AHEAD_BYTES = 65_536
MOST_INCOMING_BYTES = 32 << 20
"""Of a packet of a broker that does not keep to that, or was not told (3.1.1): it is in memory until it ends."""

MAX_ALIASES = 64
"""Topics that go by a number, where the broker allows it: results come on a few, thousands of times."""

_PAHO = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_REFUSED_FOR_WHO_WE_ARE = {0x85, 0x86, 0x87, 0x8A, 0x8C}
_UNSUPPORTED_PROTOCOL = 0x84
_SESSION_TAKEN_OVER = 0x8E
_ABOUT_A_MESSAGE = {0x80, 0x81, 0x82, 0x83, 0x87, 0x90, 0x95, 0x99, 0x9A, 0x9B}

# paho 2.2 does not know that a PUBACK may say "packet too large", as mosquitto does for its
# message_size_limit. It would drop the connection as malformed, again on every attempt to send that
# message.
_TOO_LARGE = [PacketTypes.CONNACK, PacketTypes.PUBACK, PacketTypes.PUBREC, PacketTypes.DISCONNECT]
ReasonCode.names = {**ReasonCode.names, 0x95: {"Packet too large": _TOO_LARGE}}


@dataclass(slots=True)
class _Noted:
    """What the callbacks saw."""

    accepted: int | None = None
    resumed: bool = False
    limits: Limits = field(default_factory=Limits)
    goodbye: int | None = None
    subscribed: list[int] = field(default_factory=list)
    unsubscribed: bool = False


class Connection:
    """An accepted connection. One thread owns it and calls ``step`` again and again.

    Attributes:
        protocol: Spoken on it.
        acknowledged: Packet identifiers and reasons of what was settled; the owner empties it. A QoS 0
            message is in it once it is written.
        received: What came in; the owner empties it.
    """

    def __init__(
        self,
        options: LinkOptions,
        protocol: Protocol,
        *,
        will: Message | None,
        waker: Waker,
        session: Session | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Dial, greet, and wait until the broker accepts.

        Raises:
            BrokerUnreachable: Not there, not answering, or TLS failed.
            ProtocolRefused: It does not speak ``protocol``.
            NotAllowed: It refuses our credentials.
            ConfigurationError: A certificate or password file that cannot be used.
        """
        self.protocol: Protocol = protocol
        self.acknowledged: deque[tuple[int, int]] = deque()
        self.received: deque[Received] = deque()
        self._options, self._waker, self._session = options, waker, session
        self._name = str(options.address)
        self._noted = _Noted()
        self._aliases: dict[str, int] = {}
        self._trouble = _Trouble()
        self._poll = select.poll()
        self._poll.register(waker, select.POLLIN)
        patience = Patience(time.monotonic() + CONNECT_TIMEOUT_S, cancelled)
        context, secret = options.tls(), options.secret()
        sock = dial(options.address, context=context, patience=patience)
        self._client = _client(options, protocol, sock, will, secret, keeps=session is not None)
        self._client.enable_logger(self._trouble)
        self._listen()
        try:
            self._greet(context, cancelled)
        except BaseException:
            self.drop()
            raise

    @property
    def limits(self) -> Limits:
        """What the broker takes."""
        return self._noted.limits

    @property
    def resumed(self) -> bool:
        """Whether the broker kept our session: what it sent in vain comes again."""
        return self._noted.resumed

    def publish(self, message: Message) -> int:
        """Send a message now, or as soon as the socket takes it; returns its packet identifier.

        Raises:
            BadInput: The broker does not take a packet of this size.
        """
        properties, alias, topic, limits = None, None, message.topic, self.limits
        if self.protocol == "5":
            alias, is_new = self._alias(message)
            properties = _properties_for(message, alias)
            topic = topic if is_new else ""
        self._check_size(message, properties)
        sent = self._client.publish(
            topic,
            message.payload,
            qos=min(message.qos, limits.qos),
            retain=message.retain and limits.retain,
            properties=properties,
        )
        if alias is not None:
            self._aliases[message.topic] = alias
        return sent.mid

    def subscribe(self, *topic_filters: str, qos: int = 1) -> None:
        """Ask for what is published under filters, up to a QoS, and wait for the answer.

        Raises:
            NotAllowed: The broker refuses a filter.
            ConnectionEnded: It hung up, or did not answer in time.
        """
        self.ask_for(topic_filters, qos=qos)
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while self.granted is None:
            if (left_s := deadline_s - time.monotonic()) <= 0:
                raise self.given_up("no answer to the subscription")
            self.step(left_s)
        for topic_filter, granted in zip(topic_filters, self.granted, strict=False):
            if not granted:
                raise NotAllowed(
                    self._name, f"refuses the subscription to {topic_filter!r}", "look at its ACL"
                )

    def ask_for(self, topic_filters: Sequence[str], *, qos: int = 1) -> None:
        """Ask for what is published under filters, up to a QoS; ``granted`` becomes the answer.

        In a session nothing comes that was retained before (MQTT 5; in 3.1.1 it is marked as such).
        """
        self._noted.subscribed.clear()
        if self.protocol == "5":
            on_subscribe, never = (
                SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE,
                SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            options = SubscribeOptions(
                qos=qos, retainAsPublished=False, retainHandling=never if self._session else on_subscribe
            )
            self._client.subscribe([(topic_filter, options) for topic_filter in topic_filters])
        else:
            self._client.subscribe([(topic_filter, qos) for topic_filter in topic_filters])

    def forget(self, topic_filters: Sequence[str]) -> None:
        """Ask for no more of what is published under filters; ``forgotten`` once the broker has answered."""
        self._noted.unsubscribed = False
        self._client.unsubscribe(list(topic_filters))

    @property
    def forgotten(self) -> bool:
        """Whether the broker has answered to `forget`."""
        return self._noted.unsubscribed

    @property
    def granted(self) -> list[bool] | None:
        """Whether the broker takes the subscription, for each filter; None until it has answered."""
        if not self._noted.subscribed:
            return None
        return [code < 0x80 for code in self._noted.subscribed]

    @property
    def granted_qos(self) -> int:
        """The least that the broker grants to what it was asked for; 1 before it has answered."""
        return min((code for code in self._noted.subscribed if code < 0x80), default=1)

    def acknowledge(self, packet: int) -> None:
        """Have the broker forget a message of a session; in the order in which they came."""
        self._client.ack(packet, 1)

    def step(self, timeout_s: float, *, reading: bool = True) -> None:
        """Wait for the socket or the waker, then read and write what there is.

        Args:
            timeout_s: At most.
            reading: False leaves what comes to the socket, which makes the broker wait.

        Raises:
            ConnectionEnded: It is over.
        """
        sock = self._client.socket()
        if sock is None:
            raise self._ended()
        # TLS may hold bytes that the socket no longer shows.
        pending = reading and isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        wanted = (select.POLLIN if reading else 0) | (select.POLLOUT if self._client.want_write() else 0)
        self._poll.register(sock, wanted)
        ready = dict(self._poll.poll(0 if pending else timeout_s * 1000))
        if self._waker.fileno() in ready:
            self._waker.clear()
        event = ready.get(sock.fileno(), 0)
        if event & select.POLLOUT:
            self._client.loop_write()
        if pending or event & ~select.POLLOUT:
            self._read()
        self._client.loop_misc()
        if self._client.socket() is None:
            raise self._ended()

    def _read(self) -> None:
        """A packet, and those that came with it."""
        while True:
            self._client.loop_read()
            if (coming := self._client._in_packet["remaining_length"]) > MOST_INCOMING_BYTES:
                raise self.given_up(f"the broker sends a packet of {coming >> 20} MiB")
            if not self._client.has_ahead or self._client.socket() is None:
                return

    def rest(self, timeout_s: float) -> None:
        """Wait for the waker, whatever comes from the broker meanwhile; its hanging up ends it too."""
        sock = self._client.socket()
        if sock is None or self._client.want_write():
            return
        self._poll.register(sock, 0)
        self._poll.poll(timeout_s * 1000)

    def close(self) -> None:
        """Say goodbye, so that the broker does not publish the last will, and close."""
        self._client.disconnect()
        deadline_s = time.monotonic() + CLOSE_TIMEOUT_S
        while self._client.socket() is not None and (left_s := deadline_s - time.monotonic()) > 0:
            try:
                self.step(left_s)
            except ConnectionEnded:
                break
        self.drop()

    def drop(self) -> None:
        """Close without a word: the broker publishes the last will."""
        if (sock := self._client.socket()) is not None:
            sock.close()

    def given_up(self, problem: str) -> ConnectionEnded:
        """The error for a broker that is connected and does not do its part."""
        return ConnectionEnded(self._name, problem, "look at the broker", ending=Ending.SILENT)

    def _listen(self) -> None:
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe

    def _greet(self, context: ssl.SSLContext | None, cancelled: Callable[[], bool]) -> None:
        address = self._options.address
        keepalive = min(max(round(self._options.keepalive_s), 5), 65_535)
        if context is not None:
            self._client.tls_set_context(context)
        if self.protocol == "5":
            properties = _properties_of(PacketTypes.CONNECT)
            properties.MaximumPacketSize = MAX_INCOMING_BYTES
            if self._session is not None:
                properties.MaximumPacketSize = self._session.packet_bytes
                properties.ReceiveMaximum = self._session.receive_maximum
                properties.SessionExpiryInterval = self._session.expiry_s
            self._client.connect(
                address.host,
                address.port,
                keepalive,
                clean_start=self._session is None,
                properties=properties,
            )
        else:
            self._client.connect(address.host, address.port, keepalive)
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while self._noted.accepted is None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise ProtocolRefused(self._name, self.protocol, how="silent")
            if cancelled():
                raise BrokerUnreachable(self._name, "stopped while connecting")
            try:
                self.step(min(left_s, LOOK_UP_S))
            except ConnectionEnded as ended:
                if self._noted.accepted is None:
                    raise self._turned_away() from ended
        self._judge(self._noted.accepted)

    def _judge(self, code: int) -> None:
        if code == 0:
            return
        if code == _UNSUPPORTED_PROTOCOL:
            raise ProtocolRefused(self._name, self.protocol, how="said")
        if code in {0x86, 0x87} and not self._options.address.user:
            raise NotAllowed(
                self._name,
                "refused: bad user name or password (none is configured)",
                "put the user into mqtt.url and the password into mqtt.password_file",
            )
        if code in {0x86, 0x87}:
            raise NotAllowed(
                self._name, "refused: bad user name or password", "correct mqtt.url and mqtt.password_file"
            )
        words = _words(PacketTypes.CONNACK, code)
        if code in _REFUSED_FOR_WHO_WE_ARE:
            raise NotAllowed(self._name, f"refused: {words}", "look at the broker's log and mqtt.client_id")
        raise BrokerUnreachable(self._name, f"refused: {words}", "look at the broker")

    def _turned_away(self) -> BrokerUnreachable:
        """The connection ended before the broker accepted it."""
        if isinstance(self._trouble.last, ssl.SSLError):
            return tls_failure(self._options.address, self._trouble.last, agreed=True)
        return ProtocolRefused(self._name, self.protocol, how="hung up")

    def _ended(self) -> ConnectionEnded:
        if self._noted.goodbye == _SESSION_TAKEN_OVER:
            return ConnectionEnded(
                self._name,
                f"session taken over: another client calls itself {self._options.client_id!r}",
                "give each device its own name (device, or mqtt.client_id)",
                ending=Ending.TAKEN_OVER,
            )
        problem, ending = "the connection broke", Ending.HUNG_UP
        if self._noted.goodbye is not None:
            problem = f"the broker said goodbye ({_words(PacketTypes.DISCONNECT, self._noted.goodbye)})"
            ending = Ending.HUNG_UP if self._noted.goodbye in _ABOUT_A_MESSAGE else Ending.TOLD
        elif isinstance(self._trouble.last, OSError) and self._trouble.last.strerror:
            problem += f" ({self._trouble.last.strerror.lower()})"
        return ConnectionEnded(self._name, problem, "", ending=ending)

    def _alias(self, message: Message) -> tuple[int | None, bool]:
        """The number that a topic of results goes by, and whether the broker has yet to be told."""
        known = self._aliases.get(message.topic)
        if known is not None:
            return known, False
        if message.expiry_s is None or message.correlation or len(self._aliases) >= self.limits.aliases:
            return None, True  # states and answers are rare
        return len(self._aliases) + 1, True

    def _check_size(self, message: Message, properties: Properties | None) -> None:
        limit = self.limits.packet_bytes
        if len(message.payload) + len(message.correlation) + 65_535 + 512 <= limit:
            return  # no topic and no properties of ours can make it too large
        packed = len(properties.pack()) if properties is not None else 0  # type: ignore[no-untyped-call]
        size = 1 + 4 + 2 + len(message.topic.encode()) + 2 + packed + len(message.payload)
        if size > limit:
            raise BadInput(
                message.topic,
                f"a message of {size} bytes, more than the {limit} the broker takes",
                "raise the broker's limit",
            )

    def _on_connect(
        self, _client: paho.Client, _: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        given: Mapping[str, Any] = {}
        if properties is not None:
            given = properties.json()  # type: ignore[no-untyped-call]
        usual = Limits()
        self._noted.accepted, self._noted.resumed = reason.value, bool(flags.session_present)
        self._noted.limits = Limits(
            receive_maximum=given.get("ReceiveMaximum", usual.receive_maximum),
            packet_bytes=given.get("MaximumPacketSize", usual.packet_bytes),
            qos=given.get("MaximumQoS", usual.qos),
            retain=bool(given.get("RetainAvailable", 1)),
            aliases=min(given.get("TopicAliasMaximum", 0), MAX_ALIASES),
        )

    def _on_disconnect(
        self, _client: paho.Client, _: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._noted.goodbye = reason.value

    def _on_publish(
        self, _client: paho.Client, _: Any, message: int, reason: ReasonCode, _properties: Any
    ) -> None:
        self.acknowledged.append((message, reason.value))

    def _on_message(self, _client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            if self._session is None:
                return  # no topic that anybody could name
            topic = ""  # likewise, and to be acknowledged
        given = message.properties  # those that did not come are no attributes
        self.received.append(
            Received(
                topic,
                bytes(message.payload),
                message.retain,
                response_topic=getattr(given, "ResponseTopic", ""),
                correlation=getattr(given, "CorrelationData", b""),
                packet=message.mid,
                again=message.dup,
            )
        )

    def _on_subscribe(
        self, _client: paho.Client, _: Any, _message: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        self._noted.subscribed = [reason.value for reason in reasons]

    def _on_unsubscribe(
        self, _client: paho.Client, _: Any, _message: int, _reasons: list[ReasonCode], _properties: Any
    ) -> None:
        self._noted.unsubscribed = True


class _Client(paho.Client):
    """paho over a socket that is connected already, and read in large pieces: paho asks for single bytes.

    Attributes:
        dialled: The socket.
        reads_ahead: Whether more is read than was asked for; who holds a broker back by not reading wants no more.
    """

    dialled: socket
    reads_ahead = False
    _ahead: bytes = b""
    _taken = 0

    @property
    def has_ahead(self) -> bool:
        """Whether something was read and not looked at yet."""
        return self._taken < len(self._ahead)

    def _create_socket(self) -> socket:
        return self.dialled

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.reads_ahead:
            return super()._sock_recv(bufsize)
        if not self.has_ahead:
            self._ahead, self._taken = super()._sock_recv(max(bufsize, READ_AHEAD_BYTES)), 0
        begin, self._taken = self._taken, min(self._taken + bufsize, len(self._ahead))
        return self._ahead[begin : self._taken]


class _Trouble(logging.Logger):
    """Keeps the exception that paho only logs when a socket fails."""

    def __init__(self) -> None:
        super().__init__("paho", logging.ERROR)
        self.last: BaseException | None = None
        self.addFilter(self._keep)
        self.addHandler(logging.NullHandler())

    def _keep(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.last = next((item for item in arguments if isinstance(item, BaseException)), self.last)
        return False


def _client(
    options: LinkOptions, protocol: Protocol, sock: socket, will: Message | None, secret: str, *, keeps: bool
) -> _Client:
    client = _Client(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        clean_session=None if protocol == "5" else not keeps,  # MQTT 5 says so as it connects
        protocol=_PAHO[protocol],
        reconnect_on_failure=False,
    )
    client.dialled = sock
    client.max_inflight_messages_set(0)  # no second window behind ours
    client.manual_ack_set(keeps)
    client.reads_ahead = not keeps
    if options.address.user:
        client.username_pw_set(options.address.user, secret or None)
    if will is not None:
        client.will_set(will.topic, will.payload, qos=will.qos, retain=will.retain)
    return client


def _properties_for(message: Message, alias: int | None) -> Properties:
    if not message.correlation:
        return _usual_properties(message.content_type, message.schema, message.expiry_s, alias)
    properties = _properties(message.content_type, message.schema, message.expiry_s, alias)
    properties.CorrelationData = message.correlation
    return properties


@lru_cache(maxsize=256)
def _usual_properties(content_type: str, schema: str, expiry_s: int | None, alias: int | None) -> Properties:
    return _Packed(_properties(content_type, schema, expiry_s, alias))


class _Packed(Properties):
    """Properties that are the same for many messages, packed once: paho would do it anew for each.

    Nothing else is kept of them: paho's own take 6 kB each, and what waited has as many as there were seconds.
    """

    def __init__(self, properties: Properties) -> None:
        vars(self)["packed"] = properties.pack()  # type: ignore[no-untyped-call]  # not a property, which paho checks

    def pack(self) -> bytes:
        packed: bytes = vars(self)["packed"]
        return packed


def _properties(content_type: str, schema: str, expiry_s: int | None, alias: int | None) -> Properties:
    properties = _properties_of(PacketTypes.PUBLISH)
    if content_type:
        properties.ContentType = content_type
    if schema:
        properties.UserProperty = ("schema", schema)
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if alias is not None:
        properties.TopicAlias = alias
    return properties


def _properties_of(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _words(packet: int, code: int) -> str:
    try:
        return str(ReasonCode(packet, identifier=code)).lower()
    except (KeyError, ValueError):
        return f"reason 0x{code:02x}"
