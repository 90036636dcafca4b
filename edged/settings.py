"""The configuration read: TOML, overridden by the environment, checked before anything starts.

What may stand in it is in `edged.sections`. Reading touches no camera, no broker and no model.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from edged.allowed import allowed
from edged.environment import from_environment, variable, without_effect
from edged.errors import ConfigurationError, InputNotFound
from edged.machine import host_name
from edged.sections import (
    CameraSettings,
    HttpSettings,
    ModelSettings,
    MqttSettings,
    Name,
    SensorSettings,
    StateSettings,
    StoreSettings,
    UpdatesSettings,
    is_path,
    is_sensor_path,
    limits_of,
)
from edged.urls import redacted

CONFIG_LOCATIONS = (Path("edged.toml"), Path("/etc/edged/edged.toml"))


class Settings(BaseModel):
    """All of it. Only the commands and the service see this class."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    device: Name = Field(default_factory=host_name, description="Default: the host name.")
    mqtt: MqttSettings = MqttSettings()
    store: StoreSettings = StoreSettings()
    state: StateSettings = StateSettings()
    models: dict[Name, ModelSettings] = {}
    cameras: dict[Name, CameraSettings] = {}
    sensors: dict[Name, SensorSettings] = {}
    updates: UpdatesSettings = UpdatesSettings()
    http: HttpSettings = HttpSettings()


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
        """A line for each accepted key that has no effect."""
        settings, name = self.settings, str(self.path or "command line")
        yield from without_effect(Settings)
        for camera, section in settings.cameras.items():
            if section.motion.gate == "stream" and section.motion.masks:
                yield f'{name}: cameras.{camera}.motion.masks has no effect with gate "stream": packets know no places'
        if settings.updates.root and not settings.updates.url:
            yield f"{name}: updates.root has no effect without updates.url"
        for model in settings.updates.channels:
            if model not in settings.models or settings.models[model].path:
                why = (
                    "models.path names where it is" if model in settings.models else "there is no such model"
                )
                yield f"{name}: updates.channels.{model} has no effect: {why}"


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
        text = path.read_bytes().decode("utf-8").removeprefix("\ufeff")
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
        return check_settings(_tables(text, path), name=str(path), path=path)
    except RecursionError as error:  # of the parser, or of who walks through what it read
        raise ConfigurationError(str(path), "is nested too deeply", "see docs/configuration.md") from error


def _tables(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also of a number with thousands of digits
        raise ConfigurationError(str(path), f"is not TOML ({error})", "correct that line") from error


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
    environment = from_environment(Settings)
    from_given = {".".join(key): name for key, _ in _leaves(given)}
    from_variables = {
        (key := ".".join(parts)): f"environment {variable(key)}" for parts, _ in _leaves(environment)
    }
    origin = from_given | from_variables if path else from_variables | from_given
    try:
        settings = Settings(**(_merged(given, environment) if path else _merged(environment, given)))
    except ValidationError as error:
        # An unknown key first: it is the reason why a required one is missing.
        first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        raise _explain(first, name=name, origin=origin) from error
    settings = _resolved(settings, path.parent if path else Path())
    _require_lookouts(settings, name=name, origin=origin)
    return LoadedSettings(settings, origin, path)


def _require_lookouts(settings: Settings, *, name: str, origin: Mapping[str, str]) -> None:
    """What is to be blurred must be kept by a model of the camera: otherwise it would not be known where it is."""
    for camera, section in settings.cameras.items():
        key = f"cameras.{camera}.privacy.blur"
        kept = [settings.models[model].labels for model in section.models]
        for label in section.privacy.blur:
            if all(labels and label not in labels for labels in kept):
                raise ConfigurationError(
                    origin.get(key, name),
                    f"{key!r} names {label!r}, and models.{section.models[0]}.labels does not keep it",
                    "add it there, and hide it from messages with a mask of this label if need be",
                )


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, table by table; what stands in ``over`` counts more."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def _leaves(table: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def _explain(detail: ErrorDetails, *, name: str, origin: Mapping[str, str]) -> ConfigurationError:
    location = [str(part) for part in detail["loc"] if part != "[key]"]
    key = ".".join(location)
    place = _place(location, name, origin)
    if detail["type"] == "extra_forbidden":
        known = list(_table(location[:-1]).model_fields)
        near = get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return ConfigurationError(place, f"unknown key {key!r}", hint)
    if detail["type"] == "missing":
        remedy = f"add {variable(key)}" if place.startswith("environment ") else "add it"
        return ConfigurationError(place, f"{key!r} is missing", remedy)
    value = redacted(repr(detail["input"]))
    shown = value if len(value) <= 80 else value[:77] + "…"
    return ConfigurationError(place, f"{key!r} is {shown}", f"allowed: {_allowed(detail, location)}")


def _allowed(detail: ErrorDetails, location: list[str]) -> str:
    try:
        field = _table(location[:-1]).model_fields[location[-1]]
    except (KeyError, AttributeError):  # a part of a value
        return redacted(allowed(detail))
    return redacted(allowed(detail, limits_of(field)))


def _place(location: list[str], name: str, origin: Mapping[str, str]) -> str:
    """Where it stands: the key, what it is a part of, or else the table whose keys say where that stands."""
    for length in range(len(location), 0, -1):
        key = ".".join(location[:length])
        if key in origin:
            return origin[key]
        beside = [place for other, place in origin.items() if other.startswith(f"{key}.")]
        if beside:
            return name if name in beside else beside[0]
    return name


def _table(location: list[str]) -> Any:
    """The class of the section at a place of the configuration."""
    fields: Any = Settings
    names = iter(location)
    for part in names:
        annotation = fields.model_fields[part].annotation
        if getattr(annotation, "__origin__", None) is dict:
            next(names, None)
            annotation = annotation.__args__[1]
        fields = annotation
    return fields


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
    updates = settings.updates
    if updates.root:
        updates = updates.model_copy(update={"root": folder / updates.root.expanduser()})
    sections = {
        "models": models,
        "cameras": cameras,
        "sensors": sensors,
        "store": store,
        "state": state,
        "mqtt": mqtt,
        "updates": updates,
    }
    return settings.model_copy(update=sections)
