import json
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from edged.detection import Detections
from edged.frame import Frame, PixelLayout
from edged.mqtt.payloads import ModelInfo
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.pipeline import Result
from edged.publisher import Publisher, Sender, Sight
from edged.sections import CameraSettings

SCHEMA = json.loads((Path(__file__).parents[3] / "edged/schema/detections-1.json").read_text())
INFO = ModelInfo("vehicles", 3, "sha256:" + "ab" * 32, "openvino:CPU")


class Model:
    """What a publisher needs of a description."""

    labels = ("cat", "dog")


def seen(*class_ids: int, sequence: int = 0) -> Result:
    count = len(class_ids)
    boxes = np.tile(np.array([[1, 2, 30, 40]], np.float32), (count, 1))
    found = Detections(boxes, np.full(count, 0.5, np.float32), np.array(class_ids, np.int32))
    frame = Frame("front", sequence, 1_800_000_000.5, time.monotonic() - 1, 64, 48, PixelLayout.BGR, ())
    return Result(frame, Model(), 1, found, 1.0, 2.0, 3.0, 4.0)  # type: ignore[arg-type]


@pytest.fixture
def outbox():
    return MemoryOutbox(10**6, 3600)


@pytest.fixture
def publisher(outbox):
    return Publisher(Sender(Topics("edged", "gate-7"), qos=1), outbox)


def camera(publish: str) -> Callable[[], CameraSettings]:
    section = CameraSettings(url="rtsp://cam", models=("vehicles",), publish=publish)
    return lambda: section


def plain(result: Result, _info: ModelInfo) -> Sight:
    """All of it, and nothing is followed."""
    return Sight(result)


CAT, DOG = 0, 1


@pytest.mark.parametrize(
    ("publish", "sent"),
    [("every", [0, 1, 2, 3, 4, 5, 6]), ("found", [1, 2, 3, 4, 6]), ("changed", [0, 1, 3, 5, 6])],
)
def test_a_camera_is_published_as_often_as_it_says(publisher, outbox, publish, sent):
    emit = publisher.emitter("front", camera(publish), lambda _: INFO, plain)
    pictures = [(), (CAT,), (CAT,), (CAT, DOG), (DOG, CAT), (), (CAT, CAT)]
    for sequence, class_ids in enumerate(pictures):
        emit(seen(*class_ids, sequence=sequence))
    assert [json.loads(entry.payload)["sequence"] for entry in outbox.after(0, 100)] == sent


def test_what_changed_at_one_camera_is_no_change_at_another(publisher, outbox):
    front = publisher.emitter("front", camera("changed"), lambda _: INFO, plain)
    back = publisher.emitter("back", camera("changed"), lambda _: INFO, plain)
    for emit in (front, back, front, back):
        emit(seen(CAT))
    assert [entry.topic for entry in outbox.after(0, 100)] == [
        "edged/gate-7/camera/front/detections",
        "edged/gate-7/camera/back/detections",
    ]


def test_a_message_keeps_to_its_schema_and_says_what_was_seen(publisher, outbox):
    publisher.emitter("front", camera("every"), lambda _: INFO, plain)(seen(DOG, 7, sequence=12))
    (entry,) = outbox.after(0, 100)
    message = json.loads(entry.payload)
    jsonschema.validate(message, SCHEMA)
    assert entry.qos == 1
    assert (message["source"], message["sequence"], message["device"]) == ("front", 12, "gate-7")
    assert message["captured_at"] == "2027-01-15T08:00:00.500000Z"
    assert message["model"]["version"] == 3
    assert [found["label"] for found in message["detections"]] == ["dog", "7"]
    timing = message["timing_ms"]
    assert (timing["queue"], timing["preprocess"], timing["inference"], timing["decode"]) == (1, 2, 3, 4)
    assert 1000 <= timing["age"] < 10_000


def test_no_two_messages_have_one_id(publisher, outbox):
    emit = publisher.emitter("front", camera("every"), lambda _: INFO, plain)
    for _ in range(100):
        emit(seen(CAT))
    assert len({json.loads(entry.payload)["id"] for entry in outbox.after(0, 200)}) == 100


def test_after_a_change_of_the_device_results_go_out_under_its_new_name(publisher, outbox):
    emit = publisher.emitter("front", camera("every"), lambda _: INFO, plain)
    publisher.redirect(Sender(Topics("site", "dock-1"), qos=0))
    emit(seen(CAT))
    (entry,) = outbox.after(0, 100)
    assert (entry.topic, entry.qos) == ("site/dock-1/camera/front/detections", 0)
    assert json.loads(entry.payload)["device"] == "dock-1"


def test_with_publish_events_only_frames_with_one_are_sent(publisher, outbox):
    events = iter([0, 2, 0, 1])
    emit = publisher.emitter(
        "front", camera("events"), lambda _: INFO, lambda result, _: Sight(result, events=next(events))
    )
    assert [emit(seen(CAT, sequence=sequence)) for sequence in range(4)] == [False, True, False, True]
    assert [json.loads(entry.payload)["sequence"] for entry in outbox.after(0, 100)] == [1, 3]


def test_the_publish_of_a_camera_may_change_while_it_works(publisher, outbox):
    sections = iter([camera("found")(), camera("every")()])
    emit = publisher.emitter("front", lambda: next(sections), lambda _: INFO, plain)
    assert [emit(seen()), emit(seen())] == [False, True]


def test_a_message_has_the_track_and_the_zones_of_each_detection(publisher, outbox):
    def look(result: Result, _info: ModelInfo) -> Sight:
        return Sight(result, track_ids=[17, 0], zones=[("yard", "gate"), ()])

    publisher.emitter("front", camera("every"), lambda _: INFO, look)(seen(CAT, DOG))
    (entry,) = outbox.after(0, 100)
    message = json.loads(entry.payload)
    jsonschema.validate(message, SCHEMA)
    cat, dog = message["detections"]
    assert (cat["track_id"], cat["zones"]) == (17, ["yard", "gate"])
    assert ("track_id" in dog, dog["zones"]) == (False, [])


def test_what_may_not_be_sent_is_withheld_and_a_change_is_told_when_it_may(publisher, outbox):
    allowed = iter([True, False, True, True])
    emit = publisher.emitter("front", camera("changed"), lambda _: INFO, plain, lambda: next(allowed))
    said = [emit(seen(*found, sequence=at)) for at, found in enumerate([(CAT,), (DOG,), (DOG,), (DOG,), ()])]
    assert said == [True, False, True, False, True]
    assert len(outbox) == 3
