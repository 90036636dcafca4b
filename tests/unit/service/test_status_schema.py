import json

import jsonschema
import pytest

from edged.mqtt.schemas import text_of
from edged.service.status import StatusMessage
from edged.service.status_schema import FILE

MOMENT = "2026-11-22T15:00:00.000000Z"
STATUS = {
    "schema": "edged.status/1",
    "device": "box",
    "version": "1.0",
    "pid": 7,
    "at": MOMENT,
    "started_at": MOMENT,
    "unhealthy": [],
    "unready": ["the broker was not reached yet"],
    "mqtt": {"broker": "mqtt://broker", "connected": False, "since": MOMENT},
    "health": {
        "schema": "edged.health/1",
        "device": "box",
        "at": MOMENT,
        "uptime_s": 1.5,
        "cpu_percent": 3,
        "memory_bytes": 1,
        "sources": [],
        "spool": {"entries": 0, "bytes": 0, "dropped": 0},
    },
    "rates_over_s": 10,
    "cameras": [],
    "sensors": [],
    "models": [],
}


def problems(document: object) -> list[str]:
    schema = json.loads(FILE.read_text(encoding="utf-8"))
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def test_the_committed_schema_is_that_of_the_shape() -> None:
    assert FILE.name == "status-1.json"
    assert FILE.read_text(encoding="utf-8") == text_of(StatusMessage), (
        "run python -m edged.service.status_schema"
    )


@pytest.mark.parametrize(
    "change", [{"schema": "edged.status/2"}, {"pid": 0}, {"at": "today"}, {"mqtt": {}}, {"cameras": None}]
)
def test_what_is_no_status_does_not_pass(change: dict[str, object]) -> None:
    assert problems(STATUS) == []
    assert problems(STATUS | change) != []
