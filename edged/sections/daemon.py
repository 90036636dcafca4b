"""The sections of the daemon itself: broker, store, state, models, updates, the local endpoint."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from edged.bounds import provider_name
from edged.sections.values import Duration, Fraction, Name, Section
from edged.urls import broker_address, require_listening_address, server_scheme

MIN_RATE = 4096
"""Bytes a second: below this a model takes days."""


def _broker(url: str) -> str:
    try:
        if url:
            broker_address(url)
    except ValueError as error:
        raise ValueError("mqtt://host:1883 or mqtts://user@host:8883, with nothing after the port") from error
    return url


def _topic(value: str) -> str:
    if not re.fullmatch(_TOPIC, value) or not value.isprintable():
        raise ValueError(
            'levels of a topic, like "edged" or "site/edged", without #, + and spaces; the first is not empty and '
            "does not begin with $, which is the broker's own"
        )
    return value


def _channel(value: str) -> str:
    if not re.fullmatch(_CHANNEL, value):
        raise ValueError(
            "letters, digits, '.', '_' and '-' (50 at most), of which the first is a letter or a digit"
        )
    return value


def _repository(url: str) -> str:
    if not url:
        return url
    allowed = 'the folder of a repository, like "https://updates.example.org/edged" or "http://10.0.0.9:8080"'
    if re.search(r"\s", url):
        raise ValueError(allowed)
    try:
        server_scheme(url, ("https", "http"))
    except ValueError as error:
        raise ValueError(allowed) from error
    return url


def _window(value: str) -> str:
    time = r"(?:[01]\d|2[0-3]):[0-5]\d"
    found = re.fullmatch(rf"\s*({time})\s*-\s*({time})\s*", value)
    if value and (not found or found[1] == found[2]):
        raise ValueError('local times from and to, like "01:00-05:00" or "22:30-04:00"; "" is always')
    return f"{found[1]}-{found[2]}" if found else ""


def _rate(value: object) -> object:
    if not isinstance(value, str | bool):
        return value
    if value == "" or str(value).isspace():
        return None
    size, slash, unit = str(value).partition("/")
    if not slash or unit.strip() != "s":
        raise ValueError('bytes a second, like "2MB/s" or "500KiB/s"; "" is as fast as it goes')
    return size.strip()


def _listen(value: str) -> str:
    if value:
        require_listening_address(value)
    return value


Rate = Annotated[
    ByteSize,
    Field(ge=MIN_RATE),
    WithJsonSchema(
        {"type": ["string", "integer"], "description": 'Bytes a second, such as "2MB/s" or "500KiB/s".'}
    ),
]
Provider = Annotated[str, AfterValidator(provider_name)]
_TOPIC = r"^[^#+\s/$][^#+\s]*$"
_CHANNEL = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$"
Channel = Annotated[str, AfterValidator(_channel), WithJsonSchema({"type": "string", "pattern": _CHANNEL})]


class MqttSettings(Section):
    """The broker and how it is spoken to."""

    url: Annotated[str, AfterValidator(_broker)] = Field(
        "mqtt://localhost:1883", description="mqtt://user@host:port or mqtts://…"
    )
    password_file: str = Field("", description="File with the password, or the name of a systemd credential.")
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    base_topic: Annotated[
        str,
        Field(max_length=128, json_schema_extra={"pattern": _TOPIC}),
        AfterValidator(_topic),
    ] = "edged"
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
