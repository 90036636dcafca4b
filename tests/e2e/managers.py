"""A service manager's and journald's ends of their sockets, for a daemon under test."""

import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class Datagrams:
    """Hears what is sent to a socket in the file system.

    Attributes:
        path: Of the socket.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edged-socket-")
        self.path = str(Path(self._folder.name) / "socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._news = threading.Condition()
        self._heard: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._listen, name="datagrams", daemon=True)

    def __enter__(self) -> "Datagrams":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self._thread.join(10)
        self._socket.close()
        self._folder.cleanup()

    def _listen(self) -> None:
        while datagram := self._socket.recv(1 << 18):
            with self._news:
                self._heard.append((time.monotonic(), datagram))
                self._news.notify_all()

    @property
    def heard(self) -> list[bytes]:
        with self._news:
            return [datagram for _, datagram in self._heard]

    def times(self, what: bytes) -> list[float]:
        """When each was heard, on the monotonic clock."""
        with self._news:
            return [at_s for at_s, datagram in self._heard if what in datagram.split(b"\n")]

    def wait_for(self, true: Callable[[list[bytes]], bool], within_s: float = 15.0) -> bool:
        with self._news:
            return self._news.wait_for(lambda: true([datagram for _, datagram in self._heard]), within_s)

    def hears(self, what: bytes, within_s: float = 15.0) -> bool:
        return self.wait_for(lambda heard: any(what in datagram for datagram in heard), within_s)


def fields(datagram: bytes) -> dict[str, str]:
    """What journald reads in a line of its own protocol."""
    found = {}
    while datagram:
        head, _, rest = datagram.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if equals:
            datagram = rest
        else:
            (length,) = struct.unpack("<Q", rest[:8])
            value, datagram = rest[8 : 8 + length], rest[8 + length + 1 :]
        found[name.decode()] = value.decode()
    return found


def journal_stream(descriptor: int) -> str:
    """What systemd puts into ``JOURNAL_STREAM`` for a standard error that is this descriptor."""
    status = os.fstat(descriptor)
    return f"{status.st_dev}:{status.st_ino}"
