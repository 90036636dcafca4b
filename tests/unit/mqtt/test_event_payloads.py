"""The message about an event, and its shape."""

import json
from dataclasses import replace

import jsonschema
import pytest

from edged.event import Change, Event, Moment, View
from edged.mqtt.event_payloads import ended, event_message
from edged.mqtt.payloads import ModelInfo
from edged.mqtt.schemas import FOLDER
from edged.mqtt.shapes.event import EventMessage

ID, MESSAGE = "01M828D3H278EQA6TS5WPV8E67", "01M828D3H278EQA6TS5WPV8E68"
MODEL = ModelInfo("vehicles", 3, "sha256:" + "ab" * 32, "openvino:CPU")
FIRST = Moment(1.0, 1795359600.1, 10, 1920, 1080)
NOW = Moment(3.0, 1795359602.1, 30, 1920, 1080)
VIEW = View(NOW, (412.004, 220.5, 640.0, 371.0), 0.91239)
EVENT = Event(
    kind="update",
    id=ID,
    track_id=17,
    label="car",
    seen=VIEW,
    first=FIRST,
    best=replace(VIEW, moment=FIRST, score=0.95),
    best_score=0.95,
    zones=("yard",),
    zones_ever=("street", "yard"),
    loitering=(),
    stationary=False,
    path=((100.0, 371.0), (526.0, 371.0)),
    changes=(Change("entered", "yard"), Change("crossed", "gate", "in"), Change("picture")),
)


def said(event: Event) -> dict:
    payload = event_message(
        event, message_id=MESSAGE, device="gate-7", camera="front", at_s=1795359602.1, model=MODEL
    )
    message = json.loads(payload)
    jsonschema.validate(message, json.loads((FOLDER / "event-1.json").read_text(encoding="utf-8")))
    return message


def test_an_update_says_what_happened_and_what_is_known():
    message = said(EVENT)
    assert message["changes"] == [
        {"what": "entered", "zone": "yard"},
        {"what": "crossed", "line": "gate", "direction": "in"},
        {"what": "picture"},
    ]
    assert (message["id"], message["message_id"], message["type"]) == (ID, MESSAGE, "update")
    assert message["box"] == [412.0, 220.5, 640.0, 371.0]
    assert (message["score"], message["best_score"]) == (0.9124, 0.95)
    assert message["best"]["sequence"] == 10
    assert message["first_seen"] == "2026-11-22T15:00:00.100000Z"
    assert message["last_seen"] == message["at"] == "2026-11-22T15:00:02.100000Z"
    assert "reason" not in message


@pytest.mark.parametrize("changes", [{"kind": "start", "changes": ()}, {"kind": "end", "reason": "left"}])
def test_what_is_built_by_hand_is_what_the_shape_would_send(changes):
    message = said(replace(EVENT, **changes))
    assert json.loads(EventMessage.model_validate(message).payload()) == message


def test_the_end_of_an_object_can_be_made_of_its_last_message():
    last = event_message(
        EVENT, message_id=MESSAGE, device="gate-7", camera="front", at_s=1795359602.1, model=MODEL
    )
    end = json.loads(ended(last, "restart", message_id=MESSAGE[:-1] + "9", at_s=1795359700.0))
    jsonschema.validate(end, json.loads((FOLDER / "event-1.json").read_text(encoding="utf-8")))
    assert (end["id"], end["type"], end["reason"], end["changes"]) == (ID, "end", "restart", [])
    assert (end["zones"], end["last_seen"]) == (["yard"], "2026-11-22T15:00:02.100000Z")
    assert end["at"] == "2026-11-22T15:01:40.000000Z"


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"schema":"edged.gap/1"}'])
def test_of_another_message_no_end_is_made(payload):
    with pytest.raises(ValueError, match=r"event|Expecting"):
        ended(payload, "restart", message_id=MESSAGE, at_s=0.0)
