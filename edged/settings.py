"""The configuration: TOML, overridden by the environment, checked before anything starts.

Every key of the contract is here with its type, its default and its bounds; the JSON Schema comes from these classes.
A stage gets its own section and never the whole. Reading touches no camera, no broker and no model.
"""

import contextlib
import math
import os
import re
import socket
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from edged.errors import ConfigurationError, InputNotFound
from edged.urls import broker_address, redacted

CONFIG_LOCATIONS = (Path("edged.toml"), Path("/etc/edged/edged.toml"))

MAX_WINDOW = 1_000_000
"""Rows."""
MAX_FLOAT32 = 3.4028234e38

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


def _listen(value: str) -> str:
    if value and not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}", value):
        raise ValueError('"address:port", like "127.0.0.1:9110", or "" for none')
    return value


def provider_name(value: str) -> str:
    """``value``, if it is how a provider is asked for.

    Raises:
        ValueError: It is not; the text says what is allowed.
    """
    if not re.fullmatch(r"auto|cpu|(openvino|cuda|tensorrt)(:[A-Za-z0-9_.,:-]+)?", value):
        raise ValueError(
            '"auto", "cpu", "openvino", "cuda" or "tensorrt", with a device as in "openvino:GPU"'
        )
    return value


def _host_name() -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname().split(".")[0])
    return re.sub(r"^[^A-Za-z0-9]+", "", name)[:64] or "edged"


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
Figure = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, AfterValidator(_topic_part)]
Provider = Annotated[str, AfterValidator(provider_name)]
Fraction = Annotated[float, Field(ge=0, le=1)]


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
    """When a camera's frames are worth looking at."""

    gate: Literal["off", "pixels", "stream", "auto"] = "auto"


class ZoneSettings(Section):
    """A polygon in fractions of the frame."""

    points: Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3)]
    labels: tuple[str, ...] = ()


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
    publish: Literal["every", "found", "changed"] = "every"
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
    motion: MotionSettings = MotionSettings()
    zones: dict[Name, ZoneSettings] = {}


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


class HttpSettings(Section):
    """The local endpoint."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9110"


class Settings(BaseSettings):
    """All of it. Only the commands and the service see this class."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, validate_default=True, env_prefix="EDGED_", env_nested_delimiter="__"
    )

    given_first: ClassVar[bool] = False
    """Whether what the caller passes counts more than the environment."""

    device: Name = Field(default_factory=_host_name, description="Default: the host name.")
    mqtt: MqttSettings = MqttSettings()
    store: StoreSettings = StoreSettings()
    state: StateSettings = StateSettings()
    models: dict[Name, ModelSettings] = {}
    cameras: dict[Name, CameraSettings] = {}
    sensors: dict[Name, SensorSettings] = {}
    http: HttpSettings = HttpSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What counts more comes first."""
        return (init_settings, env_settings) if cls.given_first else (env_settings, init_settings)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The effective settings and where each came from.

    Attributes:
        settings: Checked.
        origin: ``"mqtt.url"`` → ``"environment EDGED_MQTT__URL"``, the file's path, or ``"command line"``; keys that
            are missing here have their default.
        path: The file, or None where none was read.
    """

    settings: Settings
    origin: Mapping[str, str]
    path: Path | None

    def warnings(self) -> Iterator[str]:
        """A line for each accepted key that this version does not act on yet."""
        settings, name = self.settings, str(self.path or "command line")
        for camera, section in settings.cameras.items():
            if section.zones:
                yield f"{name}: cameras.{camera}.zones is accepted, but this version knows no zones; it has no effect"
            if section.motion.gate in {"pixels", "stream"}:
                yield f"{name}: cameras.{camera}.motion.gate is accepted, but this version looks at every chosen frame"


class CommandLineSettings(Settings):
    """Settings given on the command line, which count more than the environment."""

    given_first: ClassVar[bool] = True


def find_config(path: Path | None) -> Path:
    """The file to read: ``path``, ``$EDGED_CONFIG``, ``./edged.toml`` or ``/etc/edged/edged.toml``.

    Raises:
        ConfigurationError: There is none.
    """
    if path is None and os.environ.get("EDGED_CONFIG"):
        path = Path(os.environ["EDGED_CONFIG"])
    if path is not None:
        return path
    for candidate in CONFIG_LOCATIONS:
        if candidate.is_file():
            return candidate
    raise ConfigurationError(
        "configuration",
        f"none found at {' or '.join(map(str, CONFIG_LOCATIONS))}",
        "name one with -c FILE or EDGED_CONFIG, or run with --camera URL --model PATH",
    )


def load_settings(path: Path) -> LoadedSettings:
    """Read and check a file. Relative paths in it count from its folder.

    Raises:
        InputNotFound: The file is not there.
        ConfigurationError: It cannot be read, is not TOML, or a key or value is wrong.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise InputNotFound(
            str(path), "no such file", "name an existing configuration with -c FILE"
        ) from error
    except IsADirectoryError as error:
        raise ConfigurationError(str(path), "is a folder", "name the file in it") from error
    except OSError as error:
        raise ConfigurationError(
            str(path), f"cannot be read ({error.strerror})", "check its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(path), "is not UTF-8 text", "save it as UTF-8") from error
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(path), f"is not TOML ({error})", "correct that line") from error
    return check_settings(given, name=str(path), path=path)


def check_settings(given: Mapping[str, Any], *, name: str, path: Path | None = None) -> LoadedSettings:
    """Check settings given as nested tables.

    Args:
        given: What a TOML file holds.
        name: Where they come from, for errors.
        path: The file, whose folder relative paths count from, and which counts less than the environment. None where
            they stand on the command line: relative to the working folder, and above the environment.

    Raises:
        ConfigurationError: The first wrong key or value, with what is allowed.
    """
    try:
        environment = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigurationError(
            "environment", f"{error}", 'a list is written as JSON, like ["openvino", "cpu"]'
        ) from error
    _check_environment()
    from_given = {".".join(key): name for key, _ in _leaves(given)}
    from_environment = {
        ".".join(key): "environment EDGED_" + "__".join(key).upper() for key, _ in _leaves(environment)
    }
    origin = from_given | from_environment if path else from_environment | from_given
    try:
        settings = Settings(**given) if path else CommandLineSettings(**given)
    except ValidationError as error:
        # An unknown key first: it is the reason why a required one is missing.
        first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        raise _explain(first, name=name, origin=origin) from error
    settings = _resolved(settings, path.parent if path else Path())
    return LoadedSettings(settings, origin, path)


def _check_environment() -> None:
    """A misspelled section of the environment would otherwise be ignored."""
    for variable in os.environ:
        section, _, rest = variable.removeprefix("EDGED_").partition("__")
        if not variable.startswith("EDGED_") or not rest or section.lower() in Settings.model_fields:
            continue
        near = get_close_matches(section.lower(), Settings.model_fields, n=1)
        hint = f"did you mean EDGED_{near[0].upper()}__{rest}?" if near else "see docs/configuration.md"
        raise ConfigurationError("environment", f"unknown section {section.lower()!r} in {variable}", hint)


def _leaves(table: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def _explain(detail: ErrorDetails, *, name: str, origin: Mapping[str, str]) -> ConfigurationError:
    location = [str(part) for part in detail["loc"] if part != "[key]"]
    key = ".".join(location)
    place = next((origin[k] for k in (key, key.rsplit(".", 1)[0]) if k in origin), name)
    if detail["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return ConfigurationError(place, f"unknown key {key!r}", hint)
    if detail["type"] == "missing":
        return ConfigurationError(place, f"{key!r} is missing", "add it")
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    value = redacted(repr(detail["input"]))
    shown = value if len(value) <= 80 else value[:77] + "…"
    return ConfigurationError(place, f"{key!r} is {shown}", f"allowed: {message}")


def _known_keys(location: list[str]) -> list[str]:
    """Keys allowed at a place of the configuration."""
    fields: Any = Settings
    names = iter(location)
    for part in names:
        annotation = fields.model_fields[part].annotation
        if getattr(annotation, "__origin__", None) is dict:
            next(names, None)
            annotation = annotation.__args__[1]
        fields = annotation
    return list(fields.model_fields)


def _resolved(settings: Settings, folder: Path) -> Settings:
    """The same settings with file names that count from ``folder``, and a section for each model named by a source.

    A model that is only named is looked for in the store, so naming it needs no section of its own.
    """

    def absolute(value: str) -> str:
        return str(folder / Path(value).expanduser()) if value else value

    named = {name for camera in settings.cameras.values() for name in camera.models}
    named |= {name for sensor in settings.sensors.values() for name in sensor.models}
    models = {
        name: model.model_copy(update={"path": folder / model.path.expanduser()}) if model.path else model
        for name, model in (dict.fromkeys(sorted(named), ModelSettings()) | settings.models).items()
    }
    cameras = {
        name: camera.model_copy(update={"url": absolute(camera.url)}) if is_path(camera.url) else camera
        for name, camera in settings.cameras.items()
    }
    sensors = {
        name: sensor.model_copy(update={"url": absolute(sensor.url)})
        if is_sensor_path(sensor.url)
        else sensor
        for name, sensor in settings.sensors.items()
    }
    tls = {key: absolute(getattr(settings.mqtt, key)) for key in ("ca_file", "cert_file", "key_file")}
    store = settings.store.model_copy(update={"path": folder / settings.store.path.expanduser()})
    mqtt = settings.mqtt.model_copy(update=tls)
    state = settings.state
    if state.path:
        state = state.model_copy(update={"path": folder / state.path.expanduser()})
    sections = {
        "models": models,
        "cameras": cameras,
        "sensors": sensors,
        "store": store,
        "state": state,
        "mqtt": mqtt,
    }
    return settings.model_copy(update=sections)


def is_path(url: str) -> bool:
    """Whether a camera's address names a file or folder of this machine rather than a stream or a device."""
    return not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://|v4l2:|\$\{", url)


def is_sensor_path(url: str) -> bool:
    """Whether a sensor's address names a file or FIFO of this machine."""
    return url != "-" and not re.match(r"(mqtt|serial|iio|http):", url)
