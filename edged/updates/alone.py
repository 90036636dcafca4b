"""Instances of edged that share a store download into it one after the other."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edged.errors import Unreachable
from edged.modelstore.staging import cannot_write

STAGING = ".updates"


@contextlib.contextmanager
def alone(store: Path) -> Iterator[None]:
    """Hold the store's staging of updates. The kernel lets go of it, however the process ends.

    Where the file system knows no locks (or the system, as Windows), nobody is held up.

    Raises:
        Unreachable: Another process holds it.
        NotAllowed, CannotWrite: It cannot be made.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  # not on every system

    staging = store / STAGING
    try:
        staging.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(staging, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(staging, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unreachable(
                str(store), "another edged downloads into this store", "it ends by itself"
            ) from error
        except OSError:
            pass  # no locks here
        yield
    finally:
        os.close(descriptor)
