"""What a broker sends on a connection: the first byte chooses the version of MQTT, the rest comes over the socket."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from edged.mqtt import connection as connections
from edged.mqtt.connection import MAX_ALIASES, Connection
from edged.mqtt.dial import Waker
from edged.mqtt.records import ConnectionEnded, LinkOptions, Message, Protocol
from edged.urls import broker_address
from fuzz.targets import Target

OPTIONS = LinkOptions(broker_address("mqtt://me:secret@127.0.0.1:1883"), client_id="edged-box")
WILL = Message("edged/box/status", b"offline", qos=1, retain=True)
MAX_STEPS = 200
MAX_HELD = 4 << 20


def _packet(head: int, body: bytes) -> bytes:
    length, digits = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        digits += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([head]) + digits + body


def _text(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


PROPERTIES = (
    b"\x21\x00\x14"
    + b"\x27\x00\x01\x00\x00"
    + b"\x24\x01"
    + b"\x25\x01"
    + b"\x22\x00\x0a"
    + b"\x12"
    + _text(b"assigned")
)
CONNACK5 = _packet(0x20, b"\x00\x00" + bytes([len(PROPERTIES)]) + PROPERTIES)
CONNACK3 = b"\x20\x02\x00\x00"
ASKING = b"\x08" + _text(b"me/1") + b"\x09" + _text(b"\x00\x01")
PUBLISH5 = _packet(0x32, _text(b"edged/box/cmd/ping") + b"\x00\x01" + bytes([len(ASKING)]) + ASKING + b"{}")
PUBLISH3 = _packet(0x32, _text(b"edged/box/cmd/ping") + b"\x00\x01{}")
SUBACK5, SUBACK3 = _packet(0x90, b"\x00\x01\x00\x01"), _packet(0x90, b"\x00\x01\x01")
PUBACK5, PUBREC = _packet(0x40, b"\x00\x02\x10\x00"), _packet(0x50, b"\x00\x02\x92\x00")
GOODBYE = _packet(0xE0, b"\x8e\x00")
SEEDS = (
    b"\x05" + CONNACK5 + SUBACK5 + PUBLISH5 + PUBACK5 + b"\xd0\x00" + GOODBYE,
    b"\x05"
    + CONNACK5
    + PUBREC
    + _packet(0x62, b"\x00\x02")
    + _packet(0x70, b"\x00\x02")
    + _packet(0xF0, b"\x18\x00"),
    b"\x05" + _packet(0x20, b"\x00\x86\x00"),
    b"\x03" + CONNACK3 + SUBACK3 + PUBLISH3 + _packet(0x40, b"\x00\x02") + b"\xd0\x00",
    b"\x03\x20\x02\x00\x05",
    b"\x03HTTP/1.1 400 Bad Request\r\n\r\n",
)
TOKENS = (
    CONNACK5, CONNACK3, PUBLISH5, PUBLISH3, SUBACK5, PUBACK5, PUBREC, GOODBYE, b"\xff\xff\xff\x7f",
    b"\x27\x00\x00\x00\x00", b"\x21\x00\x00", b"\x26" + _text(b"a") + _text(b"b"), b"\x1f" + _text(b"why"),
    b"\x0b\xff\xff\xff\x7f", b"\x23\x00\x01",
)  # fmt: skip


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    yield Target("broker", SEEDS, TOKENS, run)


def run(content: bytes) -> str:
    """All that the broker says at once, then it hangs up."""
    protocol: Protocol = "5" if content[:1] == b"\x05" else "3.1.1"
    ours, theirs = socket.socketpair()
    waker = Waker()
    ours.setblocking(False)
    theirs.setblocking(False)
    try:
        theirs.sendall(content[1 : 1 << 16])
        theirs.shutdown(socket.SHUT_WR)
        with mock.patch.object(connections, "dial", return_value=ours):
            return _talk(protocol, waker)
    finally:
        ours.close()
        theirs.close()
        waker.close()


def _talk(protocol: Protocol, waker: Waker) -> str:
    connection = Connection(OPTIONS, protocol, will=WILL, waker=waker)
    try:
        connection.ask_for(["edged/box/cmd/#"])
        connection.publish(
            Message("edged/box/info", b"{}", qos=1, retain=True, content_type="application/json")
        )
        for _ in range(MAX_STEPS):
            connection.step(0.0)
            held = sum(len(one.payload) + len(one.correlation) for one in connection.received)
            assert held < MAX_HELD, "more is held than was sent"
    except ConnectionEnded:
        limits = connection.limits
        assert limits.receive_maximum > 0, "a window of nothing"
        assert limits.packet_bytes > 0, "packets of nothing"
        assert limits.qos >= 0
        assert 0 <= limits.aliases <= MAX_ALIASES
        for one in connection.received:
            assert isinstance(one.topic, str)
            assert isinstance(one.response_topic, str)
            assert isinstance(one.correlation, bytes)
        return f"talked {protocol}"
    finally:
        connection.drop()
    raise AssertionError(f"still connected after {MAX_STEPS} steps: {os.getpid()}")
