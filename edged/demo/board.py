"""What the demo's subscriber has learnt from the messages alone.

Pure: messages and times in, figures out. A message that is not as its schema says is passed over.
"""

from collections import Counter, deque
from statistics import fmean

from pydantic import ValidationError

from edged.mqtt import topics
from edged.mqtt.records import Received
from edged.mqtt.sensor_payloads import SensorStateMessage, WindowMessage
from edged.mqtt.shapes.camera_state import CameraStateMessage
from edged.mqtt.shapes.detections import DetectionShape, DetectionsMessage
from edged.mqtt.shapes.fields import Shape
from edged.mqtt.shapes.info import InfoMessage
from edged.mqtt.shapes.model_state import ModelStateMessage
from edged.mqtt.tally import RATE_OVER_S, Row, Tally

MAX_RECENT = 8
MAX_ALARMS = 4
MAX_PARTS, MAX_LABELS = 50, 500
"""Devices, cameras, sensors and models in all, and names of objects and of faults; more are ignored: anybody on this
machine may publish."""

_SHAPES: dict[tuple[str, str], type[Shape]] = {
    ("", "info"): InfoMessage,
    ("camera", "state"): CameraStateMessage,
    ("camera", "detections"): DetectionsMessage,
    ("sensor", "state"): SensorStateMessage,
    ("sensor", "result"): WindowMessage,
    ("model", "state"): ModelStateMessage,
}


class Board:
    """What is known now.

    Attributes:
        results: How many came of cameras.
        objects: Found so far, by label, in the order of their first appearance.
        recent: The last found objects, the newest first.
        infos: The last ``info`` by device.
        cameras: The last state by name.
        models: The last state by name.
        newest: The last result by camera.
        windows: How many results came of sensors.
        faults: How often each raised an alarm, by what the model said then.
        alarms: The results that raised one, the newest first.
        sensors: The last state by name.
        scored: The last result by sensor.

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
        self.windows = 0
        self.faults: Counter[str] = Counter()
        self.alarms: deque[WindowMessage] = deque(maxlen=MAX_ALARMS)
        self.sensors: dict[str, SensorStateMessage] = {}
        self.scored: dict[str, WindowMessage] = {}
        self._raised: dict[str, WindowMessage] = {}
        self._base, self._tally = base, Tally(base)
        self._parts: set[tuple[str, str, str]] = set()
        self._latest: deque[tuple[float, DetectionsMessage | WindowMessage]] = deque(maxlen=10_000)

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
            case SensorStateMessage():
                self.sensors[place.name] = content
            case DetectionsMessage():
                self._count(place.name, content, now_s)
            case WindowMessage():
                self._count_window(place.name, content, now_s)

    def rows(self, now_s: float) -> list[Row]:
        """All devices, cameras, sensors, models: what each says of itself, and its rate."""
        return self._tally.rows(now_s)

    def age_ms(self, camera: str) -> float:
        """From capture to publishing, over the last ten seconds; 0 without a result."""
        return _mean([message.timing_ms.age for message in self._detections() if message.source == camera])

    def inference_ms(self, model: str) -> float:
        """Of one inference, over the last ten seconds; 0 without a result."""
        return _mean(
            [message.timing_ms.inference for _, message in self._latest if message.model.name == model]
        )

    def alarm(self, sensor: str) -> WindowMessage | None:
        """The result that raised its alarm; None while it is not up."""
        return self._raised.get(sensor)

    def _detections(self) -> list[DetectionsMessage]:
        return [message for _, message in self._latest if isinstance(message, DetectionsMessage)]

    def _has_room(self, place: topics.Place) -> bool:
        part = (place.device, place.kind, place.name)
        if part not in self._parts and len(self._parts) < MAX_PARTS:
            self._parts.add(part)
        return part in self._parts

    def _count(self, camera: str, message: DetectionsMessage, now_s: float) -> None:
        self.results += 1
        self.newest[camera] = message
        self._remember(message, now_s)
        for what in message.detections:
            self.recent.appendleft(what)
            if what.label in self.objects or len(self.objects) < MAX_LABELS:
                self.objects[what.label] += 1

    def _count_window(self, sensor: str, message: WindowMessage, now_s: float) -> None:
        self.windows += 1
        self.scored[sensor] = message
        self._remember(message, now_s)
        if not message.result.alarm:
            self._raised.pop(sensor, None)
        elif sensor not in self._raised:
            self._raised[sensor] = message
            self.alarms.appendleft(message)
            fault = message.result.label or "anomaly"
            if fault in self.faults or len(self.faults) < MAX_LABELS:
                self.faults[fault] += 1

    def _remember(self, message: DetectionsMessage | WindowMessage, now_s: float) -> None:
        """For the figures of the last ten seconds."""
        self._latest.append((now_s, message))
        while self._latest[0][0] < now_s - RATE_OVER_S:
            self._latest.popleft()


def _mean(values: list[float]) -> float:
    return fmean(values) if values else 0.0
