"""Runs in the machine as root: does what the host says over one serial line, tells what was accepted over another.

    python3 guest.py commands DEVICE    a line is a JSON list, a command; a line back: [exit status, stdout, stderr]
    python3 guest.py modules            loads those that lie beside it, once
    python3 guest.py accepted DEVICE    ids, a line each: of results that stand in the outbox's file, at once

A reader of the outbox's file sees a commit only after the writer has synchronised it: what is told was accepted.
"""

import ctypes
import json
import os
import sqlite3
import subprocess
import sys
import termios
import time
import tty
from contextlib import closing, suppress
from pathlib import Path

OUTBOX = Path("/var/lib/edged/outbox/outbox.db")
POLL_S = 0.05
COMMAND_S = 300
BEYOND = """SELECT key, CAST(payload AS TEXT) FROM message
WHERE key > ? AND topic LIKE '%/detections' ORDER BY key"""


def line(device: str) -> int:
    """A serial line without echo and translation."""
    descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor, termios.TCSANOW)
    return descriptor


def commands(device: str) -> None:
    descriptor = line(device)
    say(descriptor, ["ready"])
    with os.fdopen(descriptor, "rb", closefd=False) as heard:
        for asked in heard:
            say(descriptor, outcome(json.loads(asked)))


def outcome(command: list[str]) -> list[object]:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [-1, "", str(error)]
    return [done.returncode, done.stdout, done.stderr]


def say(descriptor: int, what: object) -> None:
    left = json.dumps(what).encode() + b"\n"
    while left:
        left = left[os.write(descriptor, left) :]


def accepted(device: str) -> None:
    descriptor, last = line(device), 0
    while True:
        with (
            suppress(sqlite3.Error),  # not there yet
            closing(sqlite3.connect(f"file:{OUTBOX}?mode=ro", uri=True)) as connection,
        ):
            while True:
                for key, payload in connection.execute(BEYOND, (last,)).fetchall():
                    os.write(descriptor, json.loads(payload)["id"].encode() + b"\n")
                    last = key
                time.sleep(POLL_S)
        time.sleep(POLL_S)


def load_modules() -> None:
    """Those that lie beside this file, in the order of their names; the machine has no program for it."""
    libc = ctypes.CDLL(None, use_errno=True)
    for module in sorted(Path(__file__).parent.glob("*.ko")):
        with module.open("rb") as file:
            if libc.syscall(313, file.fileno(), b"", 0) != 0:  # finit_module, of x86-64
                sys.exit(f"{module.name}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    if sys.argv[1] == "modules":
        load_modules()
    else:
        {"commands": commands, "accepted": accepted}[sys.argv[1]](sys.argv[2])
