"""Which version a path means that a command was given: the pinned one of a folder of versions, else the greatest."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from edged.errors import ConfigurationError, InputNotFound
from edged.modelstore.pins import PINNED, read_pin
from edged.modelstore.survey import version_folders


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One version of a model.

    Attributes:
        path: Its file or folder.
        version: 1 for a single file.
    """

    path: Path
    version: int


def not_in_store(store: Path, name: str) -> ConfigurationError:
    """The error of a model that the store does not have."""
    near = get_close_matches(name, _names(store), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"add the model there, or say models.{name}.path"
    return ConfigurationError(f"models.{name}", f"is not in the store {store}", hint)


def find_at(path: Path) -> StoredModel:
    """The version that a path means: a file, a version folder, or a folder of versions.

    Raises:
        InputNotFound: Nothing there.
        ConfigurationError: ``pinned`` names a version that is not there.
    """
    if not path.exists():
        raise InputNotFound(str(path), "no such model", "name an .onnx file or a folder that holds one")
    versions = dict(version_folders(path))
    if not versions:
        return StoredModel(path, int(path.name) if path.is_dir() and path.name.isdecimal() else 1)
    version = read_pin(path) or max(versions)
    if version not in versions:
        raise ConfigurationError(
            str(path / PINNED),
            f"names version {version}, which is not there",
            f"there are {sorted(versions)}",
        )
    return StoredModel(versions[version], version)


def _names(store: Path) -> list[str]:
    if not store.is_dir():
        return []
    return [child.name.removesuffix(".onnx") for child in store.iterdir() if not child.name.startswith(".")]
