"""Files that are replaced as a whole, so that a power cut leaves the old one or the new one."""

import contextlib
import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step that a power cut does not split.

    Raises:
        OSError: It cannot be written; what stood there stands there still.

    A folder that cannot be flushed is no error: the file has been replaced then, which only a power cut may undo.
    """
    temporary = path.with_name(f".{path.name.lstrip('.')}.{os.urandom(4).hex()}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Have the disk know what a folder holds.

    Raises:
        OSError: It cannot.
    """
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
