"""What a command was given is called in messages: a model by its file or its folder in a store, an input as it is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.mqtt.payloads import ModelInfo
    from edged.worker.description import ModelDescription


def utf8_name(name: str) -> str:
    r"""The name of a file as messages have it: what is not UTF-8 in it is escaped.

    >>> utf8_name("gate\udcff.jpg")
    'gate\\xff.jpg'
    """
    return os.fsencode(name).decode(errors="backslashreplace")


def model_info(description: "ModelDescription") -> "ModelInfo":
    """Name and version of a loaded model: ``vehicles/3/model.onnx`` is version 3 of ``vehicles``."""
    from edged.mqtt.payloads import ModelInfo

    path = Path(description.path)
    stored = path.parent.name.isdecimal()
    name = path.parent.parent.name if stored else path.stem
    version = int(path.parent.name) if stored else 1
    return ModelInfo(utf8_name(name), max(1, version), description.digest, description.provider)
