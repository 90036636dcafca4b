"""The JSON Schemas of the payloads, as committed in ``edged/schema``.

``python -m edged.mqtt.schemas`` writes them anew; a test says when that was forgotten.
"""

import json
from pathlib import Path

from edged.mqtt.sensor_payloads import SensorMessage, SensorStateMessage
from edged.mqtt.shapes.camera_state import CameraStateMessage
from edged.mqtt.shapes.detections import DetectionsMessage
from edged.mqtt.shapes.event import EventMessage
from edged.mqtt.shapes.fields import Shape
from edged.mqtt.shapes.gap import GapMessage
from edged.mqtt.shapes.health import HealthMessage
from edged.mqtt.shapes.info import InfoMessage
from edged.mqtt.shapes.model_state import ModelStateMessage

FOLDER = Path(__file__).parent.parent / "schema"

SHAPES: dict[str, type[Shape]] = {
    "detections-1": DetectionsMessage,
    "event-1": EventMessage,
    "info-1": InfoMessage,
    "sensor-1": SensorMessage,
    "camera_state-1": CameraStateMessage,
    "sensor_state-1": SensorStateMessage,
    "model_state-1": ModelStateMessage,
    "health-1": HealthMessage,
    "gap-1": GapMessage,
}


def schema_text(name: str) -> str:
    """The schema of one payload as it stands in its file.

    Args:
        name: A key of ``SHAPES``: the schema's name without ``edged.``, its version after a dash.
    """
    return text_of(SHAPES[name])


def text_of(shape: type[Shape]) -> str:
    """The schema of one shape as it stands in its file; it is named as the shape names itself."""
    title = shape.model_fields["schema_"].default
    schema = shape.model_json_schema(by_alias=True, mode="validation")
    # The builders fill ``schema`` in by themselves; on the wire it is never missing.
    schema["required"] = ["schema", *schema["required"]]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
    return json.dumps(head, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path = FOLDER) -> None:
    """Write every schema into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SHAPES:
        (folder / f"{name}.json").write_text(schema_text(name), encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
