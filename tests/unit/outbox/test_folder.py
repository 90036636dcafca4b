import subprocess
import sys
from pathlib import Path

import pytest

from edged.outbox.folder import FolderLock

_HOLD = """
import sys
from pathlib import Path
from edged.outbox.folder import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
sys.stdin.read()
"""


def open_files() -> int:
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.exists() else 0


def test_a_missing_folder_is_made_for_its_owner_only(tmp_path: Path):
    FolderLock(tmp_path / "a" / "b").take()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_another_has_it_once_it_is_released_or_its_holder_is_killed(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lock = FolderLock(tmp_path)
        with pytest.raises(BlockingIOError):
            lock.take()
        holder.kill()
        holder.wait()
        lock.take()
        lock.take()
    second = FolderLock(tmp_path)
    with pytest.raises(BlockingIOError):
        second.take()
    lock.release()
    lock.release()
    second.take()
    second.release()


def test_a_folder_that_was_replaced_is_not_the_one_that_was_taken(tmp_path: Path):
    folder = tmp_path / "outbox"
    lock = FolderLock(folder)
    assert lock.still_there()
    lock.take()
    assert lock.still_there()
    folder.rename(tmp_path / "gone")
    assert not lock.still_there()
    folder.mkdir()
    assert not lock.still_there()
    lock.release()
    lock.take()
    assert lock.still_there()
    lock.release()


def test_a_file_in_the_way_is_no_folder_and_no_descriptor_stays_open(tmp_path: Path):
    (tmp_path / "outbox").write_text("in the way")
    before = open_files()
    for _ in range(3):
        with pytest.raises(OSError, match="exists"):
            FolderLock(tmp_path / "outbox").take()
    assert open_files() == before
