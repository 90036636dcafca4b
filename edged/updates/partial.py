"""A target that comes in several pieces: ``<sha256>.part``, always a beginning of what is to come.

The name is the signed hash, so that what is gone on with can only be the same target. What the server called it (its
``ETag``, or when it was last modified) lies beside it as ``<sha256>.part.tag``: a server that has another file by now
gives that one from its beginning. Neither is trusted: the hash of the whole decides.
"""

import contextlib
import errno
import hashlib
import os
from pathlib import Path
from typing import Self

from edged.errors import UpdateUnreachable

SUFFIX, TAG_SUFFIX = ".part", ".part.tag"
MAX_TAG = 200
_READ_BYTES = 1024**2
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Part:
    """A file that grows; for ``with``. Owned by one thread."""

    def __init__(self, folder: Path, length: int, sha256: str) -> None:
        """Open it and read what is there.

        Args:
            folder: Where it lies.
            length: Of the target, as signed.
            sha256: Of the target, as signed.

        Raises:
            UpdateUnreachable: The disk.
        """
        self.path = folder / f"{sha256}{SUFFIX}"
        self.length, self._sha256 = length, sha256
        self.count = 0
        self._tag_path = folder / f"{sha256}{TAG_SUFFIX}"
        self._digest = hashlib.sha256()
        try:
            self.path.touch(mode=0o600)
            self._file = self.path.open("r+b", buffering=0)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            while piece := self._file.read(_READ_BYTES):
                self._take(piece)
        except OSError as error:
            self._file.close()
            raise cannot_write(self.path, error) from error
        if self.count > length:
            self.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.count:
            self._file.close()
        else:
            self.remove()

    @property
    def tag(self) -> str:
        """What the server called the file that the beginning is of; empty where that is not known."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = self._tag_path.read_text(encoding="ascii")
            return text if text.isprintable() and len(text) <= MAX_TAG else ""
        return ""

    def begin(self, tag: str) -> None:
        """The target comes from its beginning, under this name."""
        self.restart()
        try:
            if tag.isascii() and tag.isprintable() and 0 < len(tag) <= MAX_TAG:
                self._tag_path.write_text(tag, encoding="ascii")
        except OSError as error:
            raise cannot_write(self._tag_path, error) from error

    def append(self, piece: bytes) -> None:
        """Write what came.

        Raises:
            UpdateUnreachable: The disk. Of a full one nothing is kept occupied.
        """
        left = memoryview(piece)
        try:
            while left:
                written = self._file.write(left)
                self._take(left[:written])
                left = left[written:]
        except OSError as error:
            if is_full(error):
                self.remove()
            raise cannot_write(self.path, error) from error

    def is_whole(self) -> bool:
        """Whether all has come."""
        return self.count == self.length

    def is_right(self) -> bool:
        """Whether it is what was signed."""
        return self.is_whole() and self._digest.hexdigest() == self._sha256

    def restart(self) -> None:
        """Forget what came.

        Raises:
            UpdateUnreachable: The disk.
        """
        try:
            self._file.seek(0)
            self._file.truncate()
            self._tag_path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self.count, self._digest = 0, hashlib.sha256()

    def remove(self) -> None:
        """Leave nothing."""
        self._file.close()
        for path in (self.path, self._tag_path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def flush(self) -> None:
        """Have it on the disk.

        Raises:
            UpdateUnreachable: The disk.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _take(self, piece: bytes | memoryview) -> None:
        self._digest.update(piece)
        self.count += len(piece)


def cannot_write(path: Path, error: OSError) -> UpdateUnreachable:
    """What an error of the disk means for an update: not now."""
    if is_full(error):
        return UpdateUnreachable(
            str(path.parent),
            "the disk is full",
            "make room; edged model remove takes old versions away",
            reason="disk full",
        )
    return UpdateUnreachable(
        str(path.parent),
        f"cannot be written ({error.strerror or error})",
        "check the disk and its permissions",
        reason="cannot write",
    )


def is_full(error: OSError) -> bool:
    """Whether a disk, or the share of it that one may have, is full."""
    return error.errno in _FULL
