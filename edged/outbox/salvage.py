"""A damaged database: set aside by its name, and what is readable in it put into a new one."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edged.outbox.database import NAME, UNREADABLE, Reader, Row

SUFFIXES = ("", "-wal", "-shm")
CHUNK = 200
KEPT = 2
"""Files that stay set aside; older ones are removed."""

MAX_PROBES = 200_000
"""Keys that are asked for one by one."""

MAX_RUN = 2_000
"""Keys in a row that cannot be read, after which a file without a readable end is taken to end there."""


def set_aside(folder: Path, stamp: str) -> str:
    """Rename the database, and remove the oldest that were set aside before.

    Returns:
        Its name in the folder now.

    Raises:
        OSError: It cannot be renamed.
    """
    name = f"{NAME}.damaged-{stamp}"
    for suffix in reversed(SUFFIXES):
        if (folder / (NAME + suffix)).exists():
            os.replace(folder / (NAME + suffix), folder / (name + suffix))  # noqa: PTH105
    aside = folder.glob(f"{NAME}.damaged-*")
    names = sorted({path.name.removesuffix("-wal").removesuffix("-shm") for path in aside})
    for old in names[:-KEPT]:
        for suffix in SUFFIXES:
            with suppress(OSError):
                (folder / (old + suffix)).unlink()
    return name


def clear(folder: Path) -> None:
    """Remove the database.

    Raises:
        OSError: It cannot be removed.
    """
    for suffix in SUFFIXES:
        (folder / (NAME + suffix)).unlink(missing_ok=True)


@dataclass(slots=True)
class Salvage:
    """What can be read of a database that was set aside.

    Attributes:
        unreadable: Messages that are known to be lost, once `rows` has ended. Where the end of the file is gone, nobody
            knows how many were there.
    """

    folder: Path
    name: str
    unreadable: int = 0

    def rows(self) -> Iterator[Row]:
        """Every message that is readable and what was written, oldest first."""
        try:
            reader = Reader(self.folder, set_aside=self.name)
        except sqlite3.Error:
            return
        newest = 0
        try:
            for row in self._readable(reader):
                if row.entry.key <= newest:  # a damaged tree may lead to the same leaf twice
                    continue
                newest = row.entry.key
                if row.sound:
                    yield row
                else:
                    self.unreadable += 1
        finally:
            reader.close()

    def _readable(self, reader: Reader) -> Iterator[Row]:
        newest = reader.newest_key()
        last = failed = probes = 0
        while True:
            chunk = reader.try_read(last, CHUNK)
            if chunk == []:
                return
            if chunk and chunk[-1].entry.key > last:  # a damaged tree may lead back
                self.unreadable, failed = self.unreadable + failed, 0
                yield from chunk
                last = chunk[-1].entry.key
                continue
            # Somewhere in this chunk is a page that cannot be read: what stands beside it is asked for key by key.
            for last in range(last + 1, last + 1 + CHUNK):  # noqa: B020
                if (newest and last > newest) or probes >= MAX_PROBES:
                    self.unreadable += failed if newest else 0
                    return
                probes += 1
                try:
                    row = reader.row(last)
                except UNREADABLE:
                    failed += 1
                    continue
                if row is not None:
                    self.unreadable, failed = self.unreadable + failed, 0
                    yield row
            if not newest and failed > MAX_RUN:
                return
