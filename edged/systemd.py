"""What the service manager is told, and what it told us: the protocol of ``sd_notify`` in a datagram.

https://www.freedesktop.org/software/systemd/man/sd_notify.html — any supervisor may speak it; without one nothing is
sent. See docs/adr/0017.
"""

import os
import socket
import time
from collections.abc import MutableMapping

SEND_TIMEOUT_S = 1.0
MAX_STATUS_BYTES = 400
"""Of the line in ``systemctl status``."""


class Notifier:
    """Tells the service manager. Any thread may call; nothing raises, because nobody could do anything about it.

    Attributes:
        watchdog_s: Within this long the manager wants to hear of us, or it ends us; 0 where it does not.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Read what the manager passed on, and keep it from our own children.

        Args:
            environment: Default: this process's.
        """
        given = os.environ if environment is None else environment
        address, usec, pid = (
            given.pop(key, "") for key in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        )
        ours = not pid or pid == str(os.getpid())
        self.watchdog_s = int(usec) / 1e6 if address and ours and usec.isdecimal() else 0.0
        self._address, self._status = "", ""
        if address[:1] in {"/", "@"} and hasattr(socket, "AF_UNIX"):
            self._address = "\0" + address[1:] if address[0] == "@" else address

    @property
    def heard(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._address)

    def ready(self) -> bool:
        """Serving has begun, or goes on after a reload."""
        return self._tell("READY=1")

    def reloading(self) -> bool:
        """The configuration is being read anew; `ready` follows, whatever comes of it."""
        return self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> bool:
        """The end has begun."""
        return self._tell("STOPPING=1")

    def extend(self, seconds: float) -> bool:
        """A start, reload or end takes longer, and is heard of again within so long."""
        return self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def alive(self) -> bool:
        """Everything goes on."""
        return self._tell("WATCHDOG=1")

    def status(self, line: str) -> bool:
        """One line for people; sent only where it is another one."""
        line = "".join(sign if sign.isprintable() else " " for sign in line)
        if line == self._status:
            return False
        self._status = line
        return self._tell("STATUS=" + line.encode()[:MAX_STATUS_BYTES].decode("utf-8", "ignore"))

    def _tell(self, *assignments: str) -> bool:
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.settimeout(SEND_TIMEOUT_S)
                end.sendto("\n".join(assignments).encode(), self._address)
        except OSError:
            return False
        return True
