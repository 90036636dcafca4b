"""What stands in several sections: times, names, shares, and what every section is."""

import contextlib
import math
import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def duration(value: object) -> object:
    """Seconds of a text like "500ms"; what is no text stays as it is.

    Raises:
        ValueError: It is no such text.
    """
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*", value)
        if not match:
            raise ValueError('a number with a unit, like "500ms", "1s", "15m", "7d"')
        return float(match[1]) * UNITS_S[match[2]]
    return value


def count_or_time(value: object, unit: str, *, most: int, most_s: float = math.inf) -> int | float:
    """An int counts, a float is seconds.

    Args:
        value: As it stands in the configuration: a number, or a text like "500ms".
        unit: What is counted, for the error.
        most: Of them.
        most_s: Of a time.

    Raises:
        ValueError: It is neither, or too much.
    """
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # told below
            value = int(value) if re.fullmatch(r"\d{1,9}", value) else duration(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    if isinstance(value, float) and 0 < value <= most_s and value < math.inf:
        return value
    raise ValueError(f'{unit}, 1 to {most}, or a time, like "500ms" or "2s"')


def _topic_part(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise ValueError(
            "a name of letters, digits, '_', '-' and '.' (64 at most): it becomes part of topics and paths"
        )
    return name


Duration = Annotated[
    float,
    BeforeValidator(duration),
    Field(gt=0, allow_inf_nan=False),
    WithJsonSchema(
        {"type": ["string", "number"], "description": 'A duration such as "500ms", "1s", "15m", "7d".'}
    ),
]
Name = Annotated[str, AfterValidator(_topic_part)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of the configuration: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
