"""What a disk holds after a power cut, from the log of all that was written to it.

QEMU's driver ``blklogwrites`` writes the log, in the kernel's format dm-log-writes: a sector that describes the log,
then for each write a sector that describes it, and its data. A disk may keep in a volatile cache whatever it was not
asked to flush, and write it in any order.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_SUPER, _ENTRY = struct.Struct("<QQQI"), struct.Struct("<QQQQ")
_SECTOR = 512


@dataclass(frozen=True)
class Write:
    """An entry of the log.

    Attributes:
        at: Byte in the disk.
        size: Bytes.
        flags: What it asks of the disk.
        data_at: Where in the log its bytes are.
    """

    at: int
    size: int
    flags: int
    data_at: int


def entries(log: Path) -> Iterator[Write]:
    """All entries, as they were completed.

    Raises:
        ValueError: The file is no such log.
    """
    with log.open("rb") as file:
        magic, _, _, sector = _SUPER.unpack(file.read(_SUPER.size))
        if magic != MAGIC:
            raise ValueError(f"{log}: no log of writes")
        # The number of entries in the first sector is as old as the last flush: the end of the file says more.
        end, at = log.stat().st_size, sector
        while at + sector <= end:
            file.seek(at)
            where, sectors, flags, _ = _ENTRY.unpack(file.read(_ENTRY.size))
            size = 0 if flags & DISCARD else sectors * sector
            if at + sector + size > end or not (sectors or flags):
                return
            yield Write(where * sector, size, flags, at + sector)
            at += sector + size


def kept(written: list[Write], rolls: random.Random) -> list[Write]:
    """What of it is on the medium after the cut: all before the last flush, and by chance half of the rest."""
    flushed = max((number for number, write in enumerate(written) if write.flags & FLUSH), default=-1)
    return [
        write
        for number, write in enumerate(written)
        if number <= flushed or write.flags & FUA or rolls.random() < 0.5
    ]


def replay(log: Path, writes: list[Write], disk: Path) -> None:
    """Do these writes to a disk."""
    with log.open("rb") as source, disk.open("r+b") as target:
        for write in writes:
            if write.size:
                source.seek(write.data_at)
                target.seek(write.at)
                target.write(source.read(write.size))
