"""A disk that is full.

Real signatures, a web server on the loopback; each test says what the box did, in the word of its state, and that the
store shows nothing new. docs/updates.md has them as a table.
"""

import errno
import os
import shutil
import subprocess

import pytest
from update_box import Box

from edged.updates.partial import Part


def test_a_disk_without_room_is_seen_before_a_byte_is_asked_for(box, server, repository, monkeypatch):
    offers = box.client.refresh()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    error = box.waits("disk full", lambda: box.fetch(offers[0]))
    assert "1,000,000 are free" in error.problem
    assert repository.tar_of(2) not in server.asked


def test_a_disk_that_fills_up_meanwhile_keeps_nothing_occupied(box, server, repository, monkeypatch):
    append = Part.append

    def full(part: Part, piece: bytes) -> None:
        if part.count > 100_000:
            real = part._file
            part._file = _Full()
            try:
                append(part, piece)
            finally:
                real.close()
        append(part, piece)

    monkeypatch.setattr(Part, "append", full)
    box.waits("disk full", box.take)
    assert box.parts == []


class _Full:
    def write(self, piece: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for a tar, and not for what is in it."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "none", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("only root mounts file systems")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_real_small_disk(small_disk, server, repository, monkeypatch):
    box = Box(small_disk, server.url, repository.first_root)
    box.waits("disk full", box.take)
    assert repository.tar_of(2) not in server.asked
    monkeypatch.setattr(
        "edged.updates.client.RESERVE_BYTES", -(10**9)
    )  # it looked, and then others filled it
    box.waits("disk full", box.take)
    assert box.parts == []
    (small_disk / "fill").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    repository.release()
    box.waits("disk full")
    (small_disk / "fill").unlink()
    assert len(box.client.refresh()) == 1
