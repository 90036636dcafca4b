"""A broker that misbehaves on purpose: records before it acknowledges, and acknowledges only as told."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

ACK = 0x00


@dataclass
class Published:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    connection: int


@dataclass
class Script:
    """What the broker does.

    Attributes:
        connack: Bytes of the CONNACK for a protocol level (4 or 5); None hangs up instead; b"" says nothing at all.
        puback: The reason for a message, or None for no acknowledgement; raising ConnectionError hangs up.
        ends: Whether it hangs up once it has answered to a message.
        properties: Of an MQTT 5 CONNACK, encoded.
    """

    connack: Callable[[int], bytes | None] | None = None
    puback: Callable[[Published], int | None] = lambda message: ACK
    ends: Callable[[Published], bool] = lambda message: False
    properties: bytes = b""


@dataclass
class Greeting:
    level: int
    client_id: str
    user: str = ""


@dataclass
class ScriptedBroker:
    script: Script = field(default_factory=Script)
    greetings: list[Greeting] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    unacknowledged: int = 0
    most_unacknowledged: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._server: socket.socket | None = None
        self.listen()

    def __enter__(self) -> "ScriptedBroker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Be there, on the same port as before."""
        self._server = socket.create_server(("127.0.0.1", self.port), backlog=8)
        self.port = self._server.getsockname()[1]
        self._spawn(self._accept, self._server)

    def vanish(self) -> None:
        """Be gone at once: no goodbye, nothing listens."""
        if self._server is not None:
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        self.hang_up()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()

    def hang_up(self) -> None:
        """End all connections, and stay."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def say_goodbye(self, reason: int) -> None:
        """DISCONNECT (MQTT 5) to everybody."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.sendall(bytes([0xE0, 2, reason, 0]))

    def say(self, raw: bytes) -> None:
        """These bytes to everybody."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.sendall(raw)

    def wait_for(self, true: Callable[[], bool], within_s: float = 10.0) -> bool:
        with self._news:
            return self._news.wait_for(true, within_s)

    def payloads(self, topic: str) -> list[bytes]:
        return [message.payload for message in list(self.published) if message.topic == topic]

    def _spawn(self, target: Callable[[socket.socket], None], sock: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(sock,), name="scripted-broker", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock, _ = server.accept()
                self._sockets.append(sock)
                self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError, EOFError):
            self._talk(sock)
        self._sockets.remove(sock)

    def _talk(self, sock: socket.socket) -> None:
        level, unacknowledged = 0, 0
        while True:
            first, body = _packet(sock)
            kind = first >> 4
            if kind == 1:
                greeting = _greeting(body)
                level = greeting.level
                with self._news:
                    self.greetings.append(greeting)
                    self._news.notify_all()
                answer = self._connack(level)
                if answer is None:
                    return
                sock.sendall(answer)
            elif kind == 3:
                message, identifier = _publish(first, body, level, len(self.greetings))
                unacknowledged += message.qos > 0
                with self._news:
                    self.published.append(message)
                    self.most_unacknowledged = max(self.most_unacknowledged, unacknowledged)
                    self._news.notify_all()
                reason = self.script.puback(message) if message.qos else None
                if reason is not None:
                    unacknowledged -= 1
                    tail = bytes([reason, 0]) if level == 5 and reason else b""
                    sock.sendall(bytes([0x40, 2 + len(tail)]) + struct.pack("!H", identifier) + tail)
                if self.script.ends(message):
                    return
            elif kind == 8:
                sock.sendall(_suback(body, level))
            elif kind == 12:
                sock.sendall(b"\xd0\x00")
            elif kind == 14:
                return

    def _connack(self, level: int) -> bytes | None:
        if self.script.connack is not None:
            return self.script.connack(level)
        if level == 5:
            properties = self.script.properties
            return bytes([0x20, 3 + len(properties), 0, 0, len(properties)]) + properties
        return b"\x20\x02\x00\x00"


def _packet(sock: socket.socket) -> tuple[int, bytes]:
    first = _exactly(sock, 1)[0]
    length, shift = 0, 0
    while True:
        digit = _exactly(sock, 1)[0]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return first, _exactly(sock, length)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def _text(body: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("!H", body, at)
    return body[at + 2 : at + 2 + length].decode(), at + 2 + length


def _greeting(body: bytes) -> Greeting:
    _, at = _text(body, 0)
    level = body[at]
    at += 4
    if level == 5:
        at += 1 + body[at]
    client_id, at = _text(body, at)
    return Greeting(level, client_id)


def _suback(body: bytes, level: int) -> bytes:
    """All that was asked for is granted."""
    at = 3 + body[2] if level == 5 else 2
    granted = b""
    while at < len(body):
        _, at = _text(body, at)
        at += 1
        granted += b"\x01"
    tail = (b"\x00" if level == 5 else b"") + granted
    return bytes([0x90, 2 + len(tail)]) + body[:2] + tail


def _publish(first: int, body: bytes, level: int, connection: int) -> tuple[Published, int]:
    topic, at = _text(body, 0)
    qos, identifier = (first >> 1) & 3, 0
    if qos:
        (identifier,) = struct.unpack_from("!H", body, at)
        at += 2
    if level == 5:
        at += 1 + body[at]
    return Published(topic, body[at:], qos, bool(first & 1), connection), identifier
