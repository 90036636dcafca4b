"""Rows behind a path: a file is followed, a FIFO is read. Which it is shows when it is opened, and may change."""

import stat
from pathlib import Path

from edged.errors import BadInput
from edged.rows import Delivery
from edged.sources.pipes import Fifo
from edged.sources.positions import Positions
from edged.sources.tailfile import TailFile, cannot_open_file


class PathRows:
    """Follows a file or reads a FIFO; see `edged.sources.rowsource.RowSource`."""

    patient = True
    dropped = 0
    format: None = None

    def __init__(self, path: str, *, name: str, once: bool, positions: Positions) -> None:
        """Nothing is looked up yet.

        Args:
            path: Of a file or a FIFO.
            name: Of the sensor; with the path it is the key of its position.
            once: Read it once to its end.
            positions: Where positions of files are kept.
        """
        self._path = Path(path)
        self._file = TailFile(self._path, once=once, positions=positions, key=f"{name} {path}")
        self._fifo = Fifo(self._path, once=once)
        self._present: TailFile | Fifo = self._file

    @property
    def ended(self) -> bool:
        """See `RowSource.ended`."""
        return self._present.ended

    def open(self) -> None:
        """See `RowSource.open`."""
        self._present = self._fifo if self._is_fifo() else self._file
        self._present.open()

    def read(self, timeout_s: float) -> list[Delivery]:
        """See `RowSource.read`."""
        return self._present.read(timeout_s)

    def close(self) -> None:
        """See `RowSource.close`."""
        self._present.close()

    def wake(self) -> None:
        """See `RowSource.wake`."""
        self._file.wake()
        self._fifo.wake()

    def _is_fifo(self) -> bool:
        """Whether it is a FIFO now.

        Raises:
            InputNotFound: Nothing is there.
            BadInput: It is neither.
        """
        try:
            mode = self._path.stat().st_mode
        except OSError as error:
            raise cannot_open_file(self._path, error) from error
        if stat.S_ISDIR(mode):
            raise BadInput(str(self._path), "is a folder", "name a file in it, or a FIFO")
        if stat.S_ISCHR(mode):
            raise BadInput(str(self._path), "is a device", f"write serial:{self._path} for a serial line")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise BadInput(str(self._path), "is neither a file nor a FIFO", "name one of them")
        return stat.S_ISFIFO(mode)
