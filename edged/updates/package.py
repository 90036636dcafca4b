"""From the tar of a version to its folder, on the disk and looked at.

The tar was signed, so whoever made it could have made worse; still nothing is written but plain files under names that
belong into a version, no more than `MAX_FILES` of them and no more bytes than were signed, and ``tarfile`` reads no
more into memory than a header has.
"""

import errno
import io
import os
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from edged.errors import EdgedError, UpdateRefused, UpdateUnreachable
from edged.files import flush_folder
from edged.manifest import read_labels, read_manifest
from edged.modelstore.digests import sha256_of
from edged.offers import Offer
from edged.updates.partial import cannot_write

MAX_FILES = 1000
"""Folders count too: each is kept in memory, and none takes any of the bytes that were signed."""
MAX_HEADER_BYTES = 1024**2
"""Of one read on behalf of the tar's own headers."""
_PIECE_BYTES = 1024**2
_NAMES = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
"""What a disk says of a file within a file, or of a name that it cannot have."""
_NO_TAR = (tarfile.TarError, ValueError, EOFError, ArithmeticError, LookupError, RecursionError)
"""What ``tarfile`` raises of headers that nobody's tar has; of one header within another, a thousand deep, the last."""
_MEMBER = re.compile(r"model\.onnx|model\.toml|labels\.txt|golden(/(?!\.)[^/\\\x00-\x1f\x7f:]{1,200}){1,4}")


def unpack(tar: Path, into: Path, offer: Offer, stopping: Callable[[], bool]) -> None:
    """Unpack a version.

    Args:
        tar: Its bytes are those that were signed.
        into: Folder that is made; what stands there is removed.
        offer: Of it.
        stopping: Whether somebody wants to stop.

    Raises:
        UpdateRefused: It is not what a version is; nothing of it is left.
        UpdateUnreachable: The disk, or somebody wanted to stop; nothing of it is left.
    """
    try:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(mode=0o755)
        _members(tar, into, offer, stopping)
        _look(into, offer)
        _flush(into)
    except BaseException as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, EdgedError):
            raise
        if isinstance(error, _NO_TAR):
            raise _wrong(offer, f"is no tar ({error})") from error
        if isinstance(error, OSError):
            if error.errno in _NAMES:
                raise _wrong(offer, f"holds a name that cannot be ({error.strerror})") from error
            raise cannot_write(into, error) from error
        raise


def _members(tar: Path, into: Path, offer: Offer, stopping: Callable[[], bool]) -> None:
    left, names = offer.unpacked_bytes, set[str]()
    with tar.open("rb") as raw, tarfile.TarFile(fileobj=cast("IO[bytes]", _Bounded(raw))) as packed:
        for count, entry in enumerate(packed):
            if count >= MAX_FILES:
                raise _wrong(offer, f"holds more than {MAX_FILES} files and folders")
            if entry.isdir() and re.fullmatch(r"golden(/[^/]+)*", entry.name):
                continue
            if not _MEMBER.fullmatch(entry.name) or ".." in entry.name.split("/"):
                raise _wrong(offer, f"holds {entry.name!r:.100}, which belongs into no version")
            if not entry.isreg() or entry.issparse():
                raise _wrong(offer, f"holds a link or a device ({entry.name!r:.100})")
            if entry.name in names:
                raise _wrong(offer, f"holds {entry.name!r:.100} twice")
            names.add(entry.name)
            left -= entry.size
            if left < 0 or entry.size < 0:
                raise _wrong(offer, f"holds more than {offer.unpacked_bytes:,} bytes")
            _write(packed, _filtered(entry, into), into / entry.name, stopping)


def _filtered(entry: tarfile.TarInfo, into: Path) -> tarfile.TarInfo:
    """The standard library's opinion besides, where it has one; Python 3.11 has it from 3.11.4 on."""
    data_filter = getattr(tarfile, "data_filter", None)
    return cast("tarfile.TarInfo", data_filter(entry, str(into))) if data_filter else entry


def _write(packed: tarfile.TarFile, entry: tarfile.TarInfo, path: Path, stopping: Callable[[], bool]) -> None:
    source = packed.extractfile(entry)
    if source is None:
        raise tarfile.ReadError(f"{entry.name} cannot be read")
    path.parent.mkdir(parents=True, exist_ok=True)
    with source, path.open("xb") as file:
        while piece := source.read(_PIECE_BYTES):
            if stopping():
                raise UpdateUnreachable(str(path), "was left because edged stops", reason="stopped")
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _look(folder: Path, offer: Offer) -> None:
    onnx, toml, labels = (folder / name for name in ("model.onnx", "model.toml", "labels.txt"))
    if not onnx.is_file():
        raise _wrong(offer, "holds no model.onnx")
    if f"sha256:{sha256_of(onnx)}" != offer.digest:
        raise _wrong(offer, "holds another model.onnx than was signed")
    try:
        read_manifest(toml if toml.is_file() else None)
        read_labels(labels if labels.is_file() else None)
    except EdgedError as error:
        raise _wrong(offer, f"{Path(error.subject).name} {error.problem}") from error


def _flush(folder: Path) -> None:
    """Folders; the files are on the disk already."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        if path.is_dir():
            flush_folder(path)


def _wrong(offer: Offer, problem: str) -> UpdateRefused:
    return UpdateRefused(offer.target, problem, "publish it again under a new number", reason="package")


class _Bounded:
    """A stream that gives no more at once than a header or a piece has: a forged header asks for gigabytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header of it is too long")
        return self._stream.read(size)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        return self._stream.tell()
