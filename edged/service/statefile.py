"""A small file that outlives a restart: read with a bound, written whole."""

import contextlib
import stat
from pathlib import Path

from edged.files import write_whole


class StateFileDamagedError(Exception):
    """It is not what was written; ``str()`` says why."""


def read_state(path: Path, max_bytes: int) -> bytes | None:
    """What is in it; None where it is not there. What a power cut left of an unfinished writing is removed.

    Raises:
        StateFileDamagedError: It is no file, or too large.
        OSError: It cannot be read.
    """
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{path.name}.*"):  # the power cut came between writing and renaming
            left.unlink()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise StateFileDamagedError("is no file")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        return None
    if len(content) > max_bytes:
        raise StateFileDamagedError(f"is larger than {max_bytes} bytes")
    return content


def write_state(path: Path, content: bytes) -> None:
    """Put it there as a whole; its folder is made where it is missing.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
