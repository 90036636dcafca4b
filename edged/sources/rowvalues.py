"""What rows of every format have in common: which values are wanted, and what counts as a number. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edged.manifest import RowRecipe
from edged.sections import SensorSettings
from edged.sources.timestamps import WELL_KNOWN, time_name

MAX_ROW_BYTES = 1_000_000
"""A longer line is no row, and nothing of it but its beginning is kept."""
MAX_NUMBER = float(np.finfo(np.float32).max)
"""Models compute in float32; a larger number would reach them as infinity."""
MAX_ECHO = 200
"""Characters of a text that is repeated."""
MAX_REJECTED_TEXT = 80

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)

Echo = str | int | float | bool
Line = tuple[int, bytes]
"""Of a stream: its number from 1, and what it says, without its end."""


class Unusable(ValueError):
    """A row, or its layout, cannot be used. ``str()`` says why, in words for the one who set the sensor up."""


RowFormat = Literal["json", "csv", "text"]


@dataclass(frozen=True, slots=True)
class RowSpec:
    """What must be known to read the rows of a sensor; for equal ones the same reading does.

    Attributes:
        format: Of a payload: JSON, values between delimiters, or lines that are texts.
        features: How many the model takes; 0 = unknown, then whatever comes first.
        fields: Names of the values that are the features, in their order; empty = all there are, by position.
        texts: Positions of the features that are texts.
        columns: Names of the values of a row that has none: CSV without a header, JSON arrays.
        delimiter: Of CSV; empty = whichever the first line has.
        time: The field that says when the row was measured; empty = one with a well-known name.
        missing: What stands for a value that is not there: nothing (``error``: the row is rejected), the last one, or
            a number.
        echo: Fields that results repeat.
    """

    format: RowFormat = "json"
    features: int = 0
    fields: tuple[str, ...] = ()
    texts: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    delimiter: str = ""
    time: str = ""
    missing: Literal["error", "last"] | float = "error"
    echo: tuple[str, ...] = ()


def spec_of(section: SensorSettings, recipe: RowRecipe, row_format: RowFormat) -> RowSpec:
    """How the rows of a sensor are read for a model; the sensor's names for the features come first."""
    return RowSpec(
        format=row_format,
        features=recipe.features,
        fields=section.fields or recipe.names,
        texts=recipe.texts,
        columns=section.columns,
        delimiter=section.delimiter,
        time=section.time,
        missing=section.missing,
        echo=section.echo,
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the wanted values stand in a row of positions.

    Attributes:
        width: Values of a row.
        features: Position of each feature.
        names: Of the features, as a user knows them.
        time: Position of the time field; None where there is none.
        echoes: Names and positions.
    """

    width: int
    features: tuple[int, ...]
    names: tuple[str, ...]
    time: int | None = None
    echoes: tuple[tuple[str, int], ...] = ()


def named_layout(spec: RowSpec, names: tuple[str, ...], *, features: int) -> Layout:
    """The layout of rows whose values have these names.

    Args:
        spec: What is wanted.
        names: Of all values, in order.
        features: How many values the model takes; 0 = unknown.

    Raises:
        Unusable: A wanted name is not among them, or it is not clear which are the features.
    """
    lacking = [name for name in spec.fields if name not in names]
    if lacking:
        raise Unusable(f"there is no column named {', '.join(lacking[:5])}; name the wanted ones with fields")
    if spec.time and spec.time not in names:
        raise Unusable(f"there is no column named {spec.time}, which is to say the time")
    chosen = [names.index(name) for name in spec.fields]
    if not spec.fields:
        chosen = [n for n, name in enumerate(names) if not is_beside(spec, name)]
        if features and len(chosen) != features:
            raise Unusable(
                f"has {count_of(len(chosen), 'value')}, the model takes {features}; name them with fields"
            )
    time = spec.time or time_name(names, but=spec.fields)
    return Layout(
        width=len(names),
        features=tuple(chosen),
        names=tuple(names[n] for n in chosen),
        time=names.index(time) if time else None,
        echoes=tuple((name, names.index(name)) for name in spec.echo if name in names),
    )


def nameless_layout(spec: RowSpec, width: int, *, features: int) -> Layout:
    """The layout of rows of ``width`` values without a header.

    Raises:
        Unusable: The row has not as many values as there are names, or as the model takes.
    """
    names = spec.columns or spec.fields
    if names:
        if width != len(names):
            what = "columns" if spec.columns else "fields"
            raise Unusable(f"has {count_of(width, 'value')}, {what} names {len(names)}")
        return named_layout(spec, names, features=features)
    if features and width != features:
        more = "; name them with columns" if width > features else ""
        raise Unusable(f"has {count_of(width, 'value')}, the model takes {features}{more}")
    if spec.time:
        raise Unusable(
            f"there is no column named {spec.time}, which is to say the time; name them with columns"
        )
    return Layout(width, tuple(range(width)), tuple(f"value {n + 1}" for n in range(width)))


def is_beside(spec: RowSpec, name: str) -> bool:
    """Whether a value of this name is no feature, where the features were not named: a time, or to be repeated."""
    return name == spec.time or name in spec.echo or name.lower() in WELL_KNOWN


def number_of(value: object, name: str) -> float | None:
    """A value as a number that fits a float32; None where it is missing (null, an empty text, NaN).

    Raises:
        Unusable: It is neither.
    """
    if value is None:
        return None
    if isinstance(value, str):
        number = _read(value, name)
        if number is None:
            return None
    elif isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        raise Unusable(f"{name} is {_kind(value)}, not a number")
    if math.isnan(number):
        return None
    if abs(number) > MAX_NUMBER:
        raise Unusable(f"{name} is infinite, or too large for a float32: {str(value)[:40]}")
    return number


def text_of(value: object, name: str) -> str | None:
    """A value as a text; None where it is missing (null or empty).

    Raises:
        Unusable: It is an object or an array.
    """
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise Unusable(f"{name} is {_kind(value)}, not a text")


def echo_of(value: object) -> Echo | None:
    """What a result repeats of a value; None where that is nothing: it is missing, NaN, an object, an array."""
    if isinstance(value, str):
        return value[:MAX_ECHO] or None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    return None


def read_echo(text: str) -> Echo | None:
    """`echo_of` for a value of CSV: a number where it is written as JSON would write one, else the text."""
    found = _JSON_NUMBER.fullmatch(text)
    if found and len(text) <= 18:
        return echo_of(float(text) if found[1] or found[2] else int(text))
    return echo_of(text)


def printable(raw: bytes) -> str:
    """The beginning of a row for people to read."""
    text = raw[: 4 * MAX_REJECTED_TEXT].decode(errors="replace")[:MAX_REJECTED_TEXT]
    return "".join(c if c.isprintable() else "�" for c in text)


def count_of(count: int, noun: str) -> str:
    """``1 value``, ``2 values``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def _read(text: str, name: str) -> float | None:
    stripped = text.strip()
    if not stripped:
        return None
    if stripped.isascii() and "_" not in stripped:  # Python reads more as a number than a sensor writes
        try:
            return float(stripped)
        except ValueError:
            pass
    lower = stripped.lower()
    if lower == "null":
        return None
    if lower in {"true", "false"}:
        return float(lower == "true")
    raise Unusable(f"{name} is {text[:40]!r}, not a number")


def _kind(value: object) -> str:
    return "an object" if isinstance(value, dict) else "an array"
