"""Makes a target of a model: a tar that has the same bytes whoever packs it, wherever and whenever.

Plain files only, in the order of their names, at the beginning of time, of nobody. It is not compressed: weights hardly
shrink, and a delta between two versions is far smaller when both are as they are.
"""

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edged.errors import BadInput, InputNotFound
from edged.modelstore.digests import sha256_of
from edged.repository.tree import writing

MAX_PACKAGE_BYTES = 8 * 1024**3
_MODEL = "model.onnx"


@dataclass(frozen=True, slots=True)
class Package:
    """A packed version.

    Attributes:
        tar: Where it lies.
        length: In bytes.
        sha256: Of the tar, hexadecimal.
        digest: ``sha256:…`` of its ``model.onnx``.
        unpacked_bytes: Of its files.
        files: Their names.
        content: Of all its files, as a box keeps it of a version that it rejected; empty until it was unpacked.
    """

    tar: Path
    length: int
    sha256: str
    digest: str
    unpacked_bytes: int
    files: tuple[str, ...]
    content: str = ""


def pack(members: Mapping[str, Path], tar: Path) -> Package:
    """Pack files under names; ``model.onnx`` is one of them.

    Raises:
        InputNotFound: A file cannot be read.
        BadInput: Too much, or a file was changed meanwhile.
        CannotWrite, NotAllowed: The disk.
    """
    total = sum(_size(path) for path in members.values())
    if total > MAX_PACKAGE_BYTES:
        raise BadInput(
            str(members[_MODEL].parent), f"holds more than {MAX_PACKAGE_BYTES:,} bytes", "leave files out"
        )
    with writing(tar), tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as packed:
        for name in sorted(members):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o644, _size(members[name])
            with members[name].open("rb") as file:
                packed.addfile(entry, file)
    digest = hashlib.sha256(model_in(tar)).hexdigest()
    with writing(tar):
        length, sha256 = tar.stat().st_size, sha256_of(tar)
    return Package(tar, length, sha256, f"sha256:{digest}", total, tuple(sorted(members)))


def model_in(tar: Path) -> bytes:
    """The bytes of a tar's ``model.onnx``.

    Raises:
        BadInput: It is no tar of ours.
    """
    try:
        with tarfile.open(tar, "r:") as packed:
            file = packed.extractfile(_MODEL)
            if file is not None:
                return file.read()
    except (tarfile.TarError, KeyError, OSError) as error:
        raise BadInput(
            str(tar), f"is no package of a model ({error})", "publish the version again"
        ) from error
    raise BadInput(str(tar), f"holds no {_MODEL}", "publish the version again")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputNotFound(
            str(path), f"cannot be read ({error.strerror})", "check its permissions"
        ) from error
