import os
from pathlib import Path

import pytest

from edged.outbox import ballast
from edged.outbox.ballast import SIZE_BYTES, Ballast


class Room:
    """What the file system says of itself."""

    def __init__(self, size_bytes: int, free_bytes: int) -> None:
        self.f_frsize, self.f_blocks, self.f_bavail = 1, size_bytes, free_bytes


def says(monkeypatch: pytest.MonkeyPatch, size_bytes: int, free_bytes: int) -> None:
    monkeypatch.setattr(ballast.os, "statvfs", lambda _: Room(size_bytes, free_bytes))


def test_it_takes_room_and_gives_it_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    says(monkeypatch, 1 << 34, 1 << 30)
    weight = Ballast(tmp_path)
    assert weight.restore()
    assert (tmp_path / "ballast").stat().st_size == SIZE_BYTES
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= SIZE_BYTES  # no sparse file
    assert weight.release()
    assert not (tmp_path / "ballast").exists()
    assert not weight.release()


def test_it_leaves_a_small_disk_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    says(monkeypatch, 1 << 20, 1 << 19)
    assert Ballast(tmp_path).restore()
    assert (tmp_path / "ballast").stat().st_size == (1 << 20) // 8


def test_it_is_not_taken_while_there_is_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    says(monkeypatch, 1 << 34, 2 * SIZE_BYTES - 1)
    assert not Ballast(tmp_path).restore()
    assert not (tmp_path / "ballast").exists()


def test_what_was_written_in_part_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    says(monkeypatch, 1 << 34, 1 << 30)
    (tmp_path / "ballast").write_bytes(b"x")
    assert Ballast(tmp_path).restore()
    assert (tmp_path / "ballast").stat().st_size == SIZE_BYTES


def test_where_it_cannot_be_had_nothing_of_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    says(monkeypatch, 1 << 34, 1 << 30)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert not Ballast(tmp_path).restore()
    assert not (tmp_path / "ballast").exists()
    assert not Ballast(tmp_path / "missing").restore()
