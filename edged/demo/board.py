"""What the demo's subscriber has learnt from the messages alone.

Pure: messages and times in, figures out. A message that is not as its schema says is passed over.
"""

from collections import Counter, deque
from statistics import fmean

from pydantic import ValidationError

from edged.mqtt import topics
from edged.mqtt.payloads import (
    CameraStateMessage,
    DetectionShape,
    DetectionsMessage,
    InfoMessage,
    ModelStateMessage,
    Shape,
)
from edged.mqtt.records import Received
from edged.mqtt.tally import RATE_OVER_S, Row, Tally

MAX_RECENT = 8
MAX_PARTS, MAX_LABELS = 50, 500
"""Devices, cameras and models in all, and names of objects; more are ignored: anybody on this machine may publish."""

_SHAPES: dict[tuple[str, str], type[Shape]] = {
    ("", "info"): InfoMessage,
    ("camera", "state"): CameraStateMessage,
    ("camera", "detections"): DetectionsMessage,
    ("model", "state"): ModelStateMessage,
}


class Board:
    """What is known now.

    Attributes:
        results: How many came.
        objects: Found so far, by label, in the order of their first appearance.
        recent: The last found objects, the newest first.
        infos: The last ``info`` by device.
        cameras: The last state by name.
        models: The last state by name.
        newest: The last result by camera.

    Args:
        base: Under which devices publish.
    """

    def __init__(self, base: str) -> None:
        self.results = 0
        self.objects: Counter[str] = Counter()
        self.recent: deque[DetectionShape] = deque(maxlen=MAX_RECENT)
        self.infos: dict[str, InfoMessage] = {}
        self.cameras: dict[str, CameraStateMessage] = {}
        self.models: dict[str, ModelStateMessage] = {}
        self.newest: dict[str, DetectionsMessage] = {}
        self._base, self._tally = base, Tally(base)
        self._parts: set[tuple[str, str, str]] = set()
        self._latest: deque[tuple[float, DetectionsMessage]] = deque(maxlen=10_000)

    def feed(self, message: Received, now_s: float) -> None:
        """Take a message that came at ``now_s``."""
        place = topics.place(self._base, message.topic)
        if place is None or not self._has_room(place):
            return
        self._tally.feed(message, now_s)
        shape = _SHAPES.get((place.kind, place.leaf))
        try:
            content = shape.model_validate_json(message.payload) if shape else None
        except ValidationError:
            return
        match content:
            case InfoMessage():
                self.infos[place.device] = content
            case CameraStateMessage():
                self.cameras[place.name] = content
            case ModelStateMessage():
                self.models[place.name] = content
            case DetectionsMessage():
                self._count(place.name, content, now_s)

    def rows(self, now_s: float) -> list[Row]:
        """All devices, cameras, models: what each says of itself, and its rate."""
        return self._tally.rows(now_s)

    def age_ms(self, camera: str) -> float:
        """From capture to publishing, over the last ten seconds; 0 without a result."""
        return _mean([message.timing_ms.age for _, message in self._latest if message.source == camera])

    def inference_ms(self, model: str) -> float:
        """Of one inference, over the last ten seconds; 0 without a result."""
        return _mean(
            [message.timing_ms.inference for _, message in self._latest if message.model.name == model]
        )

    def _has_room(self, place: topics.Place) -> bool:
        part = (place.device, place.kind, place.name)
        if part not in self._parts and len(self._parts) < MAX_PARTS:
            self._parts.add(part)
        return part in self._parts

    def _count(self, camera: str, message: DetectionsMessage, now_s: float) -> None:
        self.results += 1
        self.newest[camera] = message
        self._latest.append((now_s, message))
        while self._latest[0][0] < now_s - RATE_OVER_S:
            self._latest.popleft()
        for what in message.detections:
            self.recent.appendleft(what)
            if what.label in self.objects or len(self.objects) < MAX_LABELS:
                self.objects[what.label] += 1


def _mean(values: list[float]) -> float:
    return fmean(values) if values else 0.0
