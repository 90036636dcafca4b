"""The one model among the files of a folder or an archive, and what belongs to it."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from edged.errors import InputNotFound, ModelRejected
from edged.manifest import model_files
from edged.modelstore.foreign import mlflow_model, newest_versions

MAX_FILES = 10_000
MAX_GOLDEN_FILES = 1000
_SHOWN = 5


def only_model(names: Collection[PurePosixPath], subject: str) -> PurePosixPath:
    """Which of some files is the model: the one ``model.onnx``, or the one that ends in ``.onnx``.

    Of models in folders of versions (``NAME/1/model.onnx``) only those of the greatest version are looked at, and never
    at what a name with a dot or ``__MACOSX`` holds: it is what other programs leave behind.

    Raises:
        ModelRejected: None is, or several may be; they are listed.
    """
    models = sorted(name for name in names if name.suffix == ".onnx" and not _left_behind(name))
    models = newest_versions(models)
    named = [name for name in models if name.name == "model.onnx"]
    found = named or models
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelRejected(subject, "holds no .onnx file", "name a model, or what holds one")
    listed = ", ".join(map(str, found[:_SHOWN]))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise ModelRejected(subject, f"holds {len(found)} models ({listed}{more})", "add the one you want")


def model_in(folder: Path, subject: str) -> Path:
    """The model of a folder, at any depth, or the one that its ``MLmodel`` names.

    Folders that are links are not entered.

    Raises:
        ModelRejected: There is none, there are several, or there is too much to look at.
    """
    names = []
    for count, name in enumerate(_walk(folder)):
        if count >= MAX_FILES:
            raise ModelRejected(subject, f"holds more than {MAX_FILES} files", "name the folder of the model")
        names.append(name)
    return folder / (mlflow_model(folder, names) or only_model(names, subject))


def belongings(onnx: Path, subject: str) -> dict[str, Path]:
    """What comes with a model, by the name it has in the store.

    ``model.toml`` and ``labels.txt`` (or ``NAME.toml``, ``NAME.labels.txt``) as `model_files` finds them, and the
    folder ``golden`` of a model that is alone in its folder or called ``model.onnx``.

    Raises:
        ModelRejected: Too many golden files.
    """
    files = model_files(onnx)
    found = {
        name: path for name, path in (("model.toml", files.manifest), ("labels.txt", files.labels)) if path
    }
    golden = onnx.parent / "golden"
    if is_alone(onnx) and golden.is_dir():
        names = [name for name in _walk(golden) if not _left_behind(name)]
        if len(names) > MAX_GOLDEN_FILES:
            raise ModelRejected(
                subject, f"has more than {MAX_GOLDEN_FILES} golden files", "keep the telling ones"
            )
        found |= {f"golden/{name}": golden / name for name in names}
    return found


def is_alone(onnx: Path) -> bool:
    """Whether what lies beside a model can only be about it: it is the only one there, or called ``model.onnx``."""
    return onnx.name == "model.onnx" or sum(1 for _ in onnx.parent.glob("*.onnx")) == 1


def weights(folder: Path, external: Collection[str], subject: str) -> dict[str, Path]:
    """The files that hold a model's weights, by the name they keep in the store.

    Args:
        folder: Of the model.
        external: Their names, as the model has them; none leads out of the folder.
        subject: What the user named, for errors.

    Raises:
        InputNotFound: One is not there.
        ModelRejected: One is called as what else belongs to a model.
    """
    found: dict[str, Path] = {}
    for location in external:
        name = PurePosixPath(location)
        if name.parts[0] in {"model.onnx", "model.toml", "labels.txt", "golden"}:
            raise ModelRejected(
                subject, f"keeps weights in {location!r:.100}, which is something else", "export it anew"
            )
        if not (folder / name).is_file():
            raise InputNotFound(
                subject,
                f"keeps weights in {location!r:.100}, which did not come with it",
                "add the folder or an archive that holds both",
            )
        found[str(name)] = folder / name
    return found


def _left_behind(name: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.parts)


def _walk(folder: Path) -> Iterator[PurePosixPath]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            yield PurePosixPath((Path(place) / name).relative_to(folder).as_posix())
