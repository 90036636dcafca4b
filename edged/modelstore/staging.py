"""A folder in the store that nobody looks at: a version is made there, whole, before it is renamed into place.

    <store>/.adding-<random>/     one for each process that adds; a name with a dot is no model

It lies in the store, because only a rename within one file system is whole. A process holds a lock on its folder while
it lives. The kernel takes that lock back however the process ends, so a folder that can be locked belongs to a dead
one and is removed by the next process that adds.

The store itself is locked only for moments: while a folder is made or removed, and while a version gets its number.
Where the file system knows no locks (or the system, as Windows), nothing is cleared and nobody waits.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from edged.errors import CannotWrite, EdgedError, NotAllowed

PREFIX = ".adding-"
LOCK_TIMEOUT_S = 30.0
_LOOK_AGAIN_S = 0.05


@contextlib.contextmanager
def staging(store: Path) -> Iterator[Path]:
    """An empty folder in the store, removed with what is left in it when the context ends.

    The store is made if it is not there.

    Raises:
        NotAllowed: This user may not write there.
        CannotWrite: It cannot be made for another reason, or another process keeps it locked.
    """
    with _explained(store):
        store.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with locked(store), _explained(store):
            _clear(store)
            folder = store / f"{PREFIX}{os.urandom(6).hex()}"
            folder.mkdir()
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            lock = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
            if lock is not None:
                held.callback(os.close, lock)
                _try_lock(lock)
        yield folder


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the store's lock; for moments only.

    Raises:
        CannotWrite: Another process did not let it go in time.
    """
    if os.name != "posix":
        yield
        return
    with _explained(store):
        lock = os.open(store, os.O_RDONLY)
    try:
        deadline_s = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(lock):
            if time.monotonic() > deadline_s:
                raise CannotWrite(
                    str(store), "is locked by another process", "wait for the other `edged model add` to end"
                )
            time.sleep(_LOOK_AGAIN_S)  # flock has no time-out of its own
        yield
    finally:
        os.close(lock)


def _clear(store: Path) -> None:
    """Remove the folders of processes that are no more."""
    for folder in store.glob(f"{PREFIX}*"):
        if os.name != "posix" or folder.is_symlink() or not folder.is_dir():
            continue
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                if _try_lock(lock, unknown=False):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _try_lock(descriptor: int, *, unknown: bool = True) -> bool:
    """Lock a folder if nobody else has; ``unknown`` is the answer where there are no locks."""
    if sys.platform == "win32":
        return unknown
    import fcntl  # noqa: PLC0415  # not on every system

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> EdgedError:
    """What a failed attempt to write into the store means."""
    if isinstance(error, PermissionError):
        return NotAllowed(
            str(path), "may not be written by this user", "run as its owner, or name another --store"
        )
    return CannotWrite(
        str(path), f"cannot be written ({error.strerror or error})", "check the disk, or name another --store"
    )
