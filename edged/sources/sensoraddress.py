"""What a sensor's address names.

mqtt:TOPIC                          a topic of the broker; may hold wildcards
serial:/dev/ttyUSB0?baud=115200     bytesize, parity, stopbits
iio:accel                           a device of Linux' Industrial I/O; channels, rate, trigger, length, sysfs, dev
http:                               posted to our own endpoint
-                                   standard input
/var/log/pump.csv                   anything else is a path: of a file that is followed, or of a FIFO
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, get_args
from urllib.parse import parse_qsl

from edged.errors import ConfigurationError

SensorKind = Literal["mqtt", "serial", "iio", "http", "stdin", "path"]

OPTIONS: Mapping[SensorKind, tuple[str, ...]] = {
    "serial": ("baud", "bytesize", "parity", "stopbits"),
    "iio": ("channels", "rate", "trigger", "length", "sysfs", "dev"),
}
"""What may stand behind the ``?``, by kind. A topic or a path has no options: a ``?`` is a part of it."""


@dataclass(frozen=True, slots=True)
class SensorAddress:
    """An address, taken apart.

    Attributes:
        kind: Of source.
        target: The topic, the device, the path; empty for ``http:`` and standard input.
        options: As written; only such as the kind knows.
        key: Where it is written, for errors: ``sensors.<name>.url``.
    """

    kind: SensorKind
    target: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    key: str = "url"

    def whole_number(self, option: str, default: int) -> int:
        """An option that is 1 or more.

        Raises:
            ConfigurationError: It is something else.
        """
        text = self.options.get(option, str(default))
        if text.isdecimal() and 1 <= int(text) < 2**31:
            return int(text)
        raise self.bad_option(option, "a number, 1 or more")

    def one_of(self, option: str, allowed: Mapping[str, float | str], default: str) -> float | str:
        """What an option stands for.

        Raises:
            ConfigurationError: It is none of them.
        """
        text = self.options.get(option, default)
        if text in allowed:
            return allowed[text]
        raise self.bad_option(option, ", ".join(allowed))

    def bad_option(self, option: str, allowed: str) -> ConfigurationError:
        """An option whose value is not allowed."""
        problem = f"{option}={self.options.get(option, '')} is not allowed"
        return ConfigurationError(self.key, problem, f"{option} is {allowed}")


def sensor_address(url: str, *, key: str = "url") -> SensorAddress:
    """Take ``url`` apart. Nothing is looked up or opened.

    Args:
        url: As in ``sensors.<name>.url``.
        key: Where it is written, for errors.

    Raises:
        ConfigurationError: Nothing is named behind the colon, or an option is unknown or given twice.
    """
    if url == "-":
        return SensorAddress("stdin", key=key)
    scheme, colon, target = url.partition(":")
    kind = _kind(scheme) if colon else None
    if kind is None:
        return SensorAddress("path", url, key=key)
    if kind == "http":
        if target:
            raise ConfigurationError(
                key, f"{url} says more than http:", "write http: alone; rows are posted to us"
            )
        return SensorAddress(kind, key=key)
    options: Mapping[str, str] = {}
    if kind in OPTIONS:
        target, _, query = target.partition("?")
        options = _options(kind, query, key)
    if not target:
        raise ConfigurationError(key, f"{url} names nothing", _EXAMPLES[kind])
    return SensorAddress(kind, target, options, key)


_EXAMPLES: Mapping[SensorKind, str] = {
    "mqtt": "write mqtt:TOPIC, like mqtt:factory/pump/vibration",
    "serial": "write serial:DEVICE, like serial:/dev/ttyUSB0?baud=115200",
    "iio": "write iio:DEVICE, like iio:device0, or its name",
}


def _kind(scheme: str) -> SensorKind | None:
    found = [
        kind for kind in get_args(SensorKind) if kind == scheme.lower() and kind not in {"stdin", "path"}
    ]
    return found[0] if found else None


def _options(kind: SensorKind, query: str, key: str) -> Mapping[str, str]:
    options: dict[str, str] = {}
    allowed = OPTIONS[kind]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in allowed:
            near = get_close_matches(name, allowed, 1)
            remedy = f"did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                key, f"{kind}: has no option {name}", f"{remedy}allowed are {', '.join(allowed)}"
            )
        if name in options:
            raise ConfigurationError(key, f"{name} is given twice", "keep one of them")
        options[name] = value
    return options
