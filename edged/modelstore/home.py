"""Where one model of the configuration lives, and what stands there: a folder of versions, or a single file.

A single file has versions too: each new content is one. While a store can be written, those that were accepted are kept
in ``<store>/.kept/<name>/``, so that there is something to go back to after the file was replaced by a bad one.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path

from edged.errors import EdgedError, InputNotFound
from edged.manifest import model_files
from edged.modelstore.adding import publish
from edged.modelstore.digests import sha256_of
from edged.modelstore.finding import belongings
from edged.modelstore.reading import not_in_store
from edged.modelstore.staging import cannot_write, staging
from edged.modelstore.survey import (
    Mark,
    Standing,
    content_digest,
    is_folder_of_versions,
    stand,
    strays,
    survey,
)

KEPT = ".kept"
_NUMBER = re.compile(r"[0-9]{1,9}")


class Home:
    """One model's place. Owned by one thread."""

    def __init__(self, store: Path, name: str, path: Path | None, *, keep: bool) -> None:
        """Nothing is looked at yet.

        Args:
            store: The folder of models.
            name: Of the model.
            path: Where the configuration says it is, or None: in the store.
            keep: Whether accepted single files may be copied into the store.
        """
        self._store, self._name, self._path, self._keep = store, name, path, keep
        self._taken: tuple[tuple[Mark, ...], int] | None = None
        self._numbered = 0

    def missing(self) -> EdgedError | None:
        """Why there is nothing here, or None if there is something."""
        if self.look():
            return None
        try:
            if self._path is None:
                return not_in_store(self._store, self._name)
            problem = "holds no model" if self._path.exists() else "no such model"
        except OSError as error:
            path = str(self._path or self._store)
            return InputNotFound(path, f"cannot be read ({error.strerror or error})", "check its permissions")
        return InputNotFound(str(self._path), problem, "name an .onnx file or a folder that holds one")

    @property
    def watched(self) -> list[Path]:
        """Folders in which a change may concern this model."""
        if self._path is None:
            return [self._store]
        return [self._path.parent] if self._single() else [self._path.parent, self._path]

    @property
    def copies(self) -> bool:
        """Whether the versions that are kept are copies made here."""
        return self._single() is not None

    @property
    def records(self) -> Path | None:
        """The folder that `edged.modelstore.records` are kept in; None where there is none."""
        if self._single() is None:
            return self._path or self._store / self._name
        kept = self._store / KEPT / self._name
        return kept if os.path.isdir(kept) else None  # noqa: PTH112  # says False where Path.is_dir raises

    def look(self) -> dict[int, Standing]:
        """The versions that stand here, by number."""
        single = self._single()
        if single is None:
            return survey(self._path or self._store / self._name)
        kept = survey(self._store / KEPT / self._name)
        one = stand(single, 1)
        if one is None:
            return kept
        known = self._taken is not None and self._taken[0] == one.marks
        number = self._taken[1] if self._taken and known else self._next_number(kept)
        if number in kept:
            return kept
        return kept | {number: Standing(number, one.path, one.marks)}

    def strays(self, found: Collection[int]) -> dict[Path, str]:
        """Folders that look like versions of this model and are none of those that were found, and why."""
        return {} if self._single() else strays(self._path or self._store / self._name, found)

    def same_as_before(self, standing: Standing, content: str) -> bool:
        """Whether a single file that was touched is, once it has arrived, the newest kept version after all."""
        single = self._single()
        if single is None:
            return False
        kept = survey(self._store / KEPT / self._name)
        if standing.version in kept or not kept:
            return False
        newest = kept[max(kept)]
        same = content and content_digest(newest.path) == content
        if not same and not _same_model(newest.path, standing.path):
            return False
        self._taken = (standing.marks, newest.version)
        return True

    def accepted(self, standing: Standing, *, whole: bool) -> Path:
        """A version serves: where its files stay. A single file is copied into the store, where that can be done.

        Args:
            standing: The version.
            whole: No other file holds its weights.

        Raises:
            EdgedError: It could not be kept; it serves from where it is.
        """
        single = self._single()
        if single is None or self._kept_folder(standing.version) == standing.path:
            return standing.path
        self._taken = (standing.marks, standing.version)
        self._numbered = max(self._numbered, standing.version)
        if not (self._keep and whole and os.path.isdir(self._store)):  # noqa: PTH112
            return standing.path
        try:
            return self._copy(standing)
        except OSError as error:
            raise cannot_write(self._store / KEPT, error) from error

    def _copy(self, standing: Standing) -> Path:
        files = model_files(standing.path)
        kept = self._store / KEPT
        with staging(self._store) as folder:
            kept.mkdir(exist_ok=True)
            version = folder / "version"
            version.mkdir()
            for member, source in {
                "model.onnx": files.onnx,
                **belongings(files.onnx, str(files.onnx)),
            }.items():
                target = version / member
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            now = stand(standing.path, standing.version)
            if now is None or now.marks != standing.marks:
                problem = "was changed before it could be kept"
                raise InputNotFound(str(standing.path), problem, "leave it alone until it serves")
            stored = publish(kept, self._name, version, number=standing.version)
        return stored.path

    def _kept_folder(self, version: int) -> Path:
        return (self._store / KEPT / self._name / str(version)).resolve()

    def _single(self) -> Path | None:
        """The single file, or folder of one version, that this model is; None for a folder of versions."""
        if self._path is not None:
            is_folder = os.path.isdir(self._path)  # noqa: PTH112
            versions = is_folder and (is_folder_of_versions(self._path) or not _has_onnx(self._path))
            return None if versions else self._path
        folder, file = self._store / self._name, self._store / f"{self._name}.onnx"
        return file if os.path.isfile(file) and not os.path.isdir(folder) else None  # noqa: PTH112, PTH113

    def _next_number(self, kept: dict[int, Standing]) -> int:
        """One more than any that was accepted: a file that takes the place of a rejected one is tried under its number.

        A folder ``7`` begins with 7.
        """
        taken = [self._numbered, *kept]
        if self._path and _NUMBER.fullmatch(self._path.name) and os.path.isdir(self._path):  # noqa: PTH112
            taken.append(int(self._path.name) - 1)
        return max(taken) + 1


def _has_onnx(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(path.suffix == ".onnx" for path in folder.iterdir())
    return False


def _same_model(kept: Path, single: Path) -> bool:
    """Whether both have the same files, whatever they are called."""
    with contextlib.suppress(OSError, EdgedError):
        a, b = model_files(kept), model_files(single)
        pairs = [(a.onnx, b.onnx), (a.manifest, b.manifest), (a.labels, b.labels)]
        return all(
            (one is None and other is None) or (one and other and _same_file(one, other))
            for one, other in pairs
        )
    return False


def _same_file(one: Path, other: Path) -> bool:
    """Not by `filecmp`, which remembers files by their size and the time of the last write."""
    if not (one.is_file() and other.is_file()):  # a pipe would be waited for
        return False
    return one.stat().st_size == other.stat().st_size and sha256_of(one) == sha256_of(other)
