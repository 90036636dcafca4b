"""Old versions are removed, so that a box that gets models for years does not fill its disk."""

import contextlib
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from edged.modelstore.records import rejection_file
from edged.modelstore.survey import survey

PREFIX = ".removing-"


def prune(folder: Path, *, keep: int, below: int, spared: Collection[int | None]) -> list[int]:
    """Keep only so many of the newest versions of a model.

    Args:
        folder: Of its versions.
        keep: How many; 0 = all.
        below: Only versions before this one are removed: what is newer is still to be tried.
        spared: Versions that stay in any case; they count as kept.

    Returns:
        What was removed, the oldest first. What cannot be removed stays.
    """
    if not keep:
        return []
    numbers = sorted(survey(folder))
    surplus = len(numbers) - keep
    old = [number for number in numbers if number < below and number not in spared][: max(0, surplus)]
    return [number for number in old if remove(folder, number)]


def remove(folder: Path, number: int) -> bool:
    """Remove a version in one step, so that nobody ever sees a part of it; False if it cannot be removed."""
    aside = folder / f"{PREFIX}{number}-{secrets.token_hex(4)}"
    try:
        (folder / str(number)).rename(aside)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        rejection_file(folder, number).unlink(missing_ok=True)
    _delete(aside)
    return True


def clear(folder: Path) -> None:
    """Remove what a power cut left of versions that were being removed."""
    with contextlib.suppress(OSError):
        for left in folder.glob(f"{PREFIX}*"):
            _delete(left)


def _delete(version: Path) -> None:
    """A folder and all in it, or a link to one: what it leads to is somebody else's."""
    if version.is_symlink():
        with contextlib.suppress(OSError):
            version.unlink()
    else:
        shutil.rmtree(version, ignore_errors=True)
