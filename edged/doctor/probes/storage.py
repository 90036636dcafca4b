"""Looks at folders and the disks they are on. Nothing is made or written."""

import contextlib
import os
import shutil
from pathlib import Path

from edged.doctor.probes.users import user_name
from edged.doctor.storage import FolderFacts


def folder_facts(path: Path) -> FolderFacts:
    """Of a folder, or of the nearest one above it where it is still to be made."""
    path = path.absolute()
    exists = os.path.lexists(path)
    there = path
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    is_folder = os.path.isdir(there)  # noqa: PTH112  # says False where Path.is_dir raises
    status = os.stat(there) if os.path.exists(there) else os.lstat(there)  # noqa: PTH110, PTH116
    free_bytes, free_files, read_only = _disk(there)
    return FolderFacts(
        path=str(path),
        exists=exists,
        is_folder=is_folder,
        readable=os.access(there, os.R_OK | os.X_OK),
        writable=os.access(there, os.W_OK | os.X_OK),
        owner=user_name(status.st_uid),
        read_only=read_only,
        mount=str(_mount(there)),
        disk=status.st_dev,
        free_bytes=free_bytes,
        free_files=free_files,
        used_bytes=_used(path) if exists else 0,
    )


def is_exposed(path: Path) -> bool:
    """Whether every user of this machine can read a file."""
    if os.name != "posix":
        return False
    with contextlib.suppress(OSError):
        return bool(path.stat().st_mode & 0o004) and all(
            parent.stat().st_mode & 0o001 for parent in path.absolute().parents
        )
    return False


def _disk(folder: Path) -> tuple[int, int | None, bool]:
    """Free bytes, free files, and whether it is mounted read-only."""
    try:
        free_bytes = shutil.disk_usage(folder).free
        if not hasattr(os, "statvfs"):
            return free_bytes, None, False
        system = os.statvfs(folder)
    except OSError:
        return 1 << 40, None, False
    return free_bytes, system.f_favail if system.f_files else None, bool(system.f_flag & os.ST_RDONLY)


def _mount(folder: Path) -> Path:
    place = folder.absolute()
    while not os.path.ismount(place) and place != place.parent:
        place = place.parent
    return place


def _used(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    return 0
