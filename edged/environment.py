"""What the environment says of the configuration: ``EDGED_SECTION__KEY=value``.

A variable that looks like a key and is none is an error; one that looks like no key may be somebody else's, such as
Kubernetes' ``EDGED_SERVICE_HOST``, and is only told of.
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast, get_args

from edged.errors import ConfigurationError
from edged.urls import redacted

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_settings import BaseSettings

PREFIX = "EDGED_"
NO_SETTINGS = ("CONFIG", "ASSETS", "DEB")
"""Variables of edged, its tests and its packages that are no keys, behind the prefix."""
NO_SETTINGS_BEGIN = ("PUBLISH_", "TEST_", "FUZZ_", "SOAK_", "SYSTEMD_", "VM_")
"""Beginnings of others."""
ALIKE = 0.8
"""Of two names, from which on one is taken for a misspelling of the other; SERVICE is none of DEVICE."""
SHOWN = 80
"""Signs of a value in an error."""


def from_environment(settings: "type[BaseModel]") -> dict[str, Any]:
    """Nested tables of the variables that are set.

    Args:
        settings: Whose fields the sections are.

    Raises:
        ConfigurationError: A variable is a misspelt key, or its value cannot be read as what its key takes.
    """
    names = _names()
    if not names:
        return {}
    for name in names:
        _check_name(name, settings)
    return _read(settings, names)


def without_effect(settings: "type[BaseModel]") -> Iterator[str]:
    """A line for each variable that begins like ours and is no key."""
    for name in _names():
        if "__" not in name and name.removeprefix(PREFIX).lower() not in settings.model_fields:
            yield f"environment: {name} has no effect: it is no key"


def variable(key: str) -> str:
    """The variable of a key.

    >>> variable("mqtt.url")
    'EDGED_MQTT__URL'
    """
    return PREFIX + key.replace(".", "__").upper()


def _names() -> list[str]:
    """Of variables that may be keys, in capitals."""
    ours = (name.upper() for name in os.environ)
    return sorted(
        name
        for name in ours
        if name.startswith(PREFIX)
        and (rest := name.removeprefix(PREFIX)) not in NO_SETTINGS
        and not rest.startswith(NO_SETTINGS_BEGIN)
    )


def _check_name(name: str, settings: "type[BaseModel]") -> None:
    rest = name.removeprefix(PREFIX)
    section, levels, key = rest.partition("__")
    known = [field.upper() for field in settings.model_fields]
    if section in known and (key or not levels):
        return
    if key:
        near = get_close_matches(section, known, n=1)
        hint = f"did you mean {PREFIX}{near[0]}__{key}?" if near else "see docs/configuration.md"
        raise ConfigurationError("environment", f"unknown section {section.lower()!r} in {name}", hint)
    if meant := _meant(rest.rstrip("_"), settings):
        remedy = f"did you mean {PREFIX}{meant}? __ stands between levels"
        raise ConfigurationError("environment", f"unknown key {name}", remedy)


def _meant(rest: str, settings: "type[BaseModel]") -> str:
    """The variable that one without levels was meant to be, behind the prefix; empty where it is like none.

    Kubernetes sets ``EDGED_MQTT_PORT`` and more where a service is called ``edged-mqtt``, and others have an
    ``EDGED_MODEL`` of their own: a section alone does not make a key.
    """
    known = {name.upper(): _keys(field.annotation) for name, field in settings.model_fields.items()}
    plain = [name for name, keys in known.items() if keys is None]
    if near := get_close_matches(rest, plain, n=1, cutoff=ALIKE if "_" not in rest else 1.0):
        return near[0]
    section, _, key = rest.partition("_")
    for name in get_close_matches(section, known, n=1, cutoff=ALIKE):
        keys = known[name] or ()
        if near := get_close_matches(key, keys, n=1, cutoff=ALIKE):
            return f"{name}__{near[0]}"
        for one in keys:  # of a table of tables: EDGED_CAMERAS_FRONT_URL
            if key.endswith(f"_{one}") and len(key) > len(one) + 1:
                return f"{name}__{key.removesuffix(f'_{one}')}__{one}"
    return ""


def _keys(annotation: Any) -> list[str] | None:
    """Keys of a section, or of the tables in it, in capitals; None where it is no table."""
    for kind in (annotation, *get_args(annotation)):
        if fields := getattr(kind, "model_fields", None):
            return [name.upper() for name in fields]
    return None


def _read(settings: "type[BaseModel]", names: list[str]) -> dict[str, Any]:
    from pydantic_settings import EnvSettingsSource, SettingsError  # noqa: PLC0415  # a tenth of a start

    source = EnvSettingsSource(
        cast("type[BaseSettings]", settings), env_prefix=PREFIX, env_nested_delimiter="__"
    )
    every: Mapping[str, str | None] = source.env_vars
    try:
        return source()
    except SettingsError as error:
        for name in names:
            source.env_vars = {name.lower(): every.get(name.lower())}
            try:
                source()
            except SettingsError:
                raise _unreadable(name, str(every.get(name.lower()))) from error
        raise ConfigurationError("environment", str(error), "correct that variable") from error


def _unreadable(name: str, value: str) -> ConfigurationError:
    key = name.removeprefix(PREFIX).lower().replace("__", ".")
    shown = redacted(repr(value))
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
    return ConfigurationError(
        f"environment {name}",
        f"{key!r} is {shown}",
        'allowed: JSON; a list is written like ["openvino", "cpu"], a table like {"min_score": 0.4}',
    )
