"""How a model that a command was given is called in messages: by its file, or by its folder in a store."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.mqtt.payloads import ModelInfo
    from edged.worker.description import ModelDescription


def model_info(description: "ModelDescription") -> "ModelInfo":
    """Name and version of a loaded model: ``vehicles/3/model.onnx`` is version 3 of ``vehicles``."""
    from edged.mqtt.payloads import ModelInfo

    path = Path(description.path)
    stored = path.parent.name.isdecimal()
    name = path.parent.parent.name if stored else path.stem
    version = int(path.parent.name) if stored else 1
    return ModelInfo(name, max(1, version), description.digest, description.provider)
