"""What a value in a file may be, said beside its type; pydantic is loaded only when such a file is read.

Also what options of a command and keys of the configuration have in common.
"""

import re
from dataclasses import dataclass
from typing import Any

TILE_OVERLAP = 0.2
"""Of neighbouring tiles, as a share of a tile, where nobody says otherwise."""


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


@dataclass(frozen=True, slots=True)
class Between:
    """A number from ``least`` to ``most``.

    Attributes:
        least: Allowed, unless ``open_below``.
        most: Allowed.
        open_below: Whether it must be greater than ``least``.
    """

    least: float
    most: float
    open_below: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """For pydantic: the number's schema, bounded."""
        return handler(source) | {"gt" if self.open_below else "ge": self.least, "le": self.most}


@dataclass(frozen=True, slots=True)
class DividesBy:
    """A number, or several, of which none is 0."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """For pydantic: the value's schema, checked afterwards."""
        from pydantic_core import core_schema  # noqa: PLC0415  # see above

        return core_schema.no_info_after_validator_function(_without_zero, handler(source))


def _without_zero(value: Any) -> Any:
    if value == 0 or (isinstance(value, tuple) and 0 in value):
        raise ValueError("a number other than 0, or one for each channel or field")
    return value
