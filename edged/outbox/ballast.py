"""A file that takes up room until the disk is full, when there is none left even to delete a row of a database."""

import os
from contextlib import suppress
from pathlib import Path

SIZE_BYTES = 4 << 20
SHARE = 1 / 8
"""Of the file system, at most. What a WAL holds has to fit in, so that it can be written back."""


class Ballast:
    """The file ``ballast`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def release(self) -> bool:
        """Give its room to others; False if there was none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def restore(self) -> bool:
        """Take the room again while there is plenty; False where there is not."""
        try:
            system = os.statvfs(self._path.parent)
            size = min(SIZE_BYTES, int(system.f_blocks * system.f_frsize * SHARE))
            if self._path.exists() and self._path.stat().st_size >= size:
                return True
            if system.f_bavail * system.f_frsize < 2 * size:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            with suppress(OSError):
                self._path.unlink()
            return False
        return True
