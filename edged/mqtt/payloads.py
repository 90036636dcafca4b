"""What is said on the topics: JSON in UTF-8, a documented shape each.

Pure: no clock, no file. The shapes are pydantic models in `edged.mqtt.shapes`, from which the JSON Schemas in
``edged/schema`` are made (``python -m edged.mqtt.schemas``). Rare messages are built from the models; the one made for
every frame is built here from plain dicts, because validating it would cost as much as decoding a model's output, and
because a daemon that starts has no time for pydantic. Tests hold the two together.

Later versions only add fields, so a reader must ignore what it does not know.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from edged.detection import Detections
from edged.mqtt.topics import DETECTIONS

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
    track_ids: Sequence[int] | None = None,
    zones: Sequence[Sequence[str]] | None = None,
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
        track_ids: Of each detection, 0 = none; None = nothing is followed.
        zones: In which each detection is; None = there are none.
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
        "detections": _found(detections, width, height, labels, track_ids=track_ids, zones=zones),
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


def _found(
    detections: Detections,
    width: int,
    height: int,
    labels: Sequence[str],
    *,
    track_ids: Sequence[int] | None,
    zones: Sequence[Sequence[str]] | None,
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    known = len(labels)
    right_edge, bottom_edge = float(width), float(height)
    boxes, scores, classes = detections.xyxy.tolist(), detections.score.tolist(), detections.class_id.tolist()
    for at, ((x1, y1, x2, y2), score, class_id) in enumerate(zip(boxes, scores, classes, strict=True)):
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
        if track_ids is not None and track_ids[at]:
            found[-1]["track_id"] = track_ids[at]
        if zones is not None:
            found[-1]["zones"] = zones[at]
    return found
