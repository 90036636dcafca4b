"""Every topic edged publishes or listens to, in one place.

Pure: text in, text out. A topic is `<base>/<device>/…`; the base may have several levels, the device has one.
A consumer of topics asks here what a topic means (its schema, its content type) instead of cutting strings.
"""

import re
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
TEXT: Final = "text/plain"
JPEG: Final = "image/jpeg"

DETECTIONS: Final = "edged.detections/1"
EVENT: Final = "edged.event/1"
SENSOR: Final = "edged.sensor/1"
INFO: Final = "edged.info/1"
HEALTH: Final = "edged.health/1"
GAP: Final = "edged.gap/1"
CAMERA_STATE: Final = "edged.camera_state/1"
SENSOR_STATE: Final = "edged.sensor_state/1"
MODEL_STATE: Final = "edged.model_state/1"

ONLINE = b"online"
OFFLINE = b"offline"
STOPPED = b"stopped"

_FORBIDDEN = re.compile(r"[/+#\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the payload of a topic is.

    Attributes:
        content_type: A media type.
        schema: ``edged.detections/1`` and the like; empty where the payload is no JSON object of ours.
    """

    content_type: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic as a reader of the documentation sees it.

    Attributes:
        pattern: Below ``<base>/<device>/``; ``<…>`` is a level that depends on the configuration or the message.
        qos: Of what is published; a setting in Markdown, and its default, where one decides.
        retained: Whether the broker keeps the latest.
        says: What a message is, in words and Markdown.
        meaning: What its payload is.
    """

    pattern: str
    qos: str
    retained: bool
    says: str
    meaning: Meaning


_RESULT_QOS: Final = "`mqtt.qos` (1)"

TABLE: Final = (
    TopicRow(
        "status", "1", True, "`online`, `offline` (the last will), `stopped` (a clean end)", Meaning(TEXT)
    ),
    TopicRow("info", "1", True, "what the device is and runs", Meaning(JSON, INFO)),
    TopicRow("health", "0", False, "how it is doing, every 60 s", Meaning(JSON, HEALTH)),
    TopicRow("gap", "1", False, "results that were dropped and will never come", Meaning(JSON, GAP)),
    TopicRow(
        "camera/<name>/state", "1", True, "whether frames come, and why not", Meaning(JSON, CAMERA_STATE)
    ),
    TopicRow(
        "camera/<name>/detections",
        _RESULT_QOS,
        False,
        "what a model found in a frame",
        Meaning(JSON, DETECTIONS),
    ),
    TopicRow(
        "camera/<name>/events",
        _RESULT_QOS,
        False,
        "an object came, changed, or went",
        Meaning(JSON, EVENT),
    ),
    TopicRow(
        "camera/<name>/count/<label>",
        "1",
        True,
        "how many objects of a label are followed; without tracking, are in the newest picture",
        Meaning(TEXT),
    ),
    TopicRow(
        "camera/<name>/zone/<zone>/count/<label>",
        "1",
        True,
        "how many of them are in a zone",
        Meaning(TEXT),
    ),
    TopicRow(
        "camera/<name>/line/<line>/count/<label>/in",
        "1",
        True,
        "how many have crossed a line to its right since edged was started",
        Meaning(TEXT),
    ),
    TopicRow(
        "camera/<name>/line/<line>/count/<label>/out",
        "1",
        True,
        "likewise to its left",
        Meaning(TEXT),
    ),
    TopicRow(
        "camera/<name>/motion",
        "1",
        True,
        "`ON`, `OFF`: whether something moves, or did a moment ago",
        Meaning(TEXT),
    ),
    TopicRow(
        "camera/<name>/snapshot",
        "0",
        False,
        "a picture, when `camera/snapshot` asks for it, and of each object with `snapshots`",
        Meaning(JPEG),
    ),
    TopicRow(
        "camera/<name>/snapshot/<label>",
        "1",
        True,
        "the best picture of the newest object of a label, with `snapshots`",
        Meaning(JPEG),
    ),
    TopicRow("sensor/<name>/state", "1", True, "whether rows come, and why not", Meaning(JSON, SENSOR_STATE)),
    TopicRow(
        "sensor/<name>/result",
        _RESULT_QOS,
        False,
        "what a model said about a window of rows",
        Meaning(JSON, SENSOR),
    ),
    TopicRow("model/<name>/state", "1", True, "what is served, and on what", Meaning(JSON, MODEL_STATE)),
    TopicRow("cmd/<verb>", "1", False, "subscribed to: the arguments of a command", Meaning(JSON)),
    TopicRow(
        "rsp/<verb>",
        "1",
        False,
        "the answer to a command that names no other topic for it",
        Meaning(JSON),
    ),
)
"""Every topic that edged publishes or listens to; the table in ``docs/mqtt.md`` is made from it."""

_MEANINGS: Final = {re.sub("<[^>]+>", "*", row.pattern): row.meaning for row in TABLE}


@dataclass(frozen=True, slots=True)
class Place:
    """A topic taken apart.

    Attributes:
        device: The box it belongs to.
        kind: ``camera``, ``sensor``, ``model``, or empty for what concerns the whole device.
        name: Of the camera, sensor or model; empty for the device.
        leaf: What remains: ``detections``, ``state``, ``status``, ``count/car`` …
    """

    device: str
    kind: str
    name: str
    leaf: str


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one device.

    Attributes:
        base: ``edged`` unless configured; may have several levels.
        device: One level, as the settings check it.
    """

    base: str
    device: str

    @property
    def root(self) -> str:
        """``<base>/<device>``: the part before every topic of this device."""
        return f"{self.base}/{self.device}"

    @property
    def status(self) -> str:
        """``online``, ``offline`` (the last will) or ``stopped`` (a clean end); retained."""
        return f"{self.root}/status"

    @property
    def info(self) -> str:
        """What this device is and runs; retained."""
        return f"{self.root}/info"

    @property
    def health(self) -> str:
        """How it is doing, once a minute."""
        return f"{self.root}/health"

    @property
    def gap(self) -> str:
        """Which results were dropped and will never come."""
        return f"{self.root}/gap"

    @property
    def commands(self) -> str:
        """The filter of everything that is subscribed to."""
        return f"{self.root}/cmd/#"

    def detections(self, camera: str) -> str:
        """What a model found in a frame of a camera."""
        return f"{self.root}/camera/{camera}/detections"

    def events(self, camera: str) -> str:
        """Tracked objects that come, change and go."""
        return f"{self.root}/camera/{camera}/events"

    def count(self, camera: str, label: str) -> str:
        """How many objects of a label are in the picture; retained."""
        return f"{self.root}/camera/{camera}/count/{level(label)}"

    def zone_count(self, camera: str, zone: str, label: str) -> str:
        """How many objects of a label are in a zone; retained."""
        return f"{self.root}/camera/{camera}/zone/{level(zone)}/count/{level(label)}"

    def line_count(self, camera: str, line: str, label: str, direction: str) -> str:
        """How many objects of a label have crossed a line; retained.

        Args:
            camera: Its name.
            line: Its name.
            label: Of the objects.
            direction: ``in`` or ``out``.
        """
        return f"{self.root}/camera/{camera}/line/{level(line)}/count/{level(label)}/{direction}"

    def motion(self, camera: str) -> str:
        """``ON`` or ``OFF``; retained."""
        return f"{self.root}/camera/{camera}/motion"

    def camera_state(self, camera: str) -> str:
        """Whether a camera is online, and why not; retained."""
        return f"{self.root}/camera/{camera}/state"

    def snapshot(self, camera: str) -> str:
        """A JPEG."""
        return f"{self.root}/camera/{camera}/snapshot"

    def best_view(self, camera: str, label: str) -> str:
        """A JPEG of the best view of the newest object of a label; retained."""
        return f"{self.root}/camera/{camera}/snapshot/{level(label)}"

    def sensor_result(self, sensor: str) -> str:
        """What a model said about a window of rows."""
        return f"{self.root}/sensor/{sensor}/result"

    def sensor_state(self, sensor: str) -> str:
        """Whether a sensor is online, and why not; retained."""
        return f"{self.root}/sensor/{sensor}/state"

    def model_state(self, model: str) -> str:
        """Which version of a model is served, and on what; retained."""
        return f"{self.root}/model/{model}/state"

    def command(self, verb: str) -> str:
        """Where a command such as ``model/activate`` is received."""
        return f"{self.root}/cmd/{verb}"

    def response(self, verb: str) -> str:
        """Where a command is answered unless it names another topic."""
        return f"{self.root}/rsp/{verb}"

    def meaning(self, topic: str) -> Meaning:
        """What a payload on one of these topics is; JSON without a schema where nothing is known of it."""
        relative = topic.removeprefix(f"{self.root}/")
        return _meaning(relative)


def level(text: str) -> str:
    """``text`` as one level of a topic: separators, wildcards and control characters become ``_``.

    >>> level("fork/lift #1")
    'fork_lift _1'
    """
    return _FORBIDDEN.sub("_", text) or "_"


def everything(base: str) -> str:
    """The filter of all devices under a base."""
    return f"{base}/#"


def place(base: str, topic: str) -> Place | None:
    """Take a topic apart; None where it is not one of a device under ``base``.

    >>> place("edged", "edged/gate-7/camera/front/state")
    Place(device='gate-7', kind='camera', name='front', leaf='state')
    """
    device, _, rest = topic.removeprefix(f"{base}/").partition("/")
    if not topic.startswith(f"{base}/") or not device or not rest:
        return None
    kind, _, inner = rest.partition("/")
    name, _, leaf = inner.partition("/")
    if kind in {"camera", "sensor", "model"} and name and leaf:
        return Place(device, kind, name, leaf)
    return Place(device, "", "", rest)


def _meaning(relative: str) -> Meaning:
    parts = relative.split("/")
    # Names stand at every second level: kind, name, leaf, name …
    pattern = "/".join("*" if position % 2 else part for position, part in enumerate(parts))
    return _MEANINGS.get(pattern, Meaning(JSON))
