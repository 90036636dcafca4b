"""What comes with edged: models that have a name, golden inputs of some, the video of the demo, the service's files.

An installed wheel holds them in ``edged/bundled``; in a source checkout they lie beside the package.
"""

from pathlib import Path

from edged.errors import InputNotFound, NotAllowed

PACKAGE = Path(__file__).parent


def model_names() -> list[str]:
    """The bundled models, sorted; [] where this installation has none."""
    return sorted({file.parents[1].name for file in _home().glob("models/*/*/model.onnx")})


def model(name: str) -> Path:
    """The folder of a bundled model's versions.

    Raises:
        InputNotFound: This installation does not have it.
    """
    if name not in model_names():
        raise InputNotFound(f"bundled model {name}", f"is not in {_home()}", "install edged again")
    return _home() / "models" / name


def golden(name: str, label: str) -> Path:
    """The rows that a bundled sensor model of version 1 is tested with before it serves.

    Args:
        name: Of the model.
        label: What it says of them.

    Raises:
        InputNotFound: This installation does not have them.
    """
    rows = model(name) / "1" / "golden" / f"{label}.csv"
    if not rows.is_file():
        raise InputNotFound(str(rows), "rows of a bundled model are missing", "install edged again")
    return rows


def demo_video() -> Path:
    """The video of the demo.

    Raises:
        InputNotFound: This installation does not have it.
    """
    video = _home() / "demo" / "conveyor.mp4"
    if not video.is_file():
        raise InputNotFound(str(video), "the video of the demo is missing", "install edged again")
    return video


def service_file(name: str) -> str:
    """The text of a file of the service.

    Args:
        name: Below `systemd/`, such as ``edged.service`` or ``drop-ins/serial.conf``.

    Raises:
        InputNotFound: This installation does not have it.
    """
    return _text(_home() / "systemd" / name)


def sample_configuration() -> str:
    """The text of the sample with the usual keys.

    Raises:
        InputNotFound: This installation does not have it.
    """
    return _text(_home() / "configs" / "edged.toml")


def model_path(path: Path) -> Path:
    """What a person means by a model: a path that is there, else the bundled model of that name.

    Raises:
        InputNotFound: Neither.
        NotAllowed: A folder on the way to it may not be searched.
    """
    try:
        if path.exists():
            return path
    except PermissionError as error:
        remedy = "check the permissions of its folders"
        raise NotAllowed(str(path), "may not be looked up by this user", remedy) from error
    names = model_names()
    if str(path) in names:
        return model(str(path))
    bundled = f", or a bundled model: {', '.join(names)}" if names else ""
    raise InputNotFound(str(path), "no such model", f"name an .onnx file or a folder that holds one{bundled}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise InputNotFound(str(path), problem, "install edged again") from error


def _home() -> Path:
    installed = PACKAGE / "bundled"
    return installed if installed.is_dir() else PACKAGE.parent
