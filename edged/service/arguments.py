"""What the arguments of a command must be, and the line that says what is wrong with those that came. Pure.

>>> problem({"name": "front", "enabled": 1}, {"name": one_of(["front"]), "enabled": BOOLEAN})
'"enabled" is 1; true or false is wanted'
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_SHOWN = 80
"""Characters of a wrong value that are shown: an answer does not grow with what was sent."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument.

    Attributes:
        allowed: For people: what it may be, as the end of a sentence.
        fits: Whether a value is allowed.
        required: Whether it must be there.
    """

    allowed: str
    fits: Callable[[Any], bool]
    required: bool = True

    @property
    def optional(self) -> "Argument":
        """The same, which may be left out."""
        return replace(self, required=False)


def one_of(names: Collection[str]) -> Argument:
    """The name of something that is configured."""
    return Argument(
        f"configured are {', '.join(names) or 'none'}",
        lambda value: isinstance(value, str) and value in names,
    )


def whole_number(least: int, most: int, allowed: str) -> Argument:
    """An integer within bounds, both allowed; ``true`` is none."""
    return Argument(
        allowed,
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def problem(arguments: Mapping[str, Any], wanted: Mapping[str, Argument]) -> str:
    """The first thing that is wrong, in one line that says what is allowed; empty if nothing is."""
    for name in arguments:
        if name not in wanted:
            known = f"known are {', '.join(wanted)}" if wanted else "none is taken"
            return f"unknown argument {name!r:.{MAX_SHOWN}}; {known}"
    for name, argument in wanted.items():
        if name not in arguments:
            if argument.required:
                return f'"{name}" is missing; {argument.allowed}'
        elif not argument.fits(arguments[name]):
            shown = json.dumps(arguments[name], ensure_ascii=False)
            return f'"{name}" is {shown:.{MAX_SHOWN}}; {argument.allowed}'
    return ""


def _is_fraction(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


BOOLEAN = Argument("true or false is wanted", lambda value: isinstance(value, bool))
SCORE_OR_NULL = Argument(
    "a number from 0 to 1 is wanted, or null for the configured one",
    lambda value: value is None or _is_fraction(value),
)
VERSION = whole_number(1, 10**9 - 1, "a whole number such as 3 is wanted")
WIDTH = whole_number(1, 65535, "a whole number of pixels from 1 to 65535 is wanted")
QUALITY = whole_number(1, 100, "a whole number from 1 to 100 is wanted")
