"""What the store holds of a model: which versions by their digests, and which of them were rejected here."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from edged.modelstore.digests import onnx_digest
from edged.modelstore.records import REJECTED, read_rejection
from edged.modelstore.survey import Mark, stand
from edged.updates.choosing import Holding

MAX_ENTRIES = 10_000
"""Of a model's folder, that are looked at."""
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


class Holdings:
    """Reads it, each file once. Owned by one thread."""

    def __init__(self, store: Path) -> None:
        """Nothing is read yet.

        Args:
            store: The folder of models.
        """
        self._store = store
        self._digests: dict[Path, tuple[tuple[Mark, ...], str]] = {}

    def is_single_file(self, name: str) -> bool:
        """Whether a model is one file beside the folders: it has no versions that a download could join."""
        with contextlib.suppress(OSError):
            return (self._store / f"{name}.onnx").is_file() and not (self._store / name).is_dir()
        return False

    def is_empty(self, name: str) -> bool:
        """Whether there is nothing of a model."""
        return not any(self._versions(self._store / name)) and not self.is_single_file(name)

    def look(self, name: str) -> Holding:
        """What there is of a model."""
        folder = self._store / name
        digests = {number: self._digest(path, number) for number, path in self._versions(folder)}
        rejections = [one for number in self._rejected(folder) if (one := read_rejection(folder, number))]
        return Holding(
            digests=digests,
            rejected=tuple(one for one in rejections if one.digest),
            unfit={
                one.version
                for one in rejections
                if one.version in digests and one.digest in {"", digests[one.version]}
            },
        )

    def files(self, name: str) -> dict[str, Path]:
        """The ``model.onnx`` of each version, by its digest."""
        found: dict[str, Path] = {}
        for number, path in self._versions(self._store / name):
            onnx = path / "model.onnx"
            if onnx.is_file() and (digest := self._digest(path, number)):
                found[digest] = onnx
        return found

    def _versions(self, folder: Path) -> Iterator[tuple[int, Path]]:
        """Whatever has the name of a version, empty folders aside."""
        for path in self._entries(folder):
            if _VERSION.fullmatch(path.name) and not _is_empty(path):
                yield int(path.name), path

    def _rejected(self, folder: Path) -> Iterator[int]:
        for path in self._entries(folder):
            number = path.name.removesuffix(REJECTED)
            if number != path.name and _VERSION.fullmatch(number):
                yield int(number)

    def _entries(self, folder: Path) -> list[Path]:
        with contextlib.suppress(OSError):
            return [path for path, _ in zip(folder.iterdir(), range(MAX_ENTRIES), strict=False)]
        return []

    def _digest(self, path: Path, number: int) -> str:
        standing = stand(path, number) if path.is_dir() else None
        if standing is None:
            return ""
        known = self._digests.get(path)
        if known is None or known[0] != standing.marks:
            known = self._digests[path] = (standing.marks, onnx_digest(standing.path))
        return known[1]


def _is_empty(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.is_dir() and not any(path.iterdir())
    return False
