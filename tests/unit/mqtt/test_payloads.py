import json

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edged.detection import Detections
from edged.mqtt.payloads import ModelInfo, TimingMs, detections_message, marked_replayed, timestamp
from edged.mqtt.schemas import FOLDER, SHAPES, schema_text
from edged.mqtt.sensor_payloads import RejectedRowShape, SensorStateMessage
from edged.mqtt.shapes.camera_state import CameraStateMessage
from edged.mqtt.shapes.detections import DetectionsMessage
from edged.mqtt.shapes.gap import GapMessage
from edged.mqtt.shapes.health import HealthMessage, SourceHealthShape, SpoolShape
from edged.mqtt.shapes.info import InfoMessage, MachineShape, RunningShape
from edged.mqtt.shapes.model_state import CandidateShape, ModelStateMessage, RejectedShape, VersionShape

DIGEST = "sha256:" + "ab" * 32
MODEL = ModelInfo(name="vehicles", version=3, digest=DIGEST, provider="openvino:CPU")
TIMING = TimingMs(queue=1.2, preprocess=0.8, inference=11.3, decode=0.4, age=21.9)
MOMENT = timestamp(1795359600.123456)


def message(
    detections: Detections, *, width: int = 1920, height: int = 1080, labels=("person", "bicycle", "car")
):
    payload = detections_message(
        message_id="01ARYZ6S410000000000000000",
        device="gate-7",
        frame_source="front",
        sequence=1234,
        captured_at_s=1795359600.123456,
        width=width,
        height=height,
        model=MODEL,
        timing=TIMING,
        detections=detections,
        labels=labels,
    )
    return json.loads(payload)


def found(boxes, scores, classes) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int32)
    )


def validate(name: str, payload: dict) -> None:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(payload, schema, cls=jsonschema.Draft202012Validator)


def test_the_message_of_the_contract():
    said = message(found([[412.0, 220.5, 640.0, 371.0]], [0.91], [2]))
    assert said == {
        "schema": "edged.detections/1",
        "id": "01ARYZ6S410000000000000000",
        "device": "gate-7",
        "source": "front",
        "sequence": 1234,
        "captured_at": "2026-11-22T15:00:00.123456Z",
        "image": {"width": 1920, "height": 1080},
        "model": {"name": "vehicles", "version": 3, "digest": DIGEST, "provider": "openvino:CPU"},
        "timing_ms": {"queue": 1.2, "preprocess": 0.8, "inference": 11.3, "decode": 0.4, "age": 21.9},
        "detections": [{"label": "car", "class_id": 2, "score": 0.91, "box": [412.0, 220.5, 640.0, 371.0]}],
    }


def test_nothing_found_is_a_message_too():
    said = message(Detections.empty())
    assert said["detections"] == []
    validate("detections-1", said)


def test_a_class_without_a_label_is_named_by_its_number():
    said = message(found([[0, 0, 9, 9], [0, 0, 9, 9]], [0.5, 0.4], [2, 3]), labels=("a", "b"))
    assert [detection["label"] for detection in said["detections"]] == ["2", "3"]


@settings(deadline=None)  # the first example loads what checks schemas
@given(
    arrays(np.float32, (4, 4), elements=st.floats(width=32)),
    arrays(np.float32, (4,), elements=st.floats(width=32)),
    st.integers(1, 4000),
    st.integers(1, 4000),
)
def test_every_box_is_inside_the_frame_with_an_area_and_the_schema_holds(xyxy, score, width, height):
    said = message(Detections(xyxy, score, np.arange(4, dtype=np.int32)), width=width, height=height)
    validate("detections-1", said)
    for detection in said["detections"]:
        x1, y1, x2, y2 = detection["box"]
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height


def test_a_box_that_rounds_to_a_line_is_left_out():
    assert message(found([[10.001, 5, 10.004, 9]], [0.5], [0]))["detections"] == []


def test_the_fast_message_is_what_the_model_would_have_said():
    said = message(found([[1, 2, 3, 4], [5, 6, 7.129, 8]], [0.98765432, 0.5], [0, 1]))
    built = DetectionsMessage.model_validate(said)
    assert json.loads(built.payload()) == said


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=4))
def test_a_replayed_message_is_the_same_but_says_so(fields):
    marked = json.loads(marked_replayed(json.dumps(fields).encode() + b"\n"))
    assert marked == fields | {"replayed": True}


@pytest.mark.parametrize("payload", [b"", b"online", b"[1]", b"\xff\xd8"])
def test_what_is_no_object_is_not_marked(payload):
    assert marked_replayed(payload) == payload


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1.5, "1970-01-01T00:00:01.500000Z"),
        (-9e9, "1970-01-01T00:00:00.000000Z"),
    ],
)
def test_moments_are_utc_with_microseconds(seconds, text):
    assert timestamp(seconds) == text
    assert timestamp(1e15).startswith("9999-12-31T")


EXAMPLES = {
    "info-1": InfoMessage(
        device="gate-7",
        version="0.1.0",
        machine=MachineShape(architecture="x86_64", cores=4, cpu="N100", memory_bytes=8 << 30),
        providers=("openvino:CPU", "cpu"),
        cameras=("front",),
        models={
            "vehicles": RunningShape(
                version=3, digest=DIGEST, family="yolox", provider="openvino:CPU", provider_asked=("auto",)
            )
        },
        started_at=MOMENT,
    ),
    "camera_state-1": CameraStateMessage(
        device="gate-7", camera="front", state="online", width=1920, height=1080, fps=25.0, since=MOMENT
    ),
    "model_state-1": ModelStateMessage(
        device="gate-7",
        model="vehicles",
        active=VersionShape(version=3, digest=DIGEST),
        previous=VersionShape(version=2, digest=DIGEST),
        candidate=CandidateShape(version=4, digest=DIGEST, step="warm-up"),
        rejected=(RejectedShape(version=1, reason="no detector", at=MOMENT),),
        provider_asked=("openvino", "cpu"),
        provider="openvino:CPU",
        since=MOMENT,
    ),
    "health-1": HealthMessage(
        device="gate-7",
        at=MOMENT,
        uptime_s=60.0,
        cpu_percent=120.5,
        memory_bytes=1 << 28,
        sources=(
            SourceHealthShape(
                name="front", captured_per_s=25.0, published_per_s=24.9, dropped={"stale": 1, "full": 3}
            ),
        ),
        spool=SpoolShape(entries=0, bytes=0, dropped=0),
        errors=("front: no answer in time",),
    ),
    "sensor_state-1": SensorStateMessage(
        device="gate-7",
        sensor="pump",
        state="online",
        since=MOMENT,
        rows=23040,
        rejected=1,
        last_rejected=RejectedRowShape(line=17, reason="x is 'n/a', not a number", text="n/a", at=MOMENT),
        dropped={"full": 3},
        alarm=True,
    ),
    "gap-1": GapMessage(
        id="01ARYZ6S410000000000000000",
        device="gate-7",
        at=MOMENT,
        topic="edged/gate-7/camera/front/detections",
        reason="full",
        count=12,
        first_id="01ARYZ6S410000000000000001",
        last_id="01ARYZ6S41000000000000000C",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_real_payloads_keep_to_their_schema(name):
    payload = json.loads(EXAMPLES[name].payload())
    validate(name, payload)
    assert payload["schema"] == "edged." + "/".join(name.rsplit("-", 1))


def test_an_offline_camera_says_why_and_no_resolution():
    state = CameraStateMessage(
        device="d", camera="front", state="offline", why="no answer in time", since=MOMENT
    )
    assert json.loads(state.payload()) == {
        "schema": "edged.camera_state/1",
        "device": "d",
        "camera": "front",
        "state": "offline",
        "why": "no answer in time",
        "since": MOMENT,
    }


@pytest.mark.parametrize("name", SHAPES)
def test_the_committed_schemas_are_up_to_date(name):
    committed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == schema_text(name), "run python -m edged.mqtt.schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(committed))


def test_no_other_schema_is_committed():
    assert sorted(path.stem for path in FOLDER.glob("*")) == sorted([*SHAPES, "status-1"])


def test_a_payload_without_its_schema_or_with_a_wrong_box_is_refused():
    said = message(found([[1, 2, 3, 4]], [0.5], [0]))
    validate("detections-1", said)
    for broken in (
        {key: value for key, value in said.items() if key != "schema"},
        said | {"schema": "edged.detections/2"},
        said | {"detections": [said["detections"][0] | {"box": [1, 2, 3]}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            validate("detections-1", broken)
