"""The folder of a repository: its metadata read, checked from the trusted root on, and written whole.

What is signed here was verified here first. Expiry is not looked at: what has run out is what one comes to renew;
`edged.repository.audit` looks as a box does.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from edged.errors import BadInput, CannotWrite, InputNotFound, NotAllowed
from edged.files import write_whole
from edged.repository.terms import ROOT, SNAPSHOT, TARGETS, TIMESTAMP

MAX_METADATA_BYTES = 16 * 1024**2
KEPT = 10
"""Old versions of snapshot and targets that stay: a box may be between two requests."""
_NUMBERED = re.compile(r"([1-9][0-9]{0,8})\.(root|snapshot|targets)\.json")


@dataclass(slots=True)
class Current:
    """What the repository says now, every signature checked."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]


class Tree:
    """One repository's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metadata = folder / "metadata"
        self.targets = folder / "targets"

    def begun(self) -> bool:
        """Whether `init` came to its end here."""
        return (self.metadata / "timestamp.json").is_file()

    def current(self, trusted: bytes | None = None) -> Current:
        """What the repository says now.

        Args:
            trusted: A root that is known to be ours; None: the folder's first one.

        Raises:
            InputNotFound: There is no repository here.
            BadInput: A file is broken, or was not signed by who should have.
        """
        if not self.begun():
            raise InputNotFound(
                str(self.folder), "holds no repository", f"`edged publish init {self.folder}` makes one"
            )
        root = self._root(trusted)
        with self._checked("timestamp.json"):
            timestamp = Metadata[Timestamp].from_bytes(self._read("timestamp.json"))
            root.signed.verify_delegate(TIMESTAMP, timestamp.signed_bytes, timestamp.signatures)
        name = f"{timestamp.signed.snapshot_meta.version}.snapshot.json"
        with self._checked(name):
            timestamp.signed.snapshot_meta.verify_length_and_hashes(content := self._read(name))
            snapshot = Metadata[Snapshot].from_bytes(content)
            root.signed.verify_delegate(SNAPSHOT, snapshot.signed_bytes, snapshot.signatures)
        meta = snapshot.signed.meta["targets.json"]
        name = f"{meta.version}.targets.json"
        with self._checked(name):
            meta.verify_length_and_hashes(content := self._read(name))
            targets = Metadata[Targets].from_bytes(content)
            root.signed.verify_delegate(TARGETS, targets.signed_bytes, targets.signatures)
        return Current(root, targets, snapshot, timestamp)

    def write(self, metadata: Metadata[Any]) -> bytes:
        """Write signed metadata under its name; its bytes.

        Raises:
            CannotWrite, NotAllowed: The disk.
        """
        content = metadata.to_bytes(JSONSerializer(compact=True))
        signed = metadata.signed
        name = "timestamp.json" if signed.type == TIMESTAMP else f"{signed.version}.{signed.type}.json"
        with writing(self.metadata / name):
            write_whole(self.metadata / name, content)
        return content

    def publish(self, now: Current, root: Metadata[Root] | None = None) -> None:
        """Write what was signed: first what is named, then what names it; the root before all, where it is new."""
        if root is not None:
            self.write(root)
        for metadata in (now.targets, now.snapshot, now.timestamp):
            self.write(metadata)

    def target_file(self, target: TargetFile) -> Path:
        """Where a target lies; clients ask for it by the same name."""
        folder, _, name = target.path.rpartition("/")
        return self.targets / folder / f"{target.hashes['sha256']}.{name}"

    def prune(self, now: Current) -> None:
        """Remove what no signed metadata names any more; what cannot be removed stays and does no harm."""
        named = {self.target_file(target) for target in now.targets.signed.targets.values()}
        with contextlib.suppress(OSError):
            for file in [*self.targets.rglob("*")]:
                if file.is_file() and file not in named:
                    file.unlink()
            for file in [*self.metadata.iterdir()]:
                match = _NUMBERED.fullmatch(file.name)
                if not match or match[2] == ROOT:
                    continue
                newest = (now.snapshot if match[2] == SNAPSHOT else now.targets).signed.version
                if int(match[1]) <= newest - KEPT:
                    file.unlink()

    def roots(self) -> list[int]:
        """Versions of the root, ascending."""
        found = [_NUMBERED.fullmatch(file.name) for file in self.metadata.iterdir()]
        return sorted(int(match[1]) for match in found if match and match[2] == ROOT)

    def root_bytes(self, version: int) -> bytes:
        """A root as it lies there."""
        return self._read(f"{version}.root.json")

    def _root(self, trusted: bytes | None) -> Metadata[Root]:
        """The newest root, each one signed by who the one before it names."""
        with self._checked("1.root.json" if trusted is None else "the trusted root"):
            root = Metadata[Root].from_bytes(trusted if trusted is not None else self.root_bytes(1))
            root.signed.verify_delegate(ROOT, root.signed_bytes, root.signatures)
        for version in self.roots():
            if version <= root.signed.version:
                continue
            with self._checked(name := f"{version}.root.json"):
                new = Metadata[Root].from_bytes(self._read(name))
                result = new.signed.get_root_verification_result(
                    root.signed, new.signed_bytes, new.signatures
                )
                if not result.verified:
                    raise RepositoryError("too few signatures")
                root = new
        return root

    def _read(self, name: str) -> bytes:
        path = self.metadata / name
        try:
            with path.open("rb") as file:
                content = file.read(MAX_METADATA_BYTES + 1)
        except OSError as error:
            raise InputNotFound(
                str(path), f"cannot be read ({error.strerror})", "restore it from where it is served"
            ) from error
        if len(content) > MAX_METADATA_BYTES:
            raise BadInput(str(path), f"has more than {MAX_METADATA_BYTES:,} bytes", "it is none of ours")
        return content

    @contextlib.contextmanager
    def _checked(self, name: str) -> Iterator[None]:
        try:
            yield
        except (RepositoryError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                str(self.metadata / name),
                f"is not what the trusted root vouches for ({error})",
                "do not publish from here; restore the folder from a copy that verifies",
            ) from error


def meta_of(metadata: Metadata[Any]) -> MetaFile:
    """How one file of metadata is named by the next."""
    content = metadata.to_bytes(JSONSerializer(compact=True))
    return MetaFile.from_data(metadata.signed.version, content, ["sha256"])


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Explains what keeps a file from being written."""
    try:
        yield
    except PermissionError as error:
        raise NotAllowed(str(path), "may not be written by this user", "check the permissions") from error
    except OSError as error:
        raise CannotWrite(
            str(path), f"cannot be written ({error.strerror or error})", "check the disk"
        ) from error
