"""Starts the process of a model. Light: a command starts one before it reads its own arguments.

What a process needs before it can load any model takes as long as what its daemon needs before it can name one. So
`start_ahead` starts a process that waits for a name while both get ready, and `ask_ahead` tells it one as soon as it is
known. The first to call `start` is given it, if that is what it wants loaded.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import edged

AHEAD_S = 20.0
"""A process that was started ahead is given out no later; by itself it waits a little longer."""
PROGRAM = (
    f"import sys; sys.path.append({os.path.dirname(edged.__path__[0])!r}); "  # noqa: PTH120  # pathlib would take longer than all else here
    "from edged.worker.process import main; main(sys.argv[1:])"
)
"""With -P nothing is imported from the working directory; edged itself is found where this one was."""


class Started:
    """A process that waits for what to load.

    Attributes:
        process: It.
        control: Our end of its control socket.
        stderr: Descriptor of what it says, for who asks how it ended.
        asked: What it was asked to load; empty where it was not asked yet.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket, stderr: int) -> None:
        self.process, self.control, self.stderr = process, control, stderr
        self.asked = b""

    def close(self) -> None:
        """Give back our ends; the process is gone."""
        self.control.close()
        if self.stderr >= 0:
            os.close(self.stderr)
            self.stderr = -1


NOT_ITS_OWN = ("EDGED_", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")
"""Of the environment: a model's process needs no password, and has nothing to tell systemd."""

_lock = threading.Lock()
_ahead: list[tuple[Started, float]] = []
"""At most one, and until when it is good."""


def start(request: bytes) -> Started:
    """One that was started ahead, else a new one; it ends at the latest with the thread that started it.

    Args:
        request: What it will be asked to load.

    Raises:
        OSError: This machine cannot start one now.
    """
    with _lock:
        suits = bool(_ahead) and (not _ahead[0][0].asked or _same(_ahead[0][0].asked, request))
        found = _ahead.pop() if suits else None
    if found:
        started, until_s = found
        if time.monotonic() < until_s and started.process.poll() is None:
            return started
        _end(started)
    return _new()


def start_ahead() -> None:
    """Start one for whoever calls `start` first. Where none can be started, that one will say why."""
    with contextlib.suppress(OSError):
        started = _new()
        with _lock:
            _ahead.append((started, time.monotonic() + AHEAD_S))


def ask_ahead(request: bytes) -> None:
    """Have what was started ahead load this, or another one where it loads something else; nothing without one."""
    with _lock:
        started = _ahead[0][0] if _ahead else None
    if started is None or _same(started.asked, request):
        return
    if started.asked:
        end_ahead()
        start_ahead()
    with _lock, contextlib.suppress(OSError):  # who is given it finds out how it ended
        for started, _ in _ahead:
            started.asked = request
            send_control(started.control, request)


def end_ahead() -> None:
    """End what was started ahead and is not needed."""
    with _lock:
        found = _ahead.pop() if _ahead else None
    if found:
        _end(found[0])


def _same(asked: bytes, request: bytes) -> bool:
    """Whether two requests are for the same; not for as much memory, where that is what was free at the moment."""
    if not asked:
        return False
    one, other = json.loads(asked), json.loads(request)
    return bool(one | {"max_memory_bytes": 0} == other | {"max_memory_bytes": 0})


def send_control(connection: socket.socket, message: bytes) -> None:
    """One length-prefixed message."""
    connection.sendall(struct.pack("<I", len(message)) + message)


def _end(started: Started) -> None:
    started.process.kill()
    started.process.wait()
    started.close()


def _new() -> Started:
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        mine, end = socket.socketpair()
        ours.enter_context(mine)
        theirs.enter_context(end)
        heard, stderr = os.pipe()
        ours.callback(os.close, heard)
        theirs.callback(os.close, stderr)
        os.set_blocking(heard, False)
        # A talkative library fills 64 KiB and is then not heard, rather than stopped.
        os.set_blocking(stderr, False)
        process = subprocess.Popen(
            [sys.executable, "-P", "-X", "faulthandler", "-c", PROGRAM, str(end.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[end.fileno()],
            env={name: value for name, value in os.environ.items() if not name.startswith(NOT_ITS_OWN)},
            start_new_session=True,  # Ctrl-C is the daemon's to handle: a frame in work is finished
        )
        ours.pop_all()
    return Started(process, mine, heard)
