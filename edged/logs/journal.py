"""Lines for journald by its own protocol, so that ``journalctl EDGED_CAMERA=front`` finds what concerns a camera.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ — one datagram a line, fields of it. Where journald does not take one, it
goes to standard error with its priority in front, which journald reads as well.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Mapping
from typing import TextIO

SOCKET = "/run/systemd/journal/socket"
SOCKET_FOR_TESTS = "EDGED_TEST_JOURNAL"
SEND_TIMEOUT_S = 1.0
MAX_FIELD_BYTES, MAX_FIELDS = 8192, 64
MAX_NAME = 64
"""Characters of a field's name, as journald has it."""


def is_journal(stream: TextIO) -> bool:
    """Whether what is written there goes to journald, as systemd told this process."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
        status = os.fstat(stream.fileno())
        return (int(device), int(inode)) == (status.st_dev, status.st_ino)
    return False


def field_name(key: str) -> str:
    """``camera`` → ``EDGED_CAMERA``; what journald does not take becomes an underscore."""
    letters = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in key.upper())
    return f"EDGED_{letters}"[:MAX_NAME]


def datagram(message: str, priority: int, values: Mapping[str, str]) -> bytes:
    """A line in journald's protocol. Pure.

    Args:
        message: For people.
        priority: 0–7, as syslog has it.
        values: What it is about; by the keys of the log.
    """
    fields = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "edged"}
    for key, value in list(values.items())[:MAX_FIELDS]:
        fields[field_name(key)] = value
    return b"".join(_field(name, value) for name, value in fields.items())


def _field(name: str, value: str) -> bytes:
    content = value.encode("utf-8", "backslashreplace")[:MAX_FIELD_BYTES]
    if b"\n" in content:
        return name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"
    return name.encode() + b"=" + content + b"\n"


class JournalLogger:
    """Writes lines; made by structlog for each of its loggers, so what is opened belongs to the `Journal`."""

    def __init__(self, journal: "Journal") -> None:
        self._journal = journal

    def msg(self, message: str, priority: int, values: Mapping[str, str]) -> None:
        """Write one."""
        self._journal.write(message, priority, values)

    debug = info = warning = error = critical = msg


class Journal:
    """The way to journald. Any thread may write.

    Attributes:
        lost: Lines that journald did not take in time, and nobody was told of yet.
    """

    def __init__(self, stream: TextIO, path: str = "") -> None:
        """Nothing is opened yet.

        Args:
            stream: Where lines go while journald does not listen there.
            path: Of journald's socket; default: the system's.
        """
        self.lost = 0
        self._stream, self._path = stream, path or os.environ.get(SOCKET_FOR_TESTS) or SOCKET

    def write(self, message: str, priority: int, values: Mapping[str, str]) -> None:
        """Send a line; it is lost where journald stands still, rather than stopping who speaks."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.settimeout(SEND_TIMEOUT_S)
                end.sendto(datagram(message, priority, values), self._path)
                if lost := self.lost:
                    self.lost = 0
                    end.sendto(
                        datagram(f"log lines are lost, journald did not take them lost={lost}", 4, {}),
                        self._path,
                    )
        except TimeoutError:
            self.lost += 1
        except OSError:
            self._stream.write(f"<{priority}>{message}\n")
            self._stream.flush()
