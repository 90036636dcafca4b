"""The JSON Schema of ``GET /status``, as committed in ``edged/schema`` beside those of the payloads.

``python -m edged.service.status_schema`` writes it anew; a test says when that was forgotten.
"""

from edged.mqtt.schemas import FOLDER, text_of
from edged.service.status import SCHEMA, StatusMessage

FILE = FOLDER / f"{SCHEMA.removeprefix('edged.').replace('/', '-')}.json"


def write_schema() -> None:
    """Write it into its file."""
    FILE.write_text(text_of(StatusMessage), encoding="utf-8")


if __name__ == "__main__":
    write_schema()
