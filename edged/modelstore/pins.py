"""Which version of a model a person wants served, whatever is newer: a number in the file ``pinned``.

Apart from the other records, which are read with what takes a tenth of a start to load.
"""

import contextlib
from pathlib import Path

from edged.files import write_whole
from edged.modelstore.staging import cannot_write

PINNED = "pinned"
MAX_BYTES = 65536
"""Of any record."""


def read_pin(folder: Path) -> int | None:
    """The version that is to be served whatever is newer, or None."""
    return look_at_pin(folder)[0]


def look_at_pin(folder: Path) -> tuple[int | None, str]:
    """The version that is pinned, or None; and why what stands in ``pinned`` pins nothing, empty where nothing does."""
    try:
        content = read_whole(folder / PINNED).strip()
    except OSError as error:
        return None, f"cannot be read ({(error.strerror or str(error)).lower()})"
    number = _number(content)
    if number or not content:
        return number, ""
    return None, f"says {content[:20].decode(errors='replace')!r}, which is not the number of a version"


def write_pin(folder: Path, version: int | None) -> None:
    """Pin a version, or none.

    Raises:
        NotAllowed, CannotWrite: The store cannot be written.
    """
    try:
        if version is None:
            (folder / PINNED).unlink(missing_ok=True)
        else:
            write_whole(folder / PINNED, f"{version}\n".encode())
    except OSError as error:
        raise cannot_write(folder / PINNED, error) from error


def _number(content: bytes) -> int | None:
    with contextlib.suppress(ValueError):
        text = content.decode("ascii").strip()
        if text.isdecimal() and 0 < int(text) < 10**9:
            return int(text)
    return None


def read_whole(path: Path) -> bytes:
    """What stands in a record, as far as one is read; nothing where there is none.

    Raises:
        OSError: It cannot be read.
    """
    if not path.is_file():  # a pipe would be waited for
        return b""
    with path.open("rb") as file:
        return file.read(MAX_BYTES)
