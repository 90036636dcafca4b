"""One publisher at a time: a lock on the folder, which the kernel takes back however the process ends."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from edged.errors import CannotWrite, InputNotFound

LOCK_TIMEOUT_S = 10.0
_LOOK_AGAIN_S = 0.05
_LOCK_FILE = ".lock"


@contextlib.contextmanager
def locked(folder: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold a repository for oneself.

    Raises:
        InputNotFound: No such folder.
        CannotWrite: Another process holds it, and goes on to.
    """
    try:
        descriptor = _open(folder)
    except FileNotFoundError as error:
        raise InputNotFound(
            str(folder), "no such folder", "`edged publish init DIR` makes a repository"
        ) from error
    except OSError as error:
        raise CannotWrite(
            str(folder), f"cannot be locked ({error.strerror})", "check its permissions"
        ) from error
    try:
        deadline_s = time.monotonic() + timeout_s
        while not _try(descriptor):
            if time.monotonic() > deadline_s:
                raise CannotWrite(
                    str(folder), "is being published to by another process", "try again once that has ended"
                )
            time.sleep(_LOOK_AGAIN_S)  # neither system's lock has a time-out
        yield
    finally:
        os.close(descriptor)


def _open(folder: Path) -> int:
    if sys.platform == "win32":  # which locks files only
        return os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT)
    return os.open(folder, os.O_RDONLY)


def _try(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415  # not on every system

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415  # not on every system

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
