"""The folder of an outbox at work: the database with what keeps it alive when the disk is full, broken or damaged.

    Spool ─┬─ FolderLock      one process at a time
           ├─ Database        messages, and gaps that nobody was told of
           ├─ Ballast         room to delete with on a full disk
           └─ Salvage         what is readable of a database that was damaged

Owned by one thread. Times of entries are on this process's monotonic clock here, and in the file on a clock of the
spool's own, which goes on over restarts.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from errno import ENOENT
from pathlib import Path

import structlog

from edged.outbox import aside, salvage
from edged.outbox.age import resumed_s
from edged.outbox.ballast import Ballast
from edged.outbox.database import NAME, Database, Holding, Row, Victim, is_damaged, is_full
from edged.outbox.folder import FolderLock
from edged.outbox.gaps import Gaps
from edged.outbox.records import Entry, Gap, Rank, Reason
from edged.outbox.salvage import SUFFIXES, Salvage

MAX_VICTIMS = 2000
"""Messages that are dropped in one transaction."""

SALVAGE_BATCH = 500

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction is to do.

    Attributes:
        entries: To be put in.
        removals: Keys of what was delivered.
        gaps: That were found outside of the spool.
        excess: Bytes to be dropped, by rank.
        oldest_s: What was appended before goes, on the monotonic clock.
        may_drop: Whether the entry with a key may be dropped; it is not lent any more then.
        tell: Makes entries of gaps, if somebody can hear it now.
    """

    entries: Sequence[Entry]
    removals: Sequence[int]
    gaps: Sequence[Gap]
    excess: Mapping[Rank, int]
    oldest_s: float | None
    may_drop: Callable[[int], bool]
    tell: Callable[[list[Gap]], list[Entry]] | None


@dataclass(frozen=True, slots=True)
class Done:
    """What a transaction did.

    Attributes:
        dropped: What went for a bound.
        told: Entries about gaps, which are in the file.
        squeezed: The disk was full, and something had to make room.
    """

    dropped: Sequence[Victim] = ()
    told: Sequence[Entry] = ()
    squeezed: bool = False


@dataclass(slots=True)
class _Choice:
    victims: dict[int, tuple[Victim, Reason]] = field(default_factory=dict)

    def add(self, victims: Iterable[Victim], reason: Reason) -> int:
        """Their bytes."""
        size = 0
        for victim in victims:
            self.victims[victim.key] = (victim, reason)
            size += victim.size_bytes
        return size


class Spool:
    """The folder. `open` it before anything else.

    Args:
        folder: Made when it is missing.
        monotonic: In seconds.
        wall: Seconds since 1970.
    """

    def __init__(self, folder: Path, *, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self.folder = folder
        self._monotonic, self._wall = monotonic, wall
        self._lock = FolderLock(folder)
        self._ballast = Ballast(folder)
        self._database: Database | None = None
        self._gaps = Gaps()
        self._stored: list[Gap] = []
        self._shift_s: float | None = None
        self._in_vain = False

    @property
    def is_open(self) -> bool:
        """Whether there is a database."""
        return self._database is not None

    def open(self, removals: Sequence[int], first_unsaved: int | None) -> tuple[Holding, int]:
        """Take the folder and open its database; a damaged one is set aside, and what is readable in it taken over.

        Args:
            removals: Keys of what was delivered.
            first_unsaved: The least key of what is to be put in; None where there is nothing.

        Returns:
            What it holds, and how many messages are known to be lost.

        Raises:
            OSError: The folder cannot be used.
            sqlite3.Error: The database cannot be used.
        """
        if not self._lock.still_there():
            self._lock.release()
        self._lock.take()
        lost = 0
        try:
            database = self._database = Database(self.folder)
        except sqlite3.Error as error:
            if not is_damaged(error):
                raise
            database, lost = self._begin_anew(str(error), (), lambda _key: False)
        with database.transaction():
            database.delete(removals)
        holding = database.holding()
        if first_unsaved is not None and holding.last_key >= first_unsaved:
            self.abandon()
            raise sqlite3.OperationalError("holds newer messages than this run knows; restart edged")
        self._resume(holding)
        self._stored = database.gaps()
        self._gaps = Gaps(self._stored)
        self._ballast.restore()
        return holding, lost

    def save(self, work: Work) -> Done:
        """Do it in one transaction; on a full disk, once there is room again.

        Raises:
            sqlite3.Error: Nothing was done.
        """
        try:
            return self._commit(work)
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            return self._commit_on_full_disk(work, error)

    def rescue(
        self, why: str, cached: Sequence[Entry], is_done: Callable[[int], bool]
    ) -> tuple[Holding, int]:
        """The database is damaged: set it aside and begin another with what is readable.

        Args:
            why: For the log.
            cached: Messages that were saved and are in memory as well.
            is_done: Whether the message with a key was delivered.

        Returns:
            What the new one holds, and how many messages are known to be lost.

        Raises:
            OSError, sqlite3.Error: There is no database now.
        """
        self.abandon()
        database, lost = self._begin_anew(why, cached, is_done)
        return database.holding(), lost

    def read_row(self, row: Row) -> Entry:
        """A stored message with its time on this process's clock."""
        return replace(
            row.entry, appended_monotonic_s=row.entry.appended_monotonic_s - (self._shift_s or 0.0)
        )

    def keep_aside(self, entry: Entry, why: str) -> None:
        """Write down a message that no broker takes, if that is possible."""
        at = datetime.fromtimestamp(max(0.0, self._wall()), UTC).isoformat(timespec="seconds")
        with suppress(OSError):
            aside.keep(self.folder, entry, why, at)

    def tidy(self) -> bool:
        """Give room back to the file system, and take the ballast's again; costs little where there is nothing to do.

        Returns:
            Whether there is room enough.

        Raises:
            OSError: The folder is gone.
            sqlite3.Error: The database cannot be used.
        """
        if self._database is not None:
            if not (self._lock.still_there() and self._database.still_there()):
                raise FileNotFoundError(ENOENT, "its folder or file was removed", str(self.folder))
            self._database.give_back()
        return self._ballast.restore()

    def abandon(self) -> None:
        """Close the database as it is; it is checked when it is opened again."""
        if self._database is not None:
            self._database.close(clean=False)
            self._database = None

    def close(self, *, empty: bool) -> None:
        """Close everything; an empty database leaves no file behind."""
        if self._database is not None:
            self._database.close()
            self._database = None
            if empty and not self._stored:
                self._clear()
        self._lock.release()

    def _clear(self) -> None:
        self._ballast.release()
        for suffix in SUFFIXES:
            with suppress(OSError):
                (self.folder / (NAME + suffix)).unlink()
        with suppress(OSError):
            self.folder.rmdir()

    def _resume(self, holding: Holding) -> None:
        """Our own clock goes on where the newest message stands."""
        if self._shift_s is None:
            now_s = resumed_s(holding.last_s, holding.last_wall_s, self._wall()) if holding.last_key else 0.0
            self._shift_s = now_s - self._monotonic()

    def _row(self, entry: Entry) -> Row:
        age_s = self._monotonic() - entry.appended_monotonic_s
        at_s = entry.appended_monotonic_s + (self._shift_s or 0.0)
        return Row(replace(entry, appended_monotonic_s=at_s), self._wall() - age_s)

    def _commit(self, work: Work) -> Done:
        database = self._opened()
        gaps = Gaps(self._gaps)
        for gap in work.gaps:
            gaps.merge(gap)
        told: list[Entry] = []
        with database.transaction():
            database.delete(work.removals)
            database.insert(map(self._row, work.entries))
            victims = self._choose(database, work)
            database.delete([victim.key for victim, _ in victims])
            for victim, reason in victims:
                gaps.add(victim.topic, victim.head, reason)
            if work.tell and gaps:
                told = work.tell(gaps.take())
                database.insert(map(self._row, told))
            stored = list(gaps)
            if stored != self._stored:
                database.replace_gaps(stored)
        self._gaps, self._stored = gaps, stored
        return Done([victim for victim, _ in victims], told)

    def _choose(self, database: Database, work: Work) -> list[tuple[Victim, Reason]]:
        """Whom to drop: what is too old, then what is over a bound."""
        choice = _Choice()
        if work.oldest_s is not None:
            oldest_s = work.oldest_s + (self._shift_s or 0.0)
            old = []
            for victim in database.victims(None, 0, MAX_VICTIMS):
                if victim.at_s >= oldest_s:
                    break
                if work.may_drop(victim.key):
                    old.append(victim)
            choice.add(old, "old")
        for rank, size in work.excess.items():
            left = size - sum(
                victim.size_bytes for victim, _ in choice.victims.values() if victim.rank is rank
            )
            for victim in database.victims(rank, 0, MAX_VICTIMS) if left > 0 else ():
                if left <= 0:
                    break
                if victim.key not in choice.victims and work.may_drop(victim.key):
                    left -= choice.add([victim], "full")
        return sorted(choice.victims.values(), key=lambda chosen: chosen[0].key)

    def _commit_on_full_disk(self, work: Work, failure: sqlite3.Error) -> Done:
        """With the WAL's own room first, then the ballast's, then that of the oldest messages, once a spell."""
        database = self._opened()
        wanted = 2 * sum(entry.size_bytes for entry in work.entries)
        dropped: list[Victim] = []
        for room in (database.checkpoint, self._ballast.release, None):
            try:
                if room is not None:
                    room()
                elif self._in_vain or not (dropped := self._make_room(work, wanted)):
                    break
                done = self._commit(replace(work, excess={}))
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                failure = error
                continue
            self._in_vain = False
            return Done([*dropped, *done.dropped], done.told, squeezed=True)
        self._in_vain = True
        raise DiskFullError(failure, dropped)

    def _make_room(self, work: Work, wanted: int) -> list[Victim]:
        """Drop the oldest, lowest rank first, in a transaction of its own."""
        database = self._opened()
        holding = database.holding()
        size = max(wanted, sum(holding.bytes.values()) // 10)
        excess = {}
        for rank in Rank:
            excess[rank] = min(size, holding.bytes[rank])
            size -= excess[rank]
        only = replace(work, entries=(), removals=(), gaps=(), excess=excess, oldest_s=None, tell=None)
        victims = self._commit(only).dropped
        database.checkpoint()
        return list(victims)

    def _opened(self) -> Database:
        if self._database is None:
            raise sqlite3.OperationalError("is not open")
        return self._database

    def _begin_anew(
        self, why: str, cached: Sequence[Entry], is_done: Callable[[int], bool]
    ) -> tuple[Database, int]:
        """A new database with what is readable of the present one, and how many are known to be lost."""
        stamp = datetime.fromtimestamp(max(0.0, self._wall()), UTC).strftime("%Y%m%dT%H%M%S")
        name = salvage.set_aside(self.folder, f"{stamp}-{time.monotonic_ns() % 1000:03d}")
        self._ballast.release()
        database = self._database = Database(self.folder)
        self._stored = []
        source, taken = Salvage(self.folder, name), 0
        in_memory = {entry.key: entry for entry in cached}
        batch: list[Row] = []
        for row in source.rows():
            in_memory.pop(row.entry.key, None)
            if not is_done(row.entry.key):
                batch.append(row)
            if len(batch) >= SALVAGE_BATCH:
                taken += _take_over(database, batch)
        batch += map(self._row, in_memory.values())
        taken += _take_over(database, batch)
        lost = max(0, source.unreadable - len(in_memory))
        _log.error(
            "outbox damaged: set aside, and what is readable taken over",
            why=why,
            file=name,
            taken_over=taken,
            unreadable=lost,
        )
        return database, lost


def _take_over(database: Database, batch: list[Row]) -> int:
    with database.transaction():
        database.insert(batch)
    count = len(batch)
    batch.clear()
    return count


class DiskFullError(sqlite3.OperationalError):
    """There is no room, also after messages were dropped for it.

    Attributes:
        dropped: Those, which are gone.
    """

    def __init__(self, error: sqlite3.Error, dropped: Sequence[Victim]) -> None:
        super().__init__(str(error))
        self.sqlite_errorcode = sqlite3.SQLITE_FULL
        self.dropped = dropped
