"""Where things are kept that can be made again: of systemd's ``CacheDirectory=``, else of the user's cache."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder of one kind of such things; it may not be there yet.

    Raises:
        RuntimeError: This user has no home.
    """
    given = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]  # systemd lists several so
    if given:
        return Path(given) / name
    user = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(user) if os.path.isabs(user) else Path.home() / ".cache") / "edged" / name  # noqa: PTH117


def keep_newest(folder: Path, *, most_bytes: int | None = None, most_files: int | None = None) -> None:
    """Remove the files that were written and read longest ago, until what stays is within the bounds.

    Raises:
        OSError: The folder cannot be read, or a file not be removed.
    """
    found = []
    for path in folder.iterdir():
        seen = path.lstat()
        found.append((max(seen.st_mtime_ns, seen.st_atime_ns), seen.st_size, path))
    kept_bytes = kept_files = 0
    for _, size, path in sorted(found, reverse=True):
        kept_bytes, kept_files = kept_bytes + size, kept_files + 1
        too_much = most_bytes is not None and kept_bytes > most_bytes
        if too_much or (most_files is not None and kept_files > most_files):
            path.unlink(missing_ok=True)
