"""The broker of the demo: amqtt in a process of its own, on a free port of the loopback.

Its port is all it prints. It keeps nothing, and a signal ends it.

amqtt 0.12 speaks MQTT 3.1.1. To the greeting of another version it gives no answer: it takes the properties of MQTT 5
for the length of a name and waits for the rest. The standard wants return code 1 and a closed connection
(MQTT 3.1.1, 3.1.2.2), so the greeting is looked at here first.
"""

import asyncio
import contextlib

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

GREETING_TIMEOUT_S = 10.0
LISTENER = "default"
VERSION = 4
"""The protocol level of MQTT 3.1.1."""
UNACCEPTABLE_VERSION = b"\x20\x02\x00\x01"
"""CONNACK, return code 1."""


def main() -> None:
    """Serve until a signal."""
    asyncio.run(_serve())


async def _serve() -> None:
    broker = Broker(
        BrokerConfig(
            # Connections are accepted here and handed over: the port is free, known, and on the loopback only.
            listeners={LISTENER: ListenerConfig(type=ListenerType.EXTERNAL, bind="")},
            plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        )
    )
    await broker.start()

    async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                head, level = await _greeting(reader)
            if level == VERSION:
                rest = _Whole(head, StreamReaderAdapter(reader))
                await broker.external_connected(rest, StreamWriterAdapter(writer), LISTENER)
            else:
                writer.write(UNACCEPTABLE_VERSION)
                await writer.drain()

    server = await asyncio.start_server(greeted, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # for who started this
    await server.serve_forever()


async def _greeting(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """The beginning of a CONNECT packet up to its protocol level, and that level; 0 for anything else."""
    head = await reader.readexactly(2)
    while head[-1] & 0x80 and len(head) < 5:
        head += await reader.readexactly(1)
    head += await reader.readexactly(7)
    return head, head[-1] if head[0] == 0x10 and head[-7:-1] == b"\x00\x04MQTT" else 0


class _Whole:
    """A connection with what was read of it already, as amqtt reads one."""

    def __init__(self, head: bytes, rest: StreamReaderAdapter) -> None:
        self._head, self._rest = head, rest

    async def read(self, n: int) -> bytes:
        if not self._head:
            return bytes(await self._rest.read(n))
        part, self._head = self._head[:n], self._head[n:]
        return part if len(part) == n else part + bytes(await self._rest.read(n - len(part)))

    def feed_eof(self) -> None:
        self._rest.feed_eof()


if __name__ == "__main__":
    main()
