"""Files that nobody may open, and the kernel's word on whether somebody did (Linux)."""

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

IN_ACCESS, IN_OPEN = 0x1, 0x20
_EVENT = struct.Struct("iIII")


class Canaries:
    """Watches files by inotify; without it (not on Linux) nothing is ever seen. A context manager."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._names: dict[int, Path] = {}
        self._inotify = -1
        if sys.platform != "linux":
            return
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for path in paths:
            watch = libc.inotify_add_watch(self._inotify, os.fsencode(path), IN_OPEN | IN_ACCESS)
            if watch < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
            self._names[watch] = path

    def __enter__(self) -> "Canaries":
        return self

    def __exit__(self, *_: object) -> None:
        if self._inotify >= 0:
            os.close(self._inotify)

    def opened(self) -> set[Path]:
        """Those that were opened or read since this was asked last."""
        found: set[Path] = set()
        with contextlib.suppress(BlockingIOError):
            while self._inotify >= 0 and (events := os.read(self._inotify, 65536)):
                at = 0
                while at < len(events):
                    watch, _, _, length = _EVENT.unpack_from(events, at)
                    at += _EVENT.size + length
                    found.add(self._names[watch])
        return found
