"""A TCP proxy on the loopback that stalls, cuts and corrupts what passes through it."""

import contextlib
import random
import socket
import threading
from types import TracebackType

BLOCK_BYTES = 16_384
LOOK_S = 0.2  # so long a blocked call may keep a thread from seeing that it has to end
CORRUPTED_SHARE = 0.3  # of the blocks, while it corrupts


class Proxy:
    """Passes connections on to another port; a context manager.

    Args:
        port: Of the real server, on the loopback; it may be away.
        rolls: Chooses the bytes that go wrong.
    """

    def __init__(self, port: int, rolls: random.Random) -> None:
        self._to, self._rolls = port, rolls
        self._flowing, self._closing = threading.Event(), threading.Event()
        self._flowing.set()
        self._corrupting = False
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.settimeout(LOOK_S)
        self.port = int(self._door.getsockname()[1])
        self._start(self._accept)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._flowing.set()
        self.cut()
        for thread in list(self._threads):
            thread.join(5)
        self._door.close()

    def stall(self) -> None:
        """Connections stay open, and nothing passes."""
        self._flowing.clear()

    def corrupt(self) -> None:
        """Bytes of what the server sends are changed."""
        self._corrupting = True

    def heal(self) -> None:
        self._corrupting = False
        self._flowing.set()

    def cut(self) -> None:
        """Every connection is reset; new ones are taken."""
        with self._guard:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _start(self, target: object, *arguments: object) -> None:
        self._threads = [one for one in self._threads if one.is_alive()]
        thread = threading.Thread(target=target, args=arguments, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._door.accept()
            except TimeoutError:
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._to), timeout=2)
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.settimeout(LOOK_S)
            with self._guard:
                self._open |= {client, server}
            self._start(self._carry, client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Both ways of one connection, until either side or we end it."""
        upward = threading.Thread(target=self._pass, args=(client, server, False), name="proxy", daemon=True)
        upward.start()
        self._pass(server, client, True)
        upward.join(5)
        with self._guard:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pass(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        try:
            while not self._closing.is_set():
                try:
                    block = source.recv(BLOCK_BYTES)
                except TimeoutError:
                    continue
                if not block:
                    break
                self._flowing.wait()  # whoever closes sets it
                if from_server and self._corrupting and self._rolls.random() < CORRUPTED_SHARE:
                    block = self._spoiled(block)
                self._send(sink, block)
        except OSError:
            pass
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _send(self, sink: socket.socket, block: bytes) -> None:
        """As `sendall`, which gives up at the socket's time-out and does not say how much it sent."""
        rest = memoryview(block)
        while rest and not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                rest = rest[sink.send(rest) :]

    def _spoiled(self, block: bytes) -> bytes:
        spoiled = bytearray(block)
        for _ in range(self._rolls.randint(1, 20)):
            spoiled[self._rolls.randrange(len(spoiled))] = self._rolls.randrange(256)
        return bytes(spoiled)
