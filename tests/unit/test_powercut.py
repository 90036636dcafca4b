"""What a disk keeps when its power is cut, which the tests of virtual machines rely on."""

import random
import struct
from pathlib import Path

import pytest
from vm.powercut import FLUSH, FUA, MAGIC, Write, entries, kept, replay

SECTOR = 512


def log_of(path: Path, *written: tuple[int, bytes, int], told: int = 0) -> Path:
    """A log of writes (sector, content, flags) that says of itself to have ``told`` entries."""
    content = struct.pack("<QQQI", MAGIC, 1, told, SECTOR).ljust(SECTOR, b"\0")
    for sector, data, flags in written:
        content += struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data
    path.write_bytes(content)
    return path


def test_all_entries_are_read_also_those_after_the_last_flush(tmp_path: Path) -> None:
    log = log_of(
        tmp_path / "log", (3, b"a" * SECTOR, 0), (0, b"", FLUSH), (4, b"b" * 2 * SECTOR, FUA), told=2
    )
    assert list(entries(log)) == [
        Write(3 * SECTOR, SECTOR, 0, 2 * SECTOR),
        Write(0, 0, FLUSH, 4 * SECTOR),
        Write(4 * SECTOR, 2 * SECTOR, FUA, 5 * SECTOR),
    ]


def test_an_entry_whose_data_is_cut_off_is_none(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", (3, b"a" * SECTOR, 0), (4, b"b" * SECTOR, 0))
    log.write_bytes(log.read_bytes()[:-1])
    assert len(list(entries(log))) == 1


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(SECTOR))
    with pytest.raises(ValueError, match="no log of writes"):
        list(entries(other))


def test_what_was_flushed_stays_and_of_the_rest_a_part() -> None:
    flushed = [Write(0, SECTOR, 0, 0), Write(0, 0, FLUSH, 0)]
    rest, past = [Write(n, SECTOR, 0, 0) for n in range(100)], Write(200, SECTOR, FUA, 0)
    left = kept([*flushed, *rest, past], random.Random(1))
    assert left[:2] == flushed
    assert left[-1] == past
    assert 20 < len(left) - 3 < 80


def test_replayed_writes_stand_where_they_were_made(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4 * SECTOR))
    log = log_of(tmp_path / "log", (1, b"a" * SECTOR, 0), (2, b"b" * SECTOR, 0), (1, b"c" * SECTOR, 0))
    replay(log, list(entries(log)), disk)
    assert disk.read_bytes() == bytes(SECTOR) + b"c" * SECTOR + b"b" * SECTOR + bytes(SECTOR)
