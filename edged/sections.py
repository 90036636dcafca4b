"""The sections of the configuration: every key of the contract with its type, its default and its bounds.

The JSON Schema comes from these classes. A stage gets its own section and never the whole.
"""

import contextlib
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from edged.bounds import TILE_OVERLAP, provider_name
from edged.urls import broker_address

MAX_WINDOW = 1_000_000
"""Rows."""
MIN_RATE = 4096
"""Bytes a second: below this a model takes days."""
MAX_FLOAT32 = 3.4028234e38
MAX_INERTIA = 3600
"""Frames or seconds."""

Points = tuple[tuple[float, float], ...]

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _duration(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*", value)
        if not match:
            raise ValueError('a number with a unit, like "500ms", "1s", "15m", "7d"')
        return float(match[1]) * _UNITS_S[match[2]]
    return value


def _broker(url: str) -> str:
    if url:
        broker_address(url)
    return url


def _topic_part(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise ValueError(
            "a name of letters, digits, '_', '-' and '.' (64 at most): it becomes part of topics and paths"
        )
    return name


def _camera(url: str) -> str:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme and not scheme.startswith("${") and scheme not in {"rtsp", "rtsps", "http", "https"}:
        raise ValueError("rtsp(s)://host/path, http(s)://host/path, v4l2:/dev/video0, a file or a folder")
    return url


def _area(crop: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if crop and not (crop[0] < crop[2] and crop[1] < crop[3]):
        raise ValueError("left, top, right, bottom in fractions of the frame, like [0.25, 0.0, 0.75, 1.0]")
    return crop


def _simple(polygon: Points) -> Points:
    from edged.zones import is_simple  # noqa: PLC0415  # which needs NumPy: for who has zones

    if not is_simple(polygon):
        raise ValueError("corners in order around the area, whose edges do not cross")
    return polygon


def _way(points: Points) -> Points:
    if any(a == b for a, b in pairwise(points)):
        raise ValueError("points that follow each other must differ")
    return points


def _frames_or_time(value: object) -> int | float:
    """An int is frames, a float is seconds."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # told below
            value = int(value) if re.fullmatch(r"\d{1,4}", value) else _duration(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_INERTIA:
        return value
    if isinstance(value, float) and 0 < value <= MAX_INERTIA:
        return value
    raise ValueError(f'frames, 1 to {MAX_INERTIA}, or a time, like "500ms" or "2s"')


def _switch(value: object) -> object:
    return {"enabled": value} if isinstance(value, bool) else value


def _sensor(url: str) -> str:
    scheme, _, rest = url.partition(":")
    if re.match(r"[A-Za-z][A-Za-z0-9+.]+:", url):
        if scheme.lower() not in {"mqtt", "serial", "iio", "http"} or rest.startswith("//"):
            raise ValueError(
                "mqtt:TOPIC, serial:/dev/ttyUSB0?baud=115200, iio:DEVICE, http:, a file, or - for stdin"
            )
        return f"{scheme.lower()}:{rest}"
    return url


def _rows_or_time(value: object) -> int | float:
    """An int is rows, a float is seconds."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # told below
            value = int(value) if re.fullmatch(r"\d{1,9}", value) else _duration(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_WINDOW:
        return value
    if isinstance(value, float) and 0 < value < math.inf:
        return value
    raise ValueError(f'rows, 1 to {MAX_WINDOW}, or a time, like "500ms" or "2s"')


def _substitute(value: object) -> str | float:
    if isinstance(value, str) and value in {"error", "last"}:
        return value
    with contextlib.suppress(TypeError, ValueError):
        number = float(value)  # type: ignore[arg-type]  # what is none is told below
        if math.isnan(number):
            return math.nan  # this very one, so that equal settings are equal
        if not isinstance(value, bool) and abs(number) <= MAX_FLOAT32:
            return number
    raise ValueError('"error", "last", or a number of float32')


def _delimiter(value: str) -> str:
    if value and (not value.isascii() or value.isalnum() or not (value.isprintable() or value == "\t")):
        raise ValueError("one sign such as ',', ';', a tab or a space; no letter and no digit")
    if value in {'"', "'", ".", "-", "+", "_", "#"}:
        raise ValueError("one sign such as ',', ';', a tab or a space; not one that a value may begin with")
    return value


def _repository(url: str) -> str:
    if url and not re.match(r"https?://[^/\s]\S*$", url):
        raise ValueError('the folder of a repository, like "https://updates.example.org/edged"')
    return url


def _window(value: str) -> str:
    time = r"(?:[01]\d|2[0-3]):[0-5]\d"
    found = re.fullmatch(rf"\s*({time})\s*-\s*({time})\s*", value)
    if value and (not found or found[1] == found[2]):
        raise ValueError('local times from and to, like "01:00-05:00" or "22:30-04:00"; "" is always')
    return f"{found[1]}-{found[2]}" if found else ""


def _rate(value: object) -> object:
    if isinstance(value, str):
        if not value.strip():
            return None
        size, slash, unit = value.partition("/")
        if not slash or unit.strip() != "s":
            raise ValueError('bytes a second, like "2MB/s" or "500KiB/s"; "" is as fast as it goes')
        return size.strip()
    return value


def _message_rate(value: object) -> object:
    """Messages a second."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d{1,6}(?:\.\d+)?)\s*/\s*(s|m|h)\s*", value)
        if not found:
            raise ValueError('a number a second, minute or hour, like "5/s", "60/m", "100/h"')
        return float(found[1]) / _UNITS_S[found[2]]
    return value


def _listen(value: str) -> str:
    if value and not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}", value):
        raise ValueError('"address:port", like "127.0.0.1:9110", or "" for none')
    return value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema(
        {"type": ["string", "number"], "description": 'A duration such as "500ms", "1s", "15m", "7d".'}
    ),
]
Span = Annotated[
    int | float,
    BeforeValidator(_rows_or_time),
    WithJsonSchema(
        {"type": ["integer", "string", "number"], "description": 'Rows, or a duration such as "2s".'}
    ),
]
Rate = Annotated[
    ByteSize,
    Field(ge=MIN_RATE),
    WithJsonSchema(
        {"type": ["string", "integer"], "description": 'Bytes a second, such as "2MB/s" or "500KiB/s".'}
    ),
]
MessageRate = Annotated[
    float,
    BeforeValidator(_message_rate),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema({"type": ["string", "number"], "description": 'Such as "5/s", "60/m", "100/h".'}),
]
"""Messages a second."""
Figure = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, AfterValidator(_topic_part)]
Provider = Annotated[str, AfterValidator(provider_name)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Channel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$")]
Crop = tuple[Fraction, Fraction, Fraction, Fraction]
Polygon = Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3)]
"""Corners in fractions of the frame."""
Area = Annotated[
    tuple[tuple[Fraction, Fraction], ...], Field(min_length=3, max_length=100), AfterValidator(_simple)
]
"""The same, of a polygon that has an inside."""
Way = Annotated[
    tuple[tuple[Fraction, Fraction], ...], Field(min_length=2, max_length=100), AfterValidator(_way)
]
"""Points of a line in fractions of the frame."""
Inertia = Annotated[
    int | float,
    BeforeValidator(_frames_or_time),
    WithJsonSchema(
        {"type": ["integer", "string", "number"], "description": 'Frames, or a duration such as "1s".'}
    ),
]


class Section(BaseModel):
    """A part of the configuration: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class MqttSettings(Section):
    """The broker and how it is spoken to."""

    url: Annotated[str, AfterValidator(_broker)] = Field(
        "mqtt://localhost:1883", description="mqtt://user@host:port or mqtts://…"
    )
    password_file: str = Field("", description="File with the password, or the name of a systemd credential.")
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    base_topic: Annotated[str, Field(pattern=r"^[^#+\s/][^#+\s]*$", max_length=128)] = "edged"
    client_id: str = Field("", description="Default: edged-<device>.", max_length=128)
    keepalive: Duration = 30.0
    qos: int = Field(1, ge=0, le=2, description="Of results.")
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    spool_max_bytes: ByteSize = Field(
        ByteSize(256 * 1024**2), description="Results kept while the broker is away."
    )
    spool_max_age: Duration = 7 * 86400.0
    homeassistant: bool = Field(False, description="Announce everything to Home Assistant (MQTT discovery).")


class StoreSettings(Section):
    """The folder of models."""

    path: Path = Path("/var/lib/edged/models")
    keep_versions: int = Field(
        0, ge=0, description="Of each model, the newest; 0 = all. What serves always stays."
    )


class StateSettings(Section):
    """What must survive a restart: results on their way, and what was switched by command."""

    path: Path | None = Field(
        None,
        description="A folder of this instance alone; default: $STATE_DIRECTORY, /var/lib/edged, or in the home.",
    )


class ModelSettings(Section):
    """One model: where it is, what runs it, what is kept of its answers."""

    path: Path | None = Field(
        None, description="File or version folder; default: the store's folder of this name."
    )
    providers: Annotated[tuple[Provider, ...], Field(min_length=1)] = ("auto",)
    require_provider: bool = Field(
        False, description="Refuse the model rather than run it on another provider."
    )
    min_score: Fraction | None = Field(None, description="Default: the model's own.")
    labels: tuple[str, ...] = Field((), description="Keep only these; empty = all.")
    threads: int | None = Field(
        None, ge=1, le=256, description="Of one inference; default: by cores and cameras."
    )
    callers: int | None = Field(
        None, ge=1, le=16, description="Inferences at once; default: by cores and cameras."
    )
    precision: Literal["auto", "f32", "f16", "bf16"] = Field(
        "auto", description="Of the arithmetic, where the provider lets one choose; auto: float32."
    )
    optimize: Literal["auto", "latency", "throughput"] = Field(
        "auto", description="What the session is tuned for; auto: throughput from the second source on."
    )
    batch: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Frames to one inference at most, where the model allows it; default: as many as pay, measured.",
    )
    timeout: Duration | None = Field(None, description="Of one inference; default: learned while warming up.")
    max_memory: ByteSize | None = Field(
        None,
        description="Of the worker process; default: three quarters of the RAM, four fifths of what is free.",
    )
    swap: Literal["auto", "overlap", "stop-first"] = Field(
        "auto",
        description="Whether a new version is tried beside the old one; auto: while memory allows two.",
    )
    shadow: Fraction = Field(
        0.0, description="Share of live frames that a new version sees before it serves; 0 = no shadow run."
    )
    probation: Duration = Field(
        120.0, description="A new version may be rolled back for so long, and for 200 inferences at least."
    )
    max_latency: Duration | None = Field(
        None, description="Of an inference (p95); a new version that takes longer is rolled back."
    )


class MotionSettings(Section):
    """When a camera's frames are worth looking at. Without this section every chosen frame is."""

    gate: Literal["off", "pixels", "stream", "auto"] = Field(
        "auto",
        description="What motion is seen by: changed pixels, or the sizes of packets before they are decoded.",
    )
    recheck: Duration = Field(
        30.0, description="While nothing moves, a frame is looked at this often all the same."
    )
    off_delay: Duration = Field(
        5.0, description="The topic `motion` says OFF so long after the last motion, with or without a gate."
    )
    hold: Duration = Field(2.0, description="Frames are looked at for so long after the last motion.")
    min_area: Annotated[float, Field(gt=0, le=1)] = Field(
        0.0005, description="Share of the picture that must change in one place to count as motion."
    )
    masks: tuple[Polygon, ...] = Field(
        (), description="Polygons, in fractions of the frame, in which motion does not count."
    )
    regions: bool = Field(
        False, description="Look also at where something moves, at full resolution (gate pixels)."
    )


class TrackSettings(Section):
    """How objects are followed from frame to frame; ``track = false`` is short for ``enabled = false``."""

    enabled: bool = Field(True, description="Detectors only: classifiers have nothing to follow.")
    high_score: Fraction | None = Field(
        None, description="A detection below this begins no track; default: min_score."
    )
    low_score: Fraction = Field(
        0.1, description="A detection down to this goes on with a track that is there already."
    )
    lost: Duration = Field(
        2.0, description="An object that moves and is not found for so long is not followed any more."
    )


class ZoneSettings(Section):
    """A part of the picture: a polygon in fractions of the frame."""

    points: Area
    labels: tuple[str, ...] = Field((), description="Only these count; empty = all.")
    min_score: Fraction = Field(0.0, description="An object counts once it was found with such a score.")
    min_area: Fraction = Field(0.0, description="Of an object's box, as a share of the frame.")
    share: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Of the box that must lie inside; default: its bottom centre must."
    )
    inertia: Inertia = Field(
        3,
        description="Frames in a row, or a time, that an object is inside before it counts, and outside likewise.",
    )
    loitering: Duration | None = Field(
        None, description="An object that stays so long loiters; default: nobody asks."
    )


class LineSettings(Section):
    """A line that objects cross: its points in fractions of the frame."""

    points: Way
    labels: tuple[str, ...] = Field((), description="Only these are counted; empty = all.")
    min_score: Fraction = Field(0.0, description="An object counts once it was found with such a score.")


class MaskSettings(Section):
    """A part of the picture in which objects are ignored, by their bottom centre."""

    points: Area
    labels: tuple[str, ...] = Field((), description="Only these are ignored; empty = all.")


class SnapshotSettings(Section):
    """Pictures of what is followed, the best of each; ``snapshots = true`` is short for the section without keys."""

    enabled: bool = Field(True, description="Without this section there are none.")
    labels: tuple[str, ...] = Field((), description="Only of these; empty = all.")
    view: Literal["both", "full", "crop"] = Field(
        "both",
        description="What they show: the whole frame on `snapshot` and the object on `snapshot/<label>`, or one of "
        "them on both.",
    )
    draw: bool = Field(True, description="Draw the object's box, label and score.")
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    max_width: Annotated[int, Field(ge=16, le=16384)] | None = Field(
        None, description="Pixels; a wider picture is made smaller. Default: as it is."
    )
    margin: Annotated[float, Field(ge=0, le=2)] = Field(
        0.1, description="Around the object of a crop, as a share of its longer side."
    )
    max_rate: MessageRate = Field(0.5, description="Objects that get a picture, at most; default 30/m.")


class PrivacySettings(Section):
    """What nobody outside may see of a camera's pictures, whoever asks for them."""

    masks: tuple[Area, ...] = Field((), description="Polygons, in fractions of the frame, that are blanked.")
    blur: tuple[str, ...] = Field(
        (),
        description="Labels whose boxes are blurred; a picture that no model has looked at does not leave.",
    )


class CameraSettings(Section):
    """One camera: where it is, which models see it, how often."""

    url: Annotated[str, Field(min_length=1), AfterValidator(_camera)] = Field(
        description="rtsp(s)://, http(s)://, v4l2:/dev/video0, a video file, a picture, or a folder of pictures."
    )
    models: Annotated[tuple[Name, ...], Field(min_length=1)]
    fps: Annotated[float, Field(ge=0, le=1000)] = Field(
        0.0, description="Detections a second at most; 0 = all."
    )
    max_age: Duration = Field(
        1.0, description="An older frame is dropped and counted, never published as news."
    )
    publish: Literal["every", "found", "changed", "events"] = "every"
    max_rate: MessageRate | None = Field(
        None,
        description="Detections and updates of events that are sent, together, at most; starts and ends always are. "
        "Default: all.",
    )
    min_score: Fraction | None = Field(
        None, description="Keep only detections of at least this score; default: all that the model gives."
    )
    transport: Literal["auto", "tcp", "udp"] = Field("auto", description="Of RTSP; auto is TCP, then UDP.")
    realtime: bool | None = Field(
        None,
        description="Files only: at the recorded speed, or as fast as the model takes them. Default: not --once.",
    )
    read_timeout: Duration = Field(
        5.0, description="Without a packet for this long, a stream counts as stalled."
    )
    weight: Annotated[float, Field(ge=0.01, le=100)] = Field(
        1.0, description="Share of a busy model's time, beside that of the other cameras."
    )
    decoder: Literal["software", "auto", "vaapi", "qsv", "v4l2m2m", "cuda"] = Field(
        "software", description="Of streams and files; auto: the hardware of this machine, where it has any."
    )
    crop: Annotated[Crop | None, AfterValidator(_area)] = Field(
        None, description="Look at this part only: left, top, right, bottom, in fractions of the frame."
    )
    tiles: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]] = Field(
        (1, 1),
        description="Look at so many parts, across and down, each at the model's size: for small objects.",
    )
    tile_overlap: Annotated[float, Field(ge=0, le=0.5)] = Field(
        TILE_OVERLAP, description="Of neighbouring tiles, as a share of a tile."
    )
    motion: MotionSettings = MotionSettings(gate="off")
    track: Annotated[
        TrackSettings,
        BeforeValidator(_switch),
        WithJsonSchema({"anyOf": [TrackSettings.model_json_schema(), {"type": "boolean"}]}),
    ] = TrackSettings()
    zones: dict[Name, ZoneSettings] = {}
    lines: dict[Name, LineSettings] = {}
    masks: dict[Name, MaskSettings] = {}
    snapshots: Annotated[
        SnapshotSettings,
        BeforeValidator(_switch),
        WithJsonSchema({"anyOf": [SnapshotSettings.model_json_schema(), {"type": "boolean"}]}),
    ] = SnapshotSettings(enabled=False)
    privacy: PrivacySettings = PrivacySettings()

    @field_validator("track")
    @classmethod
    def _followed_for_events(cls, track: TrackSettings, given: ValidationInfo) -> TrackSettings:
        if not track.enabled and given.data.get("publish") == "events":
            raise ValueError('true, as publish = "events" is about what is followed')
        return track

    @field_validator("snapshots")
    @classmethod
    def _of_what_is_followed(cls, snapshots: SnapshotSettings, given: ValidationInfo) -> SnapshotSettings:
        if snapshots.enabled and "track" in given.data and not given.data["track"].enabled:
            raise ValueError("false, as there are no objects to make pictures of with track = false")
        return snapshots


class SensorSettings(Section):
    """One stream of rows: where it is, how it is written, which models score it."""

    url: Annotated[str, Field(min_length=1), AfterValidator(_sensor)] = Field(
        description="mqtt:TOPIC, serial:/dev/ttyUSB0?baud=115200, iio:DEVICE, http:, a followed file, a FIFO, or - "
        "for stdin."
    )
    models: Annotated[tuple[Name, ...], Field(min_length=1)]
    format: Literal["json", "csv", "text"] = Field(
        "json",
        description="Of a row: an object or array, values between delimiters, or a line that is one text.",
    )
    fields: tuple[str, ...] = Field(
        (), description="In the order of the model's features; default: its own names."
    )
    columns: tuple[str, ...] = Field(
        (),
        description="Names of the values of a row, where it has no names: CSV without a header, JSON arrays.",
    )
    delimiter: Annotated[str, Field(max_length=1), AfterValidator(_delimiter)] = Field(
        "",
        description="Between the values of CSV; default: comma, semicolon or tab, whichever the first line has.",
    )
    time: str = Field(
        "",
        description="Field that says when the row was measured; default: timestamp, time, datetime, date or ts.",
    )
    missing: Annotated[Literal["error", "last"] | float, BeforeValidator(_substitute)] = Field(
        "error",
        description="What stands for a missing value: nothing (the row is rejected), the last one, or a number.",
    )
    echo: tuple[str, ...] = Field(
        (), description="Fields of the last row that its result repeats, such as an id."
    )
    window: Span | None = Field(
        None, description='Rows to one inference, or a time like "2s"; default: what the model takes, or 1.'
    )
    stride: Span | None = Field(
        None,
        description="From the start of one window to the next, in rows or as a time; default: the window.",
    )
    gap: Duration | None = Field(None, description="Rows further apart than this never share a window.")
    max_wait: Annotated[
        float,
        BeforeValidator(_duration),
        Field(ge=0, le=60),
        WithJsonSchema({"type": ["string", "number"], "description": 'A duration, "60s" at most.'}),
    ] = Field(
        0.0,
        description="How long a row may wait for others to be scored with it; 0 = it takes those that wait already.",
    )
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10_000,
        description="Windows that may wait for a model before the source is held back, or the oldest go.",
    )
    publish: Literal["every", "changed", "anomaly"] = "every"
    per_message: Annotated[int, Field(ge=1, le=4096)] = Field(
        1,
        description="Results to one message at most, of rows that were scored together: for thousands a second.",
    )
    normal: tuple[str, ...] = Field(("normal",), description="Labels of a classifier that are no anomaly.")
    above: Figure | None = Field(None, description="A value or anomaly score above this is an anomaly.")
    below: Figure | None = Field(None, description="A value or anomaly score below this is an anomaly.")
    raise_after: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1, description="Anomalous windows in a row that raise the alarm."
    )
    clear_after: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1, description="Windows in a row without anomaly that clear it."
    )
    read_timeout: Duration | None = Field(
        None, description="Without a row for this long, the sensor counts as offline; default: never."
    )

    @field_validator("stride")
    @classmethod
    def _like_the_window(cls, stride: int | float | None, given: ValidationInfo) -> int | float | None:
        if stride is None or "window" not in given.data:
            return stride
        window_is_time, stride_is_time = (isinstance(one, float) for one in (given.data["window"], stride))
        if window_is_time and not stride_is_time:
            raise ValueError('a time like "2s", as window is one')
        if stride_is_time and not window_is_time:
            raise ValueError("rows, as long as window is no time")
        return stride

    @field_validator("below")
    @classmethod
    def _not_over_above(cls, below: float | None, given: ValidationInfo) -> float | None:
        above = given.data.get("above")
        if below is not None and above is not None and below > above:
            raise ValueError(f"{above:g} at most, which is above: otherwise every value is an anomaly")
        return below


class UpdatesSettings(Section):
    """Models from afar: where they are, whose signatures count, when they are asked for."""

    url: Annotated[str, AfterValidator(_repository)] = Field(
        "", description="Folder of a repository of `edged publish`, http(s)://…; empty = no updates."
    )
    root: Annotated[Path | None, Field(validate_default=True)] = Field(
        None, description="The repository's root metadata: the keys that are trusted."
    )
    interval: Annotated[Duration, Field(ge=1)] = Field(
        900.0, description="Between two questions, by chance a tenth more or less."
    )
    channel: Channel = Field("stable", description="Of models that `channels` does not name.")
    channels: dict[Name, Channel] = Field({}, description="Of single models.")
    window: Annotated[str, AfterValidator(_window)] = Field(
        "", description='Local time in which may be downloaded, like "01:00-05:00"; empty = always.'
    )
    max_rate: Annotated[Rate | None, BeforeValidator(_rate)] = Field(
        None, description="Of downloads; default: as fast as it goes."
    )

    @field_validator("root")
    @classmethod
    def _with_the_address(cls, root: Path | None, given: ValidationInfo) -> Path | None:
        if root is None and given.data.get("url"):
            raise ValueError("the path of the repository's root.json, as updates.url is set")
        return root


class HttpSettings(Section):
    """The local endpoint."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9110"


def is_path(url: str) -> bool:
    """Whether a camera's address names a file or folder of this machine rather than a stream or a device."""
    return not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://|v4l2:|\$\{", url)


def is_sensor_path(url: str) -> bool:
    """Whether a sensor's address names a file or FIFO of this machine."""
    return url != "-" and not re.match(r"(mqtt|serial|iio|http):", url)
