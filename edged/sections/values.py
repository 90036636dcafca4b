"""What stands in several sections: times, names, shares, and what every section is."""

import contextlib
import math
import re
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

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
from pydantic.fields import FieldInfo

from edged.allowed import KINDS, LIMITS, between

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def duration(value: object) -> object:
    """Seconds of a text like "500ms"; what is no text stays as it is.

    Raises:
        ValueError: It is no such text.
    """
    if not isinstance(value, str | bool):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*", str(value))
    if not match:
        raise ValueError('a number with a unit, like "500ms", "1s", "15m", "7d"')
    return float(match[1]) * UNITS_S[match[2]]


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
    """A part of the configuration: frozen, and strict about its keys. ``"2"`` may be a number, ``true`` is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_switch(cls, value: object, given: ValidationInfo) -> object:
        kinds = _kinds(cls, str(given.field_name)) if isinstance(value, bool) else frozenset()
        if not kinds or bool in kinds:
            return value
        limits = between(limits_of(cls.model_fields[str(given.field_name)]))
        wanted = next(text for kind, text in _PLAIN.items() if kind in kinds)
        raise ValueError(f"{wanted}, {limits}" if limits else wanted)


_PLAIN: dict[object, str] = {
    bool: KINDS["bool"],
    int: KINDS["int"],
    float: KINDS["float"],
    ByteSize: KINDS["byte_size"],
}


def limits_of(field: FieldInfo) -> dict[str, float]:
    """``ge``, ``gt``, ``le`` and ``lt`` of a number, of those that it has."""
    parts = [
        one for part in _parts(field) for one in (part.metadata if isinstance(part, FieldInfo) else [part])
    ]
    known = {name: getattr(one, name, None) for one in parts for name in LIMITS if hasattr(one, name)}
    return {name: limit for name, limit in known.items() if isinstance(limit, int | float)}


@cache
def _kinds(section: type[Section], name: str) -> frozenset[object]:
    """Switches and numbers that a value may be; empty where it may be something else, or is read in its own way."""
    parts = _parts(section.model_fields[name])
    kinds = frozenset[object](part for part in parts if isinstance(part, type) and part is not NoneType)
    special = any(isinstance(part, BeforeValidator) or get_origin(part) for part in parts)
    return frozenset() if special or kinds - _PLAIN.keys() else kinds


def _parts(field: FieldInfo) -> list[Any]:
    """Each type that a value may have, and all that is said beside them."""
    return [*_unfolded(field.annotation), *field.metadata]


def _unfolded(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        return [part for one in get_args(annotation) for part in _unfolded(one)]
    if origin is Annotated:
        first, *beside = get_args(annotation)
        return [*_unfolded(first), *beside]
    return [annotation]
