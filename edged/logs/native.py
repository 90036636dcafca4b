"""What native libraries write to standard error by themselves, as debug lines: redacted, on one line each, bounded.

They know no log, and some of them print addresses with their passwords. So the descriptor that they write to is a pipe,
and nothing of it gets out but through here. Whoever writes faster than it is read loses lines, and is not held up.
"""

import faulthandler
import os
import sys
import threading
import time

import structlog

MAX_LINE = 500
"""Characters of a line that are shown."""
MAX_PER_S = 50
"""Lines a second; decoders complain of every frame of a damaged stream."""
READ_BYTES = 65536

log = structlog.get_logger()


def take_over() -> int:
    """Move Python's own standard error to a duplicate; the reading end of what others write is returned.

    What the interpreter writes of a crash goes to the duplicate.
    """
    sys.stderr.flush()
    ours = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    end, theirs = os.pipe()
    os.set_blocking(theirs, False)
    os.dup2(theirs, 2)
    os.close(theirs)
    sys.stderr = ours
    faulthandler.enable(ours)
    return end


def listen(end: int) -> None:
    """Show what comes there, in a thread of its own that ends when nobody can write any more."""
    threading.Thread(target=_read, args=(end,), name="native-stderr", daemon=True).start()


def _read(end: int) -> None:
    second, shown, rest = 0, 0, b""
    while part := os.read(end, READ_BYTES):
        *lines, rest = (rest + part).split(b"\n")
        rest = rest[-READ_BYTES:]
        for line in filter(None, map(bytes.strip, lines)):
            now = int(time.monotonic())
            if now != second:
                if shown > MAX_PER_S:
                    log.debug("native lines left out", lines=shown - MAX_PER_S)
                second, shown = now, 0
            shown += 1
            if shown <= MAX_PER_S:
                log.debug("native", said=line.decode("utf-8", "replace")[:MAX_LINE])
