"""``edged run`` as units and people mostly call it, understood without the parser, which takes a twentieth of a start.

Whatever looks in any way different is for the parser to read, or to refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PlainRun:
    """What was asked for.

    Attributes:
        config: The file; None = the first that is found.
        once: Read every source once.
    """

    config: Path | None
    once: bool


def plain_run(arguments: Sequence[str]) -> PlainRun | None:
    """``run [-c FILE] [--once]``; None for anything else.

    >>> plain_run(["run", "--once"])
    PlainRun(config=None, once=True)
    >>> plain_run(["run", "-c", "--once"]) is None
    True
    """
    match arguments:
        case ["run"] | ["run", "--once"]:
            return PlainRun(None, len(arguments) > 1)
        case ["run", "-c" | "--config", path] if not path.startswith("-"):
            return PlainRun(Path(path), False)
        case ["run", "-c" | "--config", path, "--once"] | ["run", "--once", "-c" | "--config", path]:
            return None if path.startswith("-") else PlainRun(Path(path), True)
    return None
