"""How a version gets into the store: numbered, flushed to the disk, and renamed into place in one step.

A daemon that reads the store at any moment finds the version whole or not at all, also after a power cut.
"""

import contextlib
import filecmp
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from edged.errors import EdgedError
from edged.files import flush_folder
from edged.manifest import model_files
from edged.modelstore.digests import sha256_of
from edged.modelstore.reading import StoredModel
from edged.modelstore.staging import cannot_write, locked


def publish(store: Path, name: str, folder: Path, *, number: int | None = None) -> StoredModel:
    """Make a complete folder the next version of a model.

    Args:
        store: The store.
        name: Of the model.
        folder: With ``model.onnx`` and what belongs to it, within `staging` of the same store.
        number: Of the version; None = the next.

    Raises:
        NotAllowed: This user may not write there.
        CannotWrite: Disk full or broken.
    """
    try:
        _flush_tree(folder)
        with locked(store):
            version = number or next_version(store, name)
            target = store / name / str(version)
            if (store / name).is_dir():
                folder.rename(target)
            else:  # the first version: its parent comes with it, so that nobody ever sees an empty one
                parent = folder.with_name(f"{folder.name}-{name}")
                parent.mkdir()
                folder.rename(parent / target.name)
                flush_folder(parent)
                parent.rename(store / name)
                flush_folder(store)
            flush_folder(store / name)
    except OSError as error:
        raise cannot_write(store / name, error) from error
    return StoredModel(target, version)


def find_same(
    store: Path, name: str, digest: str, belongings: Mapping[str, Path | bytes]
) -> StoredModel | None:
    """The version that already is this model, or None.

    Args:
        store: The store.
        name: Of the model.
        digest: SHA-256 of the model, in hexadecimal digits.
        belongings: What comes with it, by its name in the version's folder. A version that lacks one of them, or has
            another in its place, is not the same; what a version has beyond them does not count.
    """
    for stored in sorted(_stored(store, name), key=lambda stored: stored.version, reverse=True):
        with contextlib.suppress(OSError, EdgedError):
            files = model_files(stored.path)
            if sha256_of(files.onnx) == digest and all(
                _same(_belonging(stored.path, member), content) for member, content in belongings.items()
            ):
                return stored
    return None


def next_version(store: Path, name: str) -> int:
    """One more than any number that was ever given, also to versions that were rejected."""
    taken = [stored.version for stored in _stored(store, name)]
    with contextlib.suppress(OSError):
        for child in (store / name).iterdir():
            number = re.fullmatch(r"(\d{1,9})(\.rejected\.json)?", child.name)
            taken += [int(number[1])] if number else []
    return max(taken, default=0) + 1


def _stored(store: Path, name: str) -> Iterator[StoredModel]:
    if (store / f"{name}.onnx").is_file():
        yield StoredModel(store / f"{name}.onnx", 1)
    with contextlib.suppress(OSError):
        for child in (store / name).iterdir():
            if re.fullmatch(r"[1-9]\d{0,8}", child.name) and child.is_dir():
                yield StoredModel(child, int(child.name))


def _belonging(version: Path, member: str) -> Path:
    """Where a version has what is called so in a folder; beside a single file it is called after that."""
    if version.is_dir():
        return version / member
    return version.with_name(
        {"model.toml": f"{version.stem}.toml", "labels.txt": f"{version.stem}.labels.txt"}.get(member, member)
    )


def _same(path: Path, content: Path | bytes) -> bool:
    if isinstance(content, bytes):
        return path.read_bytes() == content
    return filecmp.cmp(path, content, shallow=False)


def _flush_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            flush_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
