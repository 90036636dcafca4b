import json
import time
from dataclasses import replace
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
from edged.publisher import Publisher, Sender
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


def camera(publish: str) -> CameraSettings:
    return CameraSettings(url="rtsp://cam", models=("vehicles",), publish=publish)


CAT, DOG = 0, 1


@pytest.mark.parametrize(
    ("publish", "sent"),
    [("every", [0, 1, 2, 3, 4, 5, 6]), ("found", [1, 2, 3, 4, 6]), ("changed", [0, 1, 3, 5, 6])],
)
def test_a_camera_is_published_as_often_as_it_says(publisher, outbox, publish, sent):
    emit = publisher.emitter("front", camera(publish), lambda _: INFO)
    pictures = [(), (CAT,), (CAT,), (CAT, DOG), (DOG, CAT), (), (CAT, CAT)]
    for sequence, class_ids in enumerate(pictures):
        emit(seen(*class_ids, sequence=sequence))
    assert [json.loads(entry.payload)["sequence"] for entry in outbox.after(0, 100)] == sent


def test_what_changed_at_one_camera_is_no_change_at_another(publisher, outbox):
    front = publisher.emitter("front", camera("changed"), lambda _: INFO)
    back = publisher.emitter("back", camera("changed"), lambda _: INFO)
    for emit in (front, back, front, back):
        emit(seen(CAT))
    assert [entry.topic for entry in outbox.after(0, 100)] == [
        "edged/gate-7/camera/front/detections",
        "edged/gate-7/camera/back/detections",
    ]


def test_a_message_keeps_to_its_schema_and_says_what_was_seen(publisher, outbox):
    publisher.emitter("front", camera("every"), lambda _: INFO)(seen(DOG, 7, sequence=12))
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
    emit = publisher.emitter("front", camera("every"), lambda _: INFO)
    for _ in range(100):
        emit(seen(CAT))
    assert len({json.loads(entry.payload)["id"] for entry in outbox.after(0, 200)}) == 100


def test_after_a_change_of_the_device_results_go_out_under_its_new_name(publisher, outbox):
    emit = publisher.emitter("front", camera("every"), lambda _: INFO)
    publisher.redirect(Sender(Topics("site", "dock-1"), qos=0))
    emit(seen(CAT))
    (entry,) = outbox.after(0, 100)
    assert (entry.topic, entry.qos) == ("site/dock-1/camera/front/detections", 0)
    assert json.loads(entry.payload)["device"] == "dock-1"


def scored(*scores: float, sequence: int = 0) -> Result:
    count = len(scores)
    boxes = np.tile(np.array([[1, 2, 30, 40]], np.float32), (count, 1))
    found = Detections(boxes, np.array(scores, np.float32), np.zeros(count, np.int32))
    return replace(seen(sequence=sequence), detections=found)


def scores(outbox: MemoryOutbox) -> list[list[float]]:
    messages = [json.loads(entry.payload) for entry in outbox.after(0, 100)]
    return [[found["score"] for found in message["detections"]] for message in messages]


def test_only_detections_of_at_least_the_score_of_the_camera_are_kept(publisher, outbox):
    asked: list[float | None] = [None]
    emit = publisher.emitter("front", camera("every"), lambda _: INFO, lambda: asked[0])
    for score in (None, 0.0, 0.7, 1.0):
        asked[0] = score
        assert emit(scored(0.9, 0.7, 0.3))
        assert emit(scored())
    assert scores(outbox) == [[0.9, 0.7, 0.3], [], [0.9, 0.7, 0.3], [], [0.9, 0.7], [], [], []]


def test_what_is_left_out_is_neither_found_nor_a_change(publisher, outbox):
    found = publisher.emitter("front", camera("found"), lambda _: INFO, lambda: 0.5)
    changed = publisher.emitter("back", camera("changed"), lambda _: INFO, lambda: 0.5)
    assert not found(scored(0.4))
    assert changed(scored(0.6))
    assert not changed(scored(0.6, 0.4))
    assert scores(outbox) == [[0.6]]


def test_whoever_listens_hears_how_many_of_each_label_are_in_each_picture(outbox):
    heard = []
    sender = Sender(Topics("edged", "gate-7"), qos=1)
    publisher = Publisher(sender, outbox, lambda *told: heard.append(told))
    emit = publisher.emitter("front", camera("found"), lambda _: INFO)
    for classes in [(), (CAT, DOG, CAT), (7,)]:
        emit(seen(*classes))
    assert heard == [("front", "vehicles", found) for found in ({}, {"cat": 2, "dog": 1}, {"7": 1})]
