"""A folder that one process at a time uses."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nobody runs the daemon there
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """Held from `take` to `release`, and given up by the kernel when the process ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self) -> None:
        """Make the folder where it is missing, and take it.

        Raises:
            OSError: It cannot be made or opened; ``BlockingIOError`` where another process has it.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._descriptor is not None or fcntl is None:
            return
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def still_there(self) -> bool:
        """Whether the folder that was taken is the one that stands there now."""
        if self._descriptor is None:
            return True
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._folder.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
