"""Rows that another program writes into a pipe: a FIFO by its name, or standard input."""

import os
import stat
import sys
import time
from pathlib import Path

from edged.errors import BadInput, SourceLost
from edged.rows import Delivery
from edged.sources.lines import BLOCK_BYTES, Lines, arrived
from edged.sources.tailfile import cannot_open_file
from edged.sources.waker import Waker


class Fifo:
    """A FIFO: writers come and go. The last line of one who goes needs no line feed.

    Once it ends with the first writer who wrote something and went.
    """

    patient = True
    dropped = 0
    format: None = None

    def __init__(self, path: Path, *, once: bool = False) -> None:
        """Nothing is opened yet."""
        self.ended = False
        self._path, self._once = path, once
        self._pipe = -1
        self._waker: Waker | None = None
        self._lines = Lines()
        self._had_rows = False

    def open(self) -> None:
        """See `RowSource.open`."""
        self.close()
        self._pipe = self._opened()
        self._waker = Waker()

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`."""
        end_s = time.monotonic() + timeout_s
        while not self.ended:
            if self._waker is None or not self._waker.wait(self._pipe, end_s - time.monotonic()):
                self._look_at_name()
                return []
            piece = self._piece()
            whole = self._lines.cut(piece) if piece else self._writer_gone()
            if whole:
                self._had_rows = True
                return [arrived(whole)]
        return []

    def close(self) -> None:
        """See `RowSource.close`. The beginning of a line is kept: the rest of it waits in the pipe."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def wake(self) -> None:
        """See `RowSource.wake`."""
        waker = self._waker
        if waker is not None:
            waker.wake()

    def _opened(self) -> int:
        try:
            pipe = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise cannot_open_file(self._path, error) from error
        if stat.S_ISFIFO(os.fstat(pipe).st_mode):
            return pipe
        os.close(pipe)
        raise BadInput(str(self._path), "is no FIFO any more", "it is opened again")

    def _piece(self) -> bytes:
        try:
            return os.read(self._pipe, BLOCK_BYTES)
        except OSError as error:
            raise SourceLost(
                str(self._path), f"cannot be read ({error.strerror})", "it is opened again"
            ) from error

    def _writer_gone(self) -> bytes:
        """The last line of who wrote. The pipe says that it has ended until it is opened anew."""
        rest = self._lines.rest()
        if self._once and (rest or self._had_rows):
            self.ended = True
            return rest
        successor = (
            self._opened()
        )  # before the old one is closed: a writer who came meanwhile always has a reader
        os.close(self._pipe)
        self._pipe = successor
        return rest

    def _look_at_name(self) -> None:
        """See that writers still find the pipe we have.

        Raises:
            SourceLost: Its name is gone, or another pipe's.
        """
        try:
            same = self._pipe < 0 or self._path.stat().st_ino == os.fstat(self._pipe).st_ino
        except OSError:
            same = False
        if not same:
            raise SourceLost(str(self._path), "was removed or replaced", "it is opened again")


class StandardInput:
    """What is piped into us. Its end is the end, and its descriptor is never closed: it is not ours."""

    patient = True
    dropped = 0
    format: None = None

    def __init__(self, descriptor: int | None = None) -> None:
        """Nothing is read yet.

        Args:
            descriptor: Default: that of standard input.
        """
        self.ended = False
        self._descriptor = descriptor
        self._waker: Waker | None = None
        self._lines = Lines()

    def open(self) -> None:
        """See `RowSource.open`."""
        self.close()
        try:
            if self._descriptor is None:
                self._descriptor = sys.__stdin__.fileno() if sys.__stdin__ else 0
            os.fstat(self._descriptor)
        except (OSError, ValueError) as error:
            raise BadInput("standard input", "is closed", "pipe rows into this program") from error
        self._waker = Waker()

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`."""
        end_s = time.monotonic() + timeout_s
        while not self.ended:
            if self._waker is None or self._descriptor is None:
                break
            if not self._waker.wait(self._descriptor, end_s - time.monotonic()):
                break
            piece = self._piece(self._descriptor)
            self.ended = not piece
            whole = self._lines.cut(piece) if piece else self._lines.rest()
            if whole:
                return [arrived(whole)]
        return []

    def close(self) -> None:
        """See `RowSource.close`."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()

    def wake(self) -> None:
        """See `RowSource.wake`."""
        waker = self._waker
        if waker is not None:
            waker.wake()

    def _piece(self, descriptor: int) -> bytes:
        try:
            return os.read(descriptor, BLOCK_BYTES)
        except BlockingIOError:  # another one who has it took it first
            raise SourceLost(
                "standard input", "is read by another program too", "it is tried again"
            ) from None
        except OSError as error:
            raise SourceLost(
                "standard input", f"cannot be read ({error.strerror})", "it is tried again"
            ) from error
