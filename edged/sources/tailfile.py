"""A file that is followed as it grows, over rotation and over restarts.

                    ┌────────────── grown ──────────────┐
    open → read → at its end ─┬─ shorter, or other bytes ┼→ from its start        (copytruncate, written anew)
                              ├─ its name is another file's: rest of this one, then that from its start   (rename)
                              └─ its name is nobody's: wait for one

It goes on where all before was settled: the same inode with the same first bytes. If it was renamed meanwhile it is
looked for beside its old name and read to its end first. Looked at four to twenty times a second, without inotify,
which network file systems do not have.
"""

import os
import stat
import threading
import time
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path

import structlog

from edged.errors import BadInput, EdgedError, InputNotFound, NotAllowed, SourceLost
from edged.rows import Delivery
from edged.sources.lines import BLOCK_BYTES, Lines, arrived
from edged.sources.positions import Position, Positions, SettledPrefix

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.25
"""Between two looks at a file that does not grow."""
GRACE_S = 1.0
"""A renamed file must be quiet for so long before the new one is begun: who writes it may not have noticed yet."""
HEAD_BYTES = 1024
"""By so many first bytes a file is known again."""
FIRST_LINES_BYTES = 64 * 1024
"""Of the first lines of a file, which may name its columns, where reading goes on behind them."""
MAX_NEIGHBOURS = 10_000
"""Files that are looked at to find a renamed one."""

log = structlog.get_logger()


class TailFile:
    """Follows one file; see `edged.sources.rowsource.RowSource`."""

    patient = True
    dropped = 0
    format: None = None

    def __init__(
        self, path: Path, *, once: bool = False, positions: Positions | None = None, key: str = ""
    ) -> None:
        """Nothing is opened yet.

        Args:
            path: Of the file.
            once: Read it from its start to its end, keep no position, and take a last line without a line feed.
            positions: Where positions are kept; None keeps them for as long as this object lives.
            key: Under which.
        """
        self.ended = False
        self._path, self._once = path, once
        self._positions, self._key = positions or Positions(None), key or str(path)
        self._settled = SettledPrefix(self._keep)
        self._woken = threading.Event()
        self._file = -1
        self._inode, self._offset, self._head = 0, 0, b""
        self._first_lines = b""
        self._lines = Lines()
        self._seen = (0, 0)  # size and time of change at the last look
        self._news_s = 0.0
        self._pause_s = SHORTEST_PAUSE_S
        self._left: Position | None = None  # where reading was when it was closed

    def open(self) -> None:
        """See `RowSource.open`."""
        self.close()
        kept = None if self._once else self._left or self._positions.get(self._key)
        self._file = _opened(self._path)
        try:
            self._begin(kept)
        except OSError as error:
            self._close_file()
            raise self._broken(error) from error

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`."""
        end_s = time.monotonic() + timeout_s
        try:
            while True:
                self._positions.save_if_due()
                deliveries = self._next()
                if deliveries or self.ended or not self._waited(end_s):
                    return deliveries
        except OSError as error:
            raise self._broken(error) from error
        finally:
            self._woken.clear()

    def close(self) -> None:
        """See `RowSource.close`."""
        if self._file >= 0:
            self._left = self._position()
            self._close_file()
            self._positions.save()

    def wake(self) -> None:
        """See `RowSource.wake`."""
        self._woken.set()

    def _begin(self, kept: Position | None) -> None:
        """Go on at a kept position if it is in this file, or in one beside it; otherwise at the start."""
        if kept is not None and not _is_in(self._file, kept):
            renamed = self._renamed(kept)
            if renamed is None:
                log.warning("another file than before, read from its start", path=str(self._path))
                kept = None
            else:
                self._close_file()
                self._file = renamed
        self._start(kept.offset if kept else 0)

    def _start(self, offset: int) -> None:
        self._inode, self._offset = os.fstat(self._file).st_ino, offset
        self._head = os.pread(self._file, min(offset, HEAD_BYTES), 0)
        first = os.pread(self._file, min(offset, FIRST_LINES_BYTES), 0)
        self._first_lines = first[: first.rfind(b"\n") + 1]
        self._lines = Lines()
        self._seen, self._news_s, self._pause_s = (0, 0), time.monotonic(), SHORTEST_PAUSE_S

    def _renamed(self, kept: Position) -> int | None:
        """The file that had our name when ``kept`` was kept, open; None where it is gone."""
        with suppress(OSError), os.scandir(self._path.parent) as entries:
            for entry in islice(entries, MAX_NEIGHBOURS):
                if entry.inode() != kept.inode or not entry.name.startswith(self._path.stem):
                    continue
                file = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                if _is_in(file, kept):
                    log.info("file was renamed, read to its end first", path=entry.path)
                    return file
                os.close(file)
        return None

    def _next(self) -> list[Delivery]:
        """The lines that are there; empty where none is complete."""
        while not self._woken.is_set():
            piece = self._piece()
            if not piece:
                return self._at_end()
            self._news_s, self._pause_s = time.monotonic(), SHORTEST_PAUSE_S
            whole = self._lines.cut(piece)
            if whole:
                return [self._delivery(whole)]
        return []

    def _piece(self) -> bytes:
        """What comes next in the file; empty at its end."""
        status = os.fstat(self._file)
        seen = status.st_size, status.st_mtime_ns
        if status.st_size < self._offset or (seen != self._seen and self._is_written_anew()):
            log.info("file begins anew", path=str(self._path))
            self._start(0)
        self._seen = seen
        if status.st_size == self._offset:
            return b""
        piece = os.pread(self._file, BLOCK_BYTES, self._offset)
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
        self._offset += len(piece)
        return piece

    def _is_written_anew(self) -> bool:
        return os.pread(self._file, len(self._head), 0) != self._head

    def _at_end(self) -> list[Delivery]:
        if self._once:
            self.ended = True
            return self._rest()
        if time.monotonic() - self._news_s < GRACE_S or not self._is_replaced():
            return []
        try:
            successor = _opened(self._path)
        except InputNotFound:  # gone again
            return []
        rest = self._rest()
        self._close_file()
        self._file = successor
        self._start(0)
        return rest

    def _is_replaced(self) -> bool:
        """Whether our name is another file's by now; nobody's is none."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return False

    def _rest(self) -> list[Delivery]:
        """The last line of a file that grows no more."""
        rest = self._lines.rest()
        return [self._delivery(rest)] if rest else []

    def _delivery(self, payload: bytes) -> Delivery:
        receipt = None if self._once else self._settled.receipt(self._position())
        return arrived(payload, receipt, head=self._first_lines)

    def _position(self) -> Position:
        """Behind the last whole line."""
        offset = self._offset - self._lines.unfinished_bytes
        return Position(self._inode, offset, _digest(self._head[:offset]))

    def _keep(self, position: Position) -> None:
        self._positions.put(self._key, position)

    def _waited(self, end_s: float) -> bool:
        """Wait a little for news; False where the time is up, or someone calls."""
        left_s = end_s - time.monotonic()
        if left_s <= 0 or self._woken.wait(min(self._pause_s, left_s)):
            return False
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return True

    def _close_file(self) -> None:
        os.close(self._file)
        self._file = -1

    def _broken(self, error: OSError) -> SourceLost:
        return SourceLost(str(self._path), f"cannot be read ({error.strerror})", "it is opened again")


def _opened(path: Path) -> int:
    """The file, open for reading.

    Raises:
        InputNotFound: It is not there.
        EdgedError: It is no file, or not for us.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would be waited for
    except OSError as error:
        raise cannot_open_file(path, error) from error
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise BadInput(str(path), "is no file", "name a file, a FIFO, or serial:DEVICE")


def cannot_open_file(path: Path, error: OSError) -> EdgedError:
    """Why a file or a FIFO did not open."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputNotFound(str(path), "no such file", "check the path")
    if isinstance(error, PermissionError):
        return NotAllowed(str(path), "may not be read by this user", "check its permissions")
    return SourceLost(str(path), f"cannot be opened ({error.strerror})", "it is tried again")


def _is_in(file: int, kept: Position) -> bool:
    """Whether ``kept`` was kept of this file, and is still inside it."""
    status = os.fstat(file)
    if status.st_ino != kept.inode or status.st_size < kept.offset or not stat.S_ISREG(status.st_mode):
        return False
    return _digest(os.pread(file, min(kept.offset, HEAD_BYTES), 0)) == kept.head_digest


def _digest(head: bytes) -> str:
    return sha256(head).hexdigest()
