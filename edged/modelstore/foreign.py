"""What other tools' files say of the model that lies with them, put as edged's own files would say it.

* Azure Custom Vision, ``model.onnx``, ``labels.txt``, ``cvexport.manifest``: the task, and labels called otherwise
* Azure AutoML for images, ``model.onnx``, ``labels.json``: the labels
* NVIDIA Triton, ``NAME/1/model.onnx``, ``NAME/config.pbtxt``, ``NAME/LABELS``: the labels that the configuration names
* OpenVINO Model Server, ``NAME/1/ANY.onnx``: which version is the greatest (in `finding`)
* MLflow, ``MLmodel``, ``model.onnx`` and its weights: which file is the model

None of these files is trusted: they are read up to a bound, and a name in them never leads out of the folder.

Sources: ``cvexport.manifest`` of published exports; Microsoft's "Make predictions with ONNX on computer vision models
from AutoML" (``labels.json`` is a list, the class number counts from 0); "Model Repository" and "Model
Configuration" of Triton; "Model Repository" of OpenVINO Model Server; ``mlflow/onnx/__init__.py`` and "MLflow Models".
"""

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar

from edged.errors import ModelRejected

MAX_BYTES = 4 * 1024**2
"""Of one such file."""

_VERSION = re.compile(r"[1-9]\d{0,8}")
_TASKS = {"classification": "classify", "objectdetection": "detect"}

AnyPath = TypeVar("AnyPath", bound=PurePath)


def version_of(model: PurePath) -> int | None:
    """The number of the version folder that a model lies in; None where it lies in none.

    Triton also has a folder ``model.onnx`` in it, with ``model.onnx`` and its weights.
    """
    folder = _own_folder(model)
    return int(folder.name) if _VERSION.fullmatch(folder.name) else None


def home_of(model: AnyPath) -> AnyPath | None:
    """The folder of all versions of a model, which has the model's name; None where it lies in no version folder."""
    return _own_folder(model).parent if version_of(model) is not None else None


def _own_folder(model: AnyPath) -> AnyPath:
    return model.parent.parent if model.parent.suffix == ".onnx" else model.parent


def newest_versions(models: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Those in no version folder, and of each folder of versions those of its greatest one."""
    greatest: dict[PurePosixPath, int] = {}
    for model in models:
        home, version = home_of(model), version_of(model)
        if home is not None and version is not None:
            greatest[home] = max(version, greatest.get(home, 0))
    return [
        model for model in models if (home := home_of(model)) is None or version_of(model) == greatest[home]
    ]


def mlflow_model(folder: Path, names: Collection[PurePosixPath]) -> PurePosixPath | None:
    """The ONNX file that the one ``MLmodel`` of a folder names; None where there is none that names one.

    Args:
        folder: Looked through.
        names: Of all files in it.
    """
    found = set()
    for name in names:
        if name.name == "MLmodel":
            data = mlflow_data(_read(folder / name))
            if data and name.parent / data in names:
                found.add(name.parent / data)
    return found.pop() if len(found) == 1 else None


def mlflow_data(text: str) -> str | None:
    """``flavors.onnx.data`` of an ``MLmodel``: YAML, of which only nested keys with plain values are understood."""
    place: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = re.match(r"( *)([\w.-]+):(?: +(.*))?$", line.split(" #")[0].rstrip())
        if not match:
            continue
        depth = len(match[1])
        while place and place[-1][0] >= depth:
            place.pop()
        place.append((depth, match[2]))
        if [key for _, key in place] == ["flavors", "onnx", "data"]:
            return (match[3] or "").strip("\"' ") or None
    return None


def told_by_others(onnx: Path, subject: str) -> dict[str, bytes]:
    """What the files around a model say of it: contents of ``model.toml`` and ``labels.txt``, or less.

    Args:
        onnx: The model, alone in its folder or called ``model.onnx``.
        subject: What the user named, for errors.

    Raises:
        ModelRejected: One of them is broken.
    """
    found = _custom_vision(onnx.parent, subject)
    labels = found.get("labels.txt") or _automl_labels(onnx.parent, subject) or _triton_labels(onnx)
    return found | ({"labels.txt": labels} if labels else {})


def _custom_vision(folder: Path, subject: str) -> dict[str, bytes]:
    """The task from ``cvexport.manifest``; which family of detectors it is shows in the outputs."""
    path = folder / "cvexport.manifest"
    if not path.is_file():
        return {}
    manifest = _json(path, subject)
    if not isinstance(manifest, dict):
        raise _broken(subject, path, "a table of Custom Vision's")
    found: dict[str, bytes] = {}
    task = _TASKS.get(str(manifest.get("DomainType", "")).lower())
    if task:
        found["model.toml"] = f'task = "{task}"  # says cvexport.manifest\n'.encode()
    labels = _beside(folder, manifest.get("LabelFileName"))
    if labels and labels.name != "labels.txt":
        found["labels.txt"] = _read(labels).encode()
    return found


def _automl_labels(folder: Path, subject: str) -> bytes | None:
    """The list of ``labels.json``; another tool's file of that name is left alone."""
    path = folder / "labels.json"
    if not path.is_file():
        return None
    names = _json(path, subject)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return None
    return "".join(f"{' '.join(name.split())}\n" for name in names).encode()


def _triton_labels(onnx: Path) -> bytes | None:
    """The one ``label_filename`` of ``config.pbtxt``, which counts from the folder of all versions."""
    home = home_of(onnx.absolute())
    if home is None or not (home / "config.pbtxt").is_file():
        return None
    text = re.sub(r"#.*", "", _read(home / "config.pbtxt"))
    names = set(re.findall(r"\blabel_filename\s*:\s*[\"']([^\"'\n]+)[\"']", text))
    path = _beside(home, names.pop()) if len(names) == 1 else None
    return _read(path).encode() if path else None


def _beside(folder: Path, name: object) -> Path | None:
    """A file that another one names, if it lies in the folder."""
    if not isinstance(name, str) or PurePosixPath(name).name != name or "\\" in name or ":" in name:
        return None
    return folder / name if (folder / name).is_file() else None


def _json(path: Path, subject: str) -> Any:
    try:
        return json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise _broken(subject, path, "JSON") from error


def _broken(subject: str, path: Path, what: str) -> ModelRejected:
    return ModelRejected(
        subject, f"has a {path.name} that is no {what}", "export it again, or remove that file"
    )


def _read(path: Path) -> str:
    """A small text file, without what does not belong into one."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8-sig", "replace")
