"""The JSON Schemas of the payloads, as committed in ``edged/schema``.

``python -m edged.mqtt.schemas`` writes them anew; a test says when that was forgotten.
"""

import json
from pathlib import Path

from edged.mqtt.payloads import (
    CameraStateMessage,
    DetectionsMessage,
    GapMessage,
    HealthMessage,
    InfoMessage,
    ModelStateMessage,
    Shape,
)
from edged.mqtt.sensor_payloads import SensorMessage, SensorStateMessage

FOLDER = Path(__file__).parent.parent / "schema"

SHAPES: dict[str, type[Shape]] = {
    "detections-1": DetectionsMessage,
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
    title = "edged." + "/".join(name.rsplit("-", 1))
    schema = SHAPES[name].model_json_schema(by_alias=True, mode="validation")
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
