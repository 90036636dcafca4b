"""Takes a model out of a zip or a tar that a stranger made.

Names are checked before anything is written, only plain files are, and bytes are counted as they come out, whatever
the archive says of itself. Of the archive only the folder of its one model is unpacked, and the files beside it if that
is the folder of a version.
"""

import bz2
import contextlib
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from edged.errors import BadInput, InputNotFound
from edged.modelstore.finding import MAX_FILES, only_model
from edged.modelstore.foreign import home_of
from edged.modelstore.staging import cannot_write

MAX_RATIO = 200
"""Unpacked bytes to packed ones; weights shrink to a half at best."""
ALWAYS_ALLOWED_BYTES = 16 * 1024**2
MAX_READ_BYTES = 8 * 1024**2
"""Of one read; more is asked for only on behalf of a forged header."""

_PIECE_BYTES = 1024**2
_PACKED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,  # also of gzip and bz2; what goes wrong in writing has become an error of ours by then
    NotImplementedError,  # a packing that this Python does not know
    ValueError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class _Member:
    name: PurePosixPath
    open: Callable[[], IO[bytes] | None]


class _TooMuch(Exception):
    """More comes out than is allowed."""


def is_archive(path: Path) -> bool:
    """Whether a file begins as a zip or a tar does."""
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", *_PACKED)) or head[257:262] == b"ustar"


def unpack_model(archive: Path, into: Path, *, max_bytes: int, subject: str) -> Path:
    """Unpack the folder of the one model in an archive.

    Args:
        archive: A zip or a tar.
        into: An empty folder.
        max_bytes: Of all that is unpacked.
        subject: What the user named, for errors.

    Returns:
        The model.

    Raises:
        BadInput: Broken, with names or kinds of files that do not belong into one, too large, or without exactly one
            model.
        CannotWrite: The disk.
        NotAllowed: The disk.
    """
    limit = min(max_bytes, max(ALWAYS_ALLOWED_BYTES, archive.stat().st_size * MAX_RATIO))
    try:
        with contextlib.ExitStack() as opened:
            members = list(_members(archive, opened, subject, limit))
            names = {member.name for member in members}
            if any(parent in names for name in names for parent in name.parents):
                raise BadInput(subject, "holds a file and a folder of one name", "pack it again")
            model = only_model(names, subject)
            home = home_of(model)  # beside its versions lies what is said of all of them
            left = limit
            for member in members:
                if member.name.is_relative_to(model.parent) or member.name.parent == home:
                    left -= _write(member, into / member.name, left)
    except _TooMuch as error:
        raise BadInput(
            subject, f"unpacks to more than {limit:,} bytes", "unpack it yourself and add the folder"
        ) from error
    except FileNotFoundError as error:
        raise InputNotFound(subject, "no such file", "check the path") from error
    except _BROKEN as error:
        raise BadInput(
            subject, f"cannot be unpacked ({error or type(error).__name__})", "get it again"
        ) from error
    return into / model


def _members(archive: Path, opened: contextlib.ExitStack, subject: str, limit: int) -> Iterator[_Member]:
    with archive.open("rb") as file:
        head = file.read(8)
    names: set[PurePosixPath] = set()
    found = (
        _zip_members(archive, opened, subject)
        if head.startswith(b"PK")
        else _tar_members(archive, opened, subject, limit)
    )
    for count, member in enumerate(found):
        if count >= MAX_FILES:
            raise BadInput(subject, f"holds more than {MAX_FILES} files", "add the folder of the model")
        if member.name in names:
            raise BadInput(subject, f"holds {str(member.name)!r:.100} twice", "pack it again")
        names.add(member.name)
        yield member


def _zip_members(archive: Path, opened: contextlib.ExitStack, subject: str) -> Iterator[_Member]:
    packed = opened.enter_context(zipfile.ZipFile(archive))
    for entry in packed.infolist():
        name = _safe(entry.orig_filename, subject)
        kind = entry.external_attr >> 28  # of the file, where a Unix wrote it; 0 elsewhere
        if entry.is_dir():
            continue
        if kind not in {0, 8}:
            raise _odd(subject, name)
        if entry.flag_bits & 1:
            raise BadInput(subject, "is locked with a password", "unpack it yourself and add the folder")
        yield _Member(name, partial(packed.open, entry))


def _tar_members(archive: Path, opened: contextlib.ExitStack, subject: str, limit: int) -> Iterator[_Member]:
    with archive.open("rb") as file:
        head = file.read(8)
    unpacked = next((way(archive) for magic, way in _PACKED.items() if head.startswith(magic)), None)
    counted = _Counted(opened.enter_context(unpacked or archive.open("rb")), limit)
    packed = opened.enter_context(tarfile.TarFile(fileobj=cast("IO[bytes]", counted)))
    for entry in packed:
        name = _safe(entry.name, subject)
        if entry.isdir():
            continue
        if not entry.isreg() or entry.issparse():
            raise _odd(subject, name)
        yield _Member(name, partial(packed.extractfile, entry))
    while counted.read(_PIECE_BYTES):  # the packing's checksum stands at the end
        pass


def _safe(name: str, subject: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or re.search(r"[\\\x00-\x1f]|^[A-Za-z]:", name)
        or not path.parts
    ):
        raise BadInput(
            subject, f"holds a name that leads out of it ({name!r:.100})", "do not use it unless you know why"
        )
    return path


def _odd(subject: str, name: PurePosixPath) -> BadInput:
    return BadInput(
        subject,
        f"holds a link or a device ({str(name)!r:.100})",
        "unpack it yourself and add the folder of the model",
    )


def _write(member: _Member, target: Path, left: int) -> int:
    """Write one file; how many bytes it has."""
    source = member.open()
    if source is None:
        raise tarfile.ReadError(f"{member.name} cannot be read")
    written = 0
    with source:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb")
        except OSError as error:
            raise cannot_write(target, error) from error
        with file:
            while piece := source.read(_PIECE_BYTES):
                written += len(piece)
                if written > left:
                    raise _TooMuch
                try:
                    file.write(piece)
                except OSError as error:
                    raise cannot_write(target, error) from error
    return written


class _Counted:
    """A stream that ends in `_TooMuch` when more is read, or skipped, than a tar of so many bytes can hold.

    ``tarfile`` reads headers of any length into memory and skips by reading; both are bounded here.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._limit = limit + MAX_FILES * 4 * tarfile.BLOCKSIZE

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > MAX_READ_BYTES or self._stream.tell() > self._limit:
            raise _TooMuch
        return self._stream.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position > self._limit:
            raise _TooMuch
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()
