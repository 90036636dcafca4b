"""The section of a camera, and those within it."""

import re
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from edged.bounds import TILE_OVERLAP
from edged.sections.values import UNITS_S, Duration, Fraction, Name, Section, count_or_time
from edged.urls import begins_with_credential, server_scheme

MAX_INERTIA = 3600
"""Frames or seconds."""
Points = tuple[tuple[float, float], ...]


def _camera(url: str) -> str:
    if url.startswith("${"):
        if not begins_with_credential(url):
            raise ValueError("${credential:NAME}, of letters, digits, '_', '-' and '.'")
    elif url == "v4l2:":
        raise ValueError("v4l2: and a device, like v4l2:/dev/video0")
    elif "://" in url:
        if url != url.strip():
            raise ValueError("an address without blanks before and behind it")
        stream_scheme(url)
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


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return {"enabled": value}
    if isinstance(value, int | float | str):
        raise ValueError("true, false, or a table with keys of its own")  # noqa: TRY004  # pydantic's way
    return value


def _message_rate(value: object) -> object:
    """Messages a second."""
    if not isinstance(value, str | bool):
        return value
    found = re.fullmatch(r"\s*(\d{1,6}(?:\.\d+)?)\s*/\s*(s|m|h)\s*", str(value))
    if not found:
        raise ValueError('a number a second, minute or hour, like "5/s", "60/m", "100/h"')
    return float(found[1]) / UNITS_S[found[2]]


MessageRate = Annotated[
    float,
    BeforeValidator(_message_rate),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema({"type": ["string", "number"], "description": 'Such as "5/s", "60/m", "100/h".'}),
]
"""Messages a second."""
Tiles = Annotated[int, Field(ge=1, le=8)]
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
    BeforeValidator(partial(count_or_time, unit="frames", most=MAX_INERTIA, most_s=MAX_INERTIA)),
    WithJsonSchema(
        {"type": ["integer", "string", "number"], "description": 'Frames, or a duration such as "1s".'}
    ),
]


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
    tiles: tuple[Tiles, Tiles] = Field(
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
    zones: dict[Name, ZoneSettings] = Field({})
    lines: dict[Name, LineSettings] = Field({})
    masks: dict[Name, MaskSettings] = Field({})
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


def stream_scheme(url: str) -> str:
    """The scheme of a stream's address, in lower case. All that can be known of it without the network is looked at.

    Raises:
        ValueError: No stream has such an address; the text says what is allowed.
    """
    try:
        return server_scheme(url, ("rtsp", "rtsps", "http", "https"))
    except ValueError as error:
        raise ValueError(
            "rtsp(s)://host/path, http(s)://host/path, v4l2:/dev/video0, a file or a folder; "
            "a port is 1 to 65535, and signs like / # ? of a password are %2F %23 %3F"
        ) from error


def is_path(url: str) -> bool:
    """Whether a camera's address names a file or folder of this machine rather than a stream or a device."""
    return not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://|v4l2:|\$\{", url)
