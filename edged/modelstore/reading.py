"""The folder of models: which file a name means.

    <store>/<name>/<version>/model.onnx     versions are whole numbers, the greatest is served
    <store>/<name>/pinned                   a version number that is served instead
    <store>/<name>.onnx                     a single file is version 1

Names that begin with a dot are staging and not looked at.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from edged.errors import ConfigurationError, InputNotFound


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One version of a model.

    Attributes:
        path: Its file or folder.
        version: 1 for a single file.
    """

    path: Path
    version: int


def find_in_store(store: Path, name: str) -> StoredModel:
    """The version of a model that the store says to serve.

    Raises:
        ConfigurationError: The store has no such model.
    """
    if (store / name).is_dir():
        return find_at(store / name)
    if (store / f"{name}.onnx").is_file():
        return StoredModel(store / f"{name}.onnx", 1)
    raise not_in_store(store, name)


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
    versions = _versions(path) if path.is_dir() else {}
    if not versions:
        return StoredModel(path, int(path.name) if path.is_dir() and path.name.isdecimal() else 1)
    version = _pinned(path) or max(versions)
    if version not in versions:
        raise ConfigurationError(
            str(path / "pinned"),
            f"names version {version}, which is not there",
            f"there are {sorted(versions)}",
        )
    return StoredModel(versions[version], version)


def _versions(folder: Path) -> dict[int, Path]:
    return {
        int(child.name): child
        for child in folder.iterdir()
        if child.name.isdecimal() and int(child.name) > 0 and child.is_dir() and any(child.glob("*.onnx"))
    }


def _pinned(folder: Path) -> int | None:
    try:
        number = int((folder / "pinned").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return max(0, number) or None


def _names(store: Path) -> list[str]:
    if not store.is_dir():
        return []
    return [child.name.removesuffix(".onnx") for child in store.iterdir() if not child.name.startswith(".")]
