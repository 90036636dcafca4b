"""Doors that can be called: each takes bytes, says in a word how they were taken, and raises what must not be.

An `EdgedError` is an answer as good as any; every other exception is a finding, and an assertion here is one too.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A door.

    Attributes:
        name: Of the file here.
        seeds: Inputs that are whole.
        tokens: Words of the format.
        run: Takes an input; an outcome in a word.
    """

    name: str
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    run: Callable[[bytes], str]


Opener = Callable[[Path], AbstractContextManager[Target]]
"""Takes an empty folder; the target is good while the context is open."""


def openers() -> dict[str, Opener]:
    """By name. Imported here: a target imports what it tries."""
    from fuzz.targets import archive, broker, commands, configuration, http, manifest, onnxfile, rows

    return {
        "configuration": configuration.opened,
        "manifest": manifest.opened,
        "commands": commands.opened,
        "rows": rows.opened,
        "onnx": onnxfile.opened,
        "archive": archive.opened,
        "broker": broker.opened,
        "http": http.opened,
    }


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Target]:
    """One of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with openers()[name](folder) as target:
        yield target
