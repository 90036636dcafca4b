"""What is said on the topics: JSON in UTF-8, a documented shape each.

Pure: no clock, no file. The shapes are pydantic models, from which the JSON Schemas in ``edged/schema`` are
made (``python -m edged.mqtt.schemas``). Rare messages are built from the models; the one made for every frame
is built from plain dicts, because validating it would cost as much as decoding a model's output. Tests hold
the two together.

Later versions only add fields, so a reader must ignore what it does not know.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edged.detection import Detections
from edged.mqtt.topics import CAMERA_STATE, DETECTIONS, GAP, HEALTH, INFO, MODEL_STATE

SourceState = Literal["online", "offline", "disabled"]

_LAST_SECOND = 253402300799.0  # 9999-12-31T23:59:59Z, the last that ISO 8601 writes with four digits


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answered.

    Attributes:
        name: As configured.
        version: From 1.
        digest: ``sha256:`` and 64 hexadecimal digits.
        provider: What really ran it, such as ``openvino:CPU``.
    """

    name: str
    version: int
    digest: str
    provider: str


@dataclass(frozen=True, slots=True)
class TimingMs:
    """Where the time of a frame went, in milliseconds.

    Attributes:
        queue: Waiting for its turn.
        preprocess: From planes to tensor.
        inference: In the runtime.
        decode: From raw outputs to boxes.
        age: From capture to publishing.
    """

    queue: float
    preprocess: float
    inference: float
    decode: float
    age: float


def detections_message(
    *,
    message_id: str,
    device: str,
    frame_source: str,
    sequence: int,
    captured_at_s: float,
    width: int,
    height: int,
    model: ModelInfo,
    timing: TimingMs,
    detections: Detections,
    labels: Sequence[str],
) -> bytes:
    """The message about one frame.

    Args:
        message_id: Unique for ever.
        device: Of this box.
        frame_source: Name of the camera.
        sequence: Of the frame in its source.
        captured_at_s: Seconds since 1970.
        width: Pixels of the frame.
        height: Pixels of the frame.
        model: What answered.
        timing: Where the time went.
        detections: In pixels of the frame. A box is clipped to the frame and rounded to 0.01 pixels; one that
            has no area then, or a value that is no number, is left out.
        labels: By class id; a class beyond them is named by its number.
    """
    message = {
        "schema": DETECTIONS,
        "id": message_id,
        "device": device,
        "source": frame_source,
        "sequence": sequence,
        "captured_at": timestamp(captured_at_s),
        "image": {"width": width, "height": height},
        "model": {
            "name": model.name,
            "version": model.version,
            "digest": model.digest,
            "provider": model.provider,
        },
        "timing_ms": {
            "queue": round(timing.queue, 3),
            "preprocess": round(timing.preprocess, 3),
            "inference": round(timing.inference, 3),
            "decode": round(timing.decode, 3),
            "age": round(timing.age, 3),
        },
        "detections": _found(detections, width, height, labels),
    }
    return _ENCODER.encode(message).encode()


def marked_replayed(payload: bytes) -> bytes:
    """The JSON object with ``"replayed": true`` added; anything else unchanged.

    >>> marked_replayed(b'{"id":"01K"}')
    b'{"id":"01K","replayed":true}'
    """
    body = payload.rstrip()
    if not body.endswith(b"}"):
        return payload
    head = body[:-1].rstrip()
    return head + (b"" if head.endswith(b"{") else b",") + b'"replayed":true}'


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC with microseconds.

    >>> timestamp(1795359600.123456)
    '2026-11-22T15:00:00.123456Z'
    """
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_SECOND), UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _found(detections: Detections, width: int, height: int, labels: Sequence[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    known = len(labels)
    right_edge, bottom_edge = float(width), float(height)
    boxes, scores, classes = detections.xyxy.tolist(), detections.score.tolist(), detections.class_id.tolist()
    for (x1, y1, x2, y2), score, class_id in zip(boxes, scores, classes, strict=True):
        left, right = round(min(max(x1, 0.0), right_edge), 2), round(min(max(x2, 0.0), right_edge), 2)
        top, bottom = round(min(max(y1, 0.0), bottom_edge), 2), round(min(max(y2, 0.0), bottom_edge), 2)
        if not (right > left and bottom > top and 0.0 <= score <= 1.0):  # False for every NaN
            continue
        found.append(
            {
                "label": labels[class_id] if 0 <= class_id < known else str(class_id),
                "class_id": class_id,
                "score": round(score, 4),
                "box": [left, top, right, bottom],
            }
        )
    return found


class Shape(BaseModel):
    """A JSON object; what is not set is not sent."""

    model_config = ConfigDict(
        frozen=True, populate_by_name=True, serialize_by_alias=True, allow_inf_nan=False
    )

    def payload(self) -> bytes:
        """As sent."""
        return self.model_dump_json(exclude_none=True).encode()


Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
        description="UTC, like 2026-11-22T15:00:00.123456Z.",
    ),
]
Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0)]


class ImageShape(Shape):
    """Size of the source frame in pixels."""

    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class ModelShape(Shape):
    """The model that answered."""

    name: str
    version: Annotated[int, Field(ge=1)]
    digest: Digest
    provider: str = Field(description="What really ran it, such as openvino:CPU.")


class TimingShape(Shape):
    """Where the time of a frame went."""

    queue: Milliseconds
    preprocess: Milliseconds
    inference: Milliseconds
    decode: Milliseconds
    age: Milliseconds = Field(description="From capture to publishing.")


class DetectionShape(Shape):
    """One found object."""

    label: str = Field(description="The class id as text where the model has no labels.")
    class_id: Count
    score: Annotated[float, Field(ge=0, le=1)]
    box: tuple[float, float, float, float] = Field(
        description="x1, y1, x2, y2 in pixels of the source frame, inside it, x2 > x1 and y2 > y1."
    )
    track_id: int | None = None
    zones: tuple[str, ...] | None = None


class DetectionsMessage(Shape):
    """What a model found in one frame of a camera."""

    schema_: Literal["edged.detections/1"] = Field(DETECTIONS, alias="schema")
    id: Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")] = Field(
        description="Unique for ever, the same on every delivery of one message."
    )
    device: str
    source: str
    sequence: Count = Field(
        description="Counts captured frames of the source; a gap is a frame not inferred."
    )
    captured_at: Moment
    image: ImageShape
    model: ModelShape
    timing_ms: TimingShape
    detections: tuple[DetectionShape, ...]
    replayed: bool | None = Field(None, description="True where the message waited for the broker.")


class MachineShape(Shape):
    """The hardware."""

    architecture: str
    cores: Annotated[int, Field(ge=1)]
    cpu: str
    memory_bytes: Count


class RunningShape(Shape):
    """A served model and what really runs it."""

    version: Annotated[int, Field(ge=1)]
    digest: Digest
    family: str
    provider: str = Field(description="What really runs most of it, such as openvino:CPU.")
    provider_asked: tuple[str, ...]


class InfoMessage(Shape):
    """What a device is and what it runs."""

    schema_: Literal["edged.info/1"] = Field(INFO, alias="schema")
    device: str
    version: str = Field(description="Of edged.")
    machine: MachineShape
    providers: tuple[str, ...] = Field(description="Execution providers of this installation.")
    cameras: tuple[str, ...]
    models: dict[str, RunningShape] = Field(description="Those that are served, by name.")
    sensors: tuple[str, ...] = ()
    started_at: Moment


class CameraStateMessage(Shape):
    """Whether a camera delivers, and why not."""

    schema_: Literal["edged.camera_state/1"] = Field(CAMERA_STATE, alias="schema")
    device: str
    camera: str
    state: SourceState
    why: str = Field("", description="Empty while online.")
    width: int | None = None
    height: int | None = None
    fps: float | None = Field(None, description="Frames a second that the camera announces.")
    enabled: bool | None = Field(None, description="False where it was switched off by command.")
    min_score: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="In force: detections of a lower score are left out; absent where all are kept."
    )
    since: Moment


class VersionShape(Shape):
    """A version of a model."""

    version: Annotated[int, Field(ge=1)]
    digest: Digest


class CandidateShape(VersionShape):
    """A version that is being tried."""

    step: str


class RejectedShape(Shape):
    """A version that will not be served."""

    version: Annotated[int, Field(ge=1)]
    reason: str
    step: str = Field("", description="Of the gate, or probation.")
    at: Moment


class ModelStateMessage(Shape):
    """Which version of a model is served, and on what."""

    schema_: Literal["edged.model_state/1"] = Field(MODEL_STATE, alias="schema")
    device: str
    model: str
    active: VersionShape | None = None
    previous: VersionShape | None = None
    candidate: CandidateShape | None = None
    rejected: tuple[RejectedShape, ...] = ()
    waiting: dict[str, str] = Field(
        {}, description="Versions that have not arrived yet: number to what is waited for."
    )
    pinned: int | None = Field(None, description="The version that a person asked for.")
    probation: str = Field("", description="How far the serving version's probation is; empty = over.")
    shadow: str = Field("", description="How far the last candidate agreed with what served.")
    labels: tuple[str, ...] = Field((), description="Of the serving version.")
    provider_asked: tuple[str, ...]
    provider: str = Field("", description="In use; empty while nothing is served.")
    why: str = Field("", description="Why nothing is served, or why not on the provider asked for.")
    since: Moment


class SourceHealthShape(Shape):
    """One source since the last message."""

    name: str
    captured_per_s: Annotated[float, Field(ge=0)]
    published_per_s: Annotated[float, Field(ge=0)]
    dropped: dict[str, Count] = Field(description="Since the start, by reason: stale, full, unreadable …")


class SpoolShape(Shape):
    """What waits for the broker."""

    entries: Count
    bytes: Count
    dropped: Count = Field(description="Since the start; each is told of on the topic `gap`.")
    set_aside: Count = Field(0, description="Of those, messages that the broker does not take.")
    why: str = Field("", description="Why messages are not kept on disk; empty while they are.")


class GapMessage(Shape):
    """Messages of one topic that will never be delivered."""

    schema_: Literal["edged.gap/1"] = Field(GAP, alias="schema")
    id: Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")] = Field(
        description="Unique for ever, the same on every delivery of one message."
    )
    device: str
    at: Moment
    topic: str = Field(description="Where they would have gone; empty where that is not known any more.")
    reason: Literal["full", "old", "disk", "damaged", "refused"] = Field(
        description="The outbox was full, they were too old, the disk did not take them or gave them back damaged, or "
        "the broker refused them."
    )
    count: Annotated[int, Field(ge=1)]
    first_id: str = Field("", description="Of the oldest.")
    last_id: str = Field("", description="Of the newest.")
    replayed: bool | None = Field(None, description="True where the message waited for the broker.")


class HealthMessage(Shape):
    """How a device is doing."""

    schema_: Literal["edged.health/1"] = Field(HEALTH, alias="schema")
    device: str
    at: Moment
    uptime_s: Annotated[float, Field(ge=0)]
    cpu_percent: Annotated[float, Field(ge=0)] = Field(description="Of one core, the workers included.")
    memory_bytes: Count = Field(description="Resident, the workers included.")
    sources: tuple[SourceHealthShape, ...]
    spool: SpoolShape
    errors: tuple[str, ...] = Field((), description="The last ones, newest first.")
    replayed: bool | None = Field(None, description="True where the message waited for the broker.")
