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

LAST_SECOND = 253402300799.0  # 9999-12-31T23:59:59Z, the last that ISO 8601 writes with four digits


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
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), LAST_SECOND), UTC)
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


Digest = Annotated[
    str,
    Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="SHA-256 of the model's file: `sha256:` and 64 hexadecimal digits.",
    ),
]
_UTC = "UTC, like `2026-11-22T15:00:00.123456Z`."
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", description=_UTC)]
MessageId = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$",
        description="A ULID: unique for ever, sortable by time, the same on every delivery of one message.",
    ),
]
Count = Annotated[int, Field(ge=0)]
Version = Annotated[int, Field(ge=1, description="Its number in the store, from 1.")]
Milliseconds = Annotated[float, Field(ge=0)]

_SCHEMA = "Name and version of this shape."
_DEVICE = "The device that says so."
_REPLAYED = "`true` where the message waited for the broker; otherwise absent."


class ImageShape(Shape):
    """The frame, upright."""

    width: Annotated[int, Field(ge=1)] = Field(description="In pixels.")
    height: Annotated[int, Field(ge=1)] = Field(description="In pixels.")


class ModelShape(Shape):
    """The model that answered."""

    name: str = Field(description="As configured.")
    version: Version
    digest: Digest
    provider: str = Field(description="What really ran it, such as `openvino:CPU`.")


class TimingShape(Shape):
    """Where the time of a frame went, in milliseconds."""

    queue: Milliseconds = Field(description="Waiting for its turn.")
    preprocess: Milliseconds = Field(description="From the frame to the model's input.")
    inference: Milliseconds = Field(
        description="In the runtime: of all its parts; of an inference shared with other frames, its share."
    )
    decode: Milliseconds = Field(description="From the model's output to boxes; likewise.")
    age: Milliseconds = Field(description="From capture to publishing.")


class DetectionShape(Shape):
    """One found object."""

    label: str = Field(description="Name of its class; the class id as text where the model has no labels.")
    class_id: Count = Field(description="Number of its class in the model, from 0.")
    score: Annotated[float, Field(ge=0, le=1)] = Field(description="How sure the model is, four digits.")
    box: tuple[float, float, float, float] = Field(
        description="x1, y1, x2, y2 in pixels of the frame, inside it, x2 > x1 and y2 > y1."
    )
    track_id: int | None = Field(
        None, description="The same for one object in successive frames. This version does not send it."
    )
    zones: tuple[str, ...] | None = Field(
        None, description="Names of the zones it is in. This version does not send them."
    )


class DetectionsMessage(Shape):
    """What a model found in one frame of a camera."""

    schema_: Literal["edged.detections/1"] = Field(DETECTIONS, alias="schema", description=_SCHEMA)
    id: MessageId
    device: str = Field(description=_DEVICE)
    source: str = Field(description="Name of the camera.")
    sequence: Count = Field(
        description="Number of the captured frame since the start. A gap is a frame that was not looked at."
    )
    captured_at: Moment = Field(description=f"When the frame was captured: {_UTC}")
    image: ImageShape
    model: ModelShape
    timing_ms: TimingShape
    detections: tuple[DetectionShape, ...] = Field(
        description="What was found, best first; empty where nothing was."
    )
    replayed: bool | None = Field(None, description=_REPLAYED)


class MachineShape(Shape):
    """The hardware."""

    architecture: str = Field(description="Of the processor, such as `x86_64` or `aarch64`.")
    cores: Annotated[int, Field(ge=1)] = Field(description="Those that edged may use.")
    cpu: str = Field(description="Name of the processor.")
    memory_bytes: Count = Field(description="Of the machine; 0 where the system does not tell.")


class RunningShape(Shape):
    """A served model and what really runs it."""

    version: Version
    digest: Digest
    family: str = Field(description="How its outputs are read, such as `yolox`.")
    provider: str = Field(description="What really runs most of it, such as `openvino:CPU`.")
    provider_asked: tuple[str, ...] = Field(description="As configured, in order.")
    choice: str = Field(
        "", description="What `auto` chose, measured against what; empty where nothing was chosen."
    )
    callers: Annotated[int, Field(ge=1)] = Field(1, description="Inferences at once.")
    batch: Annotated[int, Field(ge=1)] = Field(1, description="Pictures to one inference at most.")


class PreviousEndShape(Shape):
    """How the run of edged before this one ended."""

    how: str = Field(
        description="`clean`: told to end, or done; `error`: with an error that it reported; `signal`: at once, by a "
        "second signal while it was ending; `watchdog`: a thread hung; `crash`: in native code, or aborted; "
        "`out of memory`: killed while the kernel ran out of it; `killed`: by SIGKILL, or without a trace; `power`: "
        "with the machine. Later versions may add others."
    )
    at: Moment = Field(
        description=f"When; of a run that could not say so itself, when it was last seen alive, to a minute: {_UTC}"
    )
    after_s: Annotated[float, Field(ge=0)] = Field(description="How long it ran, by the clock on the wall.")
    why: str = Field("", description="In words; empty where nothing is known.")
    trace: str | None = Field(
        None,
        description="Of a crash: what the interpreter wrote of the thread that crashed; absent without one.",
    )


class InfoMessage(Shape):
    """What a device is and what it runs."""

    schema_: Literal["edged.info/1"] = Field(INFO, alias="schema", description=_SCHEMA)
    device: str = Field(description=_DEVICE)
    version: str = Field(description="Of edged.")
    machine: MachineShape
    providers: tuple[str, ...] = Field(description="Execution providers of this installation.")
    cameras: tuple[str, ...] = Field(description="Names of the configured cameras.")
    models: dict[str, RunningShape] = Field(description="Those that are served, by name.")
    sensors: tuple[str, ...] = Field((), description="Names of the configured sensors.")
    started_at: Moment = Field(description=f"When edged was started: {_UTC}")
    previous_end: PreviousEndShape | None = Field(
        None, description="How the run before ended; absent at the first start, and where it is not known."
    )


class CameraStateMessage(Shape):
    """Whether a camera delivers, and why not."""

    schema_: Literal["edged.camera_state/1"] = Field(CAMERA_STATE, alias="schema", description=_SCHEMA)
    device: str = Field(description=_DEVICE)
    camera: str = Field(description="Its name.")
    state: SourceState = Field(description="Whether frames come; `disabled` where it was switched off.")
    why: str = Field("", description="What is wrong, for people, without passwords; empty while online.")
    width: int | None = Field(None, description="Pixels of the upright frame; absent where not known.")
    height: int | None = Field(None, description="Pixels of the upright frame; absent where not known.")
    fps: float | None = Field(
        None, description="Frames a second that the camera announces, not how many are looked at."
    )
    enabled: bool | None = Field(None, description="False where it was switched off by command.")
    min_score: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="In force: detections of a lower score are left out; absent where all are kept."
    )
    decoder: str | None = Field(
        None,
        description="What decodes it, and why not what was asked for; absent for pictures and before the first frame.",
    )
    gate: str | None = Field(
        None,
        description="What motion is seen by, and why not by what was asked for; absent without a motion gate.",
    )
    since: Moment = Field(description=f"When it came into this state: {_UTC}")


class VersionShape(Shape):
    """A version of a model."""

    version: Version
    digest: Digest


class CandidateShape(VersionShape):
    """A version that is being tried."""

    step: str = Field(description="Of the gate, at which it is, or `shadow`.")


class RejectedShape(Shape):
    """A version that will not be served."""

    version: Version
    reason: str = Field(description="What was wrong, for people.")
    step: str = Field("", description="Of the gate, or `probation`; empty where it is not known.")
    at: Moment = Field(description=f"When: {_UTC}")


class ModelStateMessage(Shape):
    """Which version of a model is served, and on what."""

    schema_: Literal["edged.model_state/1"] = Field(MODEL_STATE, alias="schema", description=_SCHEMA)
    device: str = Field(description=_DEVICE)
    model: str = Field(description="Its name.")
    active: VersionShape | None = Field(
        None, description="The version that is served; absent where nothing is."
    )
    previous: VersionShape | None = Field(None, description="The version that was served before.")
    candidate: CandidateShape | None = Field(None, description="A version that is being tried.")
    rejected: tuple[RejectedShape, ...] = Field((), description="Versions that are not tried again.")
    waiting: dict[str, str] = Field(
        {}, description="Versions that have not arrived yet: number to what is waited for."
    )
    pinned: int | None = Field(None, description="The version that a person asked for.")
    probation: str = Field("", description="How far the serving version's probation is; empty = over.")
    shadow: str = Field("", description="How far the last candidate agreed with what served.")
    labels: tuple[str, ...] = Field((), description="Of the serving version.")
    provider_asked: tuple[str, ...] = Field(description="As configured, in order.")
    provider: str = Field("", description="In use; empty while nothing is served.")
    choice: str = Field(
        "", description="What `auto` chose, measured against what; empty where nothing was chosen."
    )
    why: str = Field(
        "",
        description="Why nothing is served, or not on the provider or in the version that was asked for, or that a "
        "process ended and a new one is being started.",
    )
    since: Moment = Field(description=f"When it came into this state: {_UTC}")


class SourceHealthShape(Shape):
    """One source since the last message."""

    name: str = Field(description="Name of the camera or sensor.")
    captured_per_s: Annotated[float, Field(ge=0)] = Field(
        description="Frames captured, or rows read, a second since the last message."
    )
    published_per_s: Annotated[float, Field(ge=0)] = Field(
        description="Messages made a second since the last one; what `publish` keeps back is not among them."
    )
    dropped: dict[str, Count] = Field(
        description="Frames or windows that were not looked at since the start, by reason; later versions may add "
        "reasons."
    )
    still_per_s: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Frames a second that the motion gate passed over; absent without one."
    )
    late_per_s: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="Frames a second that were dropped because a model had no time for them; of cameras.",
    )
    decode_cpu_percent: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Reading, decoding and the motion gate: 100 is one core; of cameras."
    )
    prepare_cpu_percent: Annotated[float, Field(ge=0)] | None = Field(
        None, description="From frames to the inputs of models: 100 is one core; of cameras."
    )
    inference_percent: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="Share of the time that its frames were in the runtime, 100 is one caller; of cameras.",
    )
    queue_ms: Milliseconds | None = Field(
        None,
        description="That its frames waited for their turns, on average; absent where none was looked at.",
    )
    reconnects: Count = Field(0, description="Times it came back after it was away, since the start.")


class ModelHealthShape(Shape):
    """One model since the last message."""

    name: str = Field(description="As configured.")
    utilisation_percent: Annotated[float, Field(ge=0)] = Field(
        description="Share of the time that its callers were in the runtime; 100 is all of them, always."
    )
    callers: Annotated[int, Field(ge=1)] = Field(description="Inferences at once.")
    inferences_per_s: Annotated[float, Field(ge=0)] = Field(
        description="Pictures, or windows of rows, a second that it was shown."
    )
    inference_ms: Milliseconds | None = Field(
        None, description="Of one of them, on average; absent where there was none."
    )
    cpu_percent: Annotated[float, Field(ge=0)] = Field(description="Of its processes; 100 is one core.")
    late_per_s: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Frames a second that were dropped because it had no time for them."
    )
    restarts: Count = Field(
        0,
        description="Times a process of it ended by itself, or hung and was ended, since the start; another is started "
        "then.",
    )


class SpoolShape(Shape):
    """What waits for the broker."""

    entries: Count = Field(description="Messages that wait.")
    bytes: Count = Field(description="Of the topics and payloads of those.")
    dropped: Count = Field(
        description="Messages given up since the start; each is told of on the topic `gap`."
    )
    set_aside: Count = Field(0, description="Of those, messages that the broker does not take.")
    why: str = Field("", description="Why messages are not kept on disk; empty while they are.")


class GapMessage(Shape):
    """Messages of one topic that will never be delivered."""

    schema_: Literal["edged.gap/1"] = Field(GAP, alias="schema", description=_SCHEMA)
    id: MessageId
    device: str = Field(description=_DEVICE)
    at: Moment = Field(description=f"When this was told: {_UTC}")
    topic: str = Field(description="Where they would have gone; empty where that is not known any more.")
    reason: Literal["full", "old", "disk", "damaged", "refused"] = Field(
        description="Why they were dropped. Later versions may add others."
    )
    count: Annotated[int, Field(ge=1)] = Field(description="How many.")
    first_id: str = Field("", description="Id of the oldest; empty where it is not known.")
    last_id: str = Field("", description="Id of the newest; empty where it is not known.")
    replayed: bool | None = Field(None, description=_REPLAYED)


class HealthMessage(Shape):
    """How a device is doing."""

    schema_: Literal["edged.health/1"] = Field(HEALTH, alias="schema", description=_SCHEMA)
    device: str = Field(description=_DEVICE)
    at: Moment = Field(description=f"When this was measured: {_UTC}")
    uptime_s: Annotated[float, Field(ge=0)] = Field(description="Seconds since the start.")
    cpu_percent: Annotated[float, Field(ge=0)] = Field(description="100 is one core; the workers included.")
    memory_bytes: Count = Field(description="Resident memory, the workers included.")
    sources: tuple[SourceHealthShape, ...] = Field(description="The cameras, then the sensors.")
    models: tuple[ModelHealthShape, ...] = Field((), description="Those that are served.")
    bottleneck: str = Field(
        "none",
        description="What keeps it from looking at more frames: `none`, `inference:MODEL`, `decode`, `decode:CAMERA`, "
        "`cpu` or `broker`; later versions may add others.",
    )
    spool: SpoolShape
    reconnects: Count = Field(0, description="Connections to a broker after the first, since the start.")
    errors: tuple[str, ...] = Field((), description="The last ones in words, newest first.")
    replayed: bool | None = Field(None, description=_REPLAYED)
