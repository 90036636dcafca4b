"""Adds a packed version to a repository: deltas made and tried, files put in, then what names them signed."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Signer
from tuf.api.metadata import TargetFile

from edged.files import flush_folder, write_whole
from edged.offers import Delta, Offer, delta_target
from edged.repository import release
from edged.repository.deltas import FROM_VERSIONS, WORTH, apply_delta, make_delta
from edged.repository.packing import Package, model_in
from edged.repository.signing import seal
from edged.repository.terms import TARGETS
from edged.repository.tree import Current, Tree, writing


@dataclass(frozen=True, slots=True)
class MadeDelta:
    """A delta that was tried, and whether it was worth signing."""

    from_version: int
    length: int
    published: bool


def put_version(
    tree: Tree,
    current: Current,
    package: Package,
    wish: release.Wish,
    signers: Mapping[str, Signer],
    *,
    now: datetime,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Offer, list[MadeDelta]]:
    """Publish a package as a version that is not there yet.

    Raises:
        NotAllowed, Unreachable: Keys.
        CannotWrite, NotAllowed: The disk.
    """
    targets = current.targets.signed
    version = wish.version or release.greatest(targets, wish.name) + 1
    before = [offer for offer in release.offers_of(targets) if offer.name == wish.name][-FROM_VERSIONS:]
    made, deltas, entries = [], [], []
    new = package.tar.read_bytes() if before else b""
    for old in reversed(before):
        say(f"looking for a delta from version {old.version}")
        entry, length = _delta(
            tree, targets.targets[old.target], new, delta_target(wish.name, old.version, version)
        )
        made.append(MadeDelta(old.version, length, entry is not None))
        if entry is not None:
            entries.append(entry)
            deltas.append(Delta(old.digest, entry.path))
    offer = release.offer_of(package, wish, version, deltas)
    release.put(targets, offer, entries)
    seal(current, TARGETS, signers, now)  # before a file is moved: a key may refuse
    _copy_in(package.tar, tree.target_file(targets.targets[offer.target]))
    tree.publish(current)
    tree.prune(current)
    return offer, made


def _delta(tree: Tree, old: TargetFile, new: bytes, path: str) -> tuple[TargetFile | None, int]:
    """The signed entry of a delta whose file was written, or None where it is not worth it; its length."""
    onnx = model_in(tree.target_file(old))
    delta = make_delta(onnx, new)
    if delta is None or len(delta) >= WORTH * len(new) or apply_delta(onnx, delta) != new:
        return None, len(delta or b"")
    entry = TargetFile.from_data(path, delta, ["sha256"])
    file = tree.target_file(entry)
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, delta)
    return entry, len(delta)


def _copy_in(tar: Path, file: Path) -> None:
    """Whole: what a kill leaves of it has no target's name, and is removed by the next `Tree.prune`."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.urandom(4).hex()}")
        shutil.copyfile(tar, temporary)
        with temporary.open("rb+") as copied:
            os.fsync(copied.fileno())
        temporary.replace(file)
        flush_folder(file.parent)
