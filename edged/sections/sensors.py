"""The section of a sensor."""

import contextlib
import math
import re
from functools import partial
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from edged.sections.values import Duration, Name, Section, count_or_time, duration

MAX_WINDOW = 1_000_000
"""Rows."""
MAX_FLOAT32 = 3.4028234e38


def _sensor(url: str) -> str:
    scheme, _, rest = url.partition(":")
    if re.match(r"[A-Za-z][A-Za-z0-9+.]+:", url):
        if scheme.lower() not in {"mqtt", "serial", "iio", "http"} or rest.startswith("//"):
            raise ValueError(
                "mqtt:TOPIC, serial:/dev/ttyUSB0?baud=115200, iio:DEVICE, http:, a file, or - for stdin"
            )
        return f"{scheme.lower()}:{rest}"
    return url


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


Span = Annotated[
    int | float,
    BeforeValidator(partial(count_or_time, unit="rows", most=MAX_WINDOW)),
    WithJsonSchema(
        {"type": ["integer", "string", "number"], "description": 'Rows, or a duration such as "2s".'}
    ),
]
Figure = Annotated[float, Field(allow_inf_nan=False)]


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
        BeforeValidator(duration),
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


def is_sensor_path(url: str) -> bool:
    """Whether a sensor's address names a file or FIFO of this machine."""
    return url != "-" and not re.match(r"(mqtt|serial|iio|http):", url)
