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
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from errno import ENOENT
from itertools import islice
from pathlib import Path

import structlog

from edged.outbox import aside, salvage
from edged.outbox.age import resumed_s
from edged.outbox.ballast import Ballast
from edged.outbox.choosing import Work, choose
from edged.outbox.database import NAME, Database, Holding, Row, Victim, damage, is_damaged, is_full
from edged.outbox.folder import FolderLock
from edged.outbox.gaps import Gaps
from edged.outbox.records import Entry, Gap, Rank
from edged.outbox.salvage import SUFFIXES, Salvage

SALVAGE_BATCH = 500
SMALL_BATCH = 100
"""Messages in one transaction on a full disk: it has to fit into what the WAL has already."""

ROOM_SHARE = 10
"""Of what waits a tenth is dropped where the disk is full, so that it is not full again with the next message."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the messages in a file before it is opened.

    Attributes:
        removals: Keys of those that were delivered.
        saved: Those that are in memory as well.
        first_unsaved: The least key of what is to be put in; None where there is nothing.
    """

    removals: Sequence[int] = ()
    saved: Sequence[Entry] = ()
    first_unsaved: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a transaction did.

    Attributes:
        dropped: What went for a bound.
        told: Entries about gaps, which are in the file.
        squeezed: The disk was full, and something had to make room.
        more: There is more to drop.
    """

    dropped: Sequence[Victim] = ()
    told: Sequence[Entry] = ()
    squeezed: bool = False
    more: bool = False


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
        self._identity: tuple[int, int] | None = None
        self._last_key = 0
        self._passed: dict[Rank | None, int] = dict.fromkeys((None, *Rank), 0)
        self._source = self._why = ""  # of a salvage that is not at its end

    @property
    def is_open(self) -> bool:
        """Whether there is a database."""
        return self._database is not None

    def open(self, known: Known, *, damaged: str = "") -> tuple[Holding, int]:
        """Take the folder and open its database; a damaged one is set aside, and what is readable in it taken over.

        Args:
            known: What is known of it already.
            damaged: Why it is known to be damaged; empty where it is not.

        Returns:
            What it holds, and how many messages were found to be lost.

        Raises:
            OSError: The folder cannot be used.
            sqlite3.Error: The database cannot be used.
        """
        try:
            return self._open(known, damaged)
        except BaseException as error:
            self.abandon()
            if not (isinstance(error, sqlite3.Error) and is_full(error) and self._ballast.release()):
                raise
        return self.open(known, damaged=damaged)  # with the ballast's room, which there is once

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
            return self._grow()
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

    def _open(self, known: Known, damaged: str) -> tuple[Holding, int]:
        self.abandon()
        if not self._lock.still_there():
            self._lock.release()
        self._lock.take()
        try:
            if damaged or self._source:
                raise damage(damaged or self._why)
            self._database = Database(self.folder)
            return self._take_up(self._database, known), 0
        except sqlite3.Error as error:
            if not is_damaged(error):
                raise
            lost = self._begin_anew(str(error), known)
            return self._take_up(self._opened(), known), lost

    def _take_up(self, database: Database, known: Known) -> Holding:
        """What a database holds once that is gone which is none of it any more."""
        with database.transaction():
            database.delete(known.removals)
            if ours := database.identity == self._identity:
                database.delete_beyond(self._last_key)  # a commit that failed may be there all the same
        holding = database.holding()
        late = known.first_unsaved is not None and holding.last_key >= known.first_unsaved
        if holding.last_key and not ours and (late or self._identity):
            raise sqlite3.OperationalError("holds messages that this run does not know; restart edged")
        self._stored = database.gaps()
        if self._identity is None:
            self._gaps = Gaps(self._stored)
        if not ours:
            self._identity, self._last_key = database.identity, holding.last_key
            self._passed = dict.fromkeys(self._passed, 0)
        self._resume(holding)
        self._ballast.restore()
        return holding

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
            database.delete_beyond(self._last_key)
            database.delete(work.removals)
            database.insert(map(self._row, work.entries))
            choice = choose(
                database, work, self._passed, shift_s=self._shift_s or 0.0, last_key=self._last_key
            )
            victims = choice.in_order()
            database.delete([victim.key for victim, _ in victims])
            for victim, reason in victims:
                gaps.add(victim.topic, victim.head, reason)
            if work.tell and gaps:
                told = work.tell(gaps.take())
                database.insert(map(self._row, told))
            stored = list(gaps)
            if stored != self._stored:
                database.replace_gaps(stored)
        self._gaps, self._stored, self._passed = gaps, stored, choice.passed
        self._last_key = max([self._last_key, *(entry.key for entry in (*work.entries[-1:], *told))])
        return Done([victim for victim, _ in victims], told, more=choice.more)

    def _commit_on_full_disk(self, work: Work, failure: sqlite3.Error) -> Done:
        """If there is room again; else with the ballast's room; else with that of the oldest messages, once a spell."""
        rooms = [self._grow, self._stop_growing]
        if not self._in_vain:
            rooms.append(lambda: self._make_room(work))
        for make in rooms:
            try:
                make()
                done = self._commit(replace(work, excess={}))
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                failure = error
                continue
            self._in_vain = False
            return replace(done, squeezed=True)
        self._in_vain = True
        raise failure

    def _grow(self) -> bool:
        """Let the file grow, if there is room."""
        room = self._ballast.restore()
        if room:
            self._opened().limit(grows=True)
        return room

    def _stop_growing(self) -> None:
        """Keep the ballast's room for what takes none in the end: the WAL, and with it each deletion."""
        self._ballast.release()
        self._opened().checkpoint()
        self._opened().limit(grows=False)

    def _make_room(self, work: Work) -> None:
        """Drop the oldest, lowest rank first, in small transactions of their own: there is no room for a large one."""
        database = self._opened()
        holding = database.holding()
        wanted = max(
            2 * sum(entry.size_bytes for entry in work.entries), sum(holding.bytes.values()) // ROOM_SHARE
        )
        only = replace(
            work, entries=(), removals=(), gaps=(), oldest_s=None, tell=None, max_victims=SMALL_BATCH
        )
        for rank in Rank:
            left = min(wanted, holding.bytes[rank])
            wanted -= left
            more = left > 0
            while more:
                done = self._commit(replace(only, excess={rank: left}))
                work.made_room(done.dropped)
                database.checkpoint()
                left -= sum(victim.size_bytes for victim in done.dropped)
                more = done.more and left > 0

    def _opened(self) -> Database:
        if self._database is None:
            raise sqlite3.OperationalError("is not open")
        return self._database

    def _begin_anew(self, why: str, known: Known) -> int:
        """A new database with what is readable of the present one, and how many are known to be lost.

        Where it fails it can be begun again: the source stays. It ends early where the disk is full.
        """
        self.abandon()
        if not self._source:
            stamp = datetime.fromtimestamp(max(0.0, self._wall()), UTC).strftime("%Y%m%dT%H%M%S")
            self._source = salvage.set_aside(self.folder, f"{stamp}-{time.monotonic_ns() % 1000:03d}")
            self._why = why
        salvage.clear(self.folder)
        self._ballast.release()
        database = self._database = Database(self.folder)
        source = Salvage(self.folder, self._source)
        taken, without_room = _take_over(database, map(self._row, known.saved)), 0
        passed_over = {*known.removals, *(entry.key for entry in known.saved)}
        last_key = self._last_key if self._identity else 1 << 62
        wanted = (
            row for row in source.rows() if row.entry.key <= last_key and row.entry.key not in passed_over
        )
        while batch := list(islice(wanted, SALVAGE_BATCH)):
            try:
                taken += _take_over(database, batch)
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                without_room = len(batch) + sum(1 for _ in wanted)
        lost = source.unreadable + without_room
        _log.error(
            "outbox damaged: set aside, and what is readable taken over",
            why=self._why,
            file=self._source,
            taken_over=taken,
            unreadable=lost,
        )
        self._source, self._identity = "", self._identity and database.identity
        self._passed = dict.fromkeys(self._passed, 0)
        return lost


def _take_over(database: Database, rows: Iterable[Row]) -> int:
    taken = list(rows)
    with database.transaction():
        database.insert(taken)
    return len(taken)
