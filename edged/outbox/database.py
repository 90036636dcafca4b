"""The SQLite file that messages wait in. Knows rows and transactions, no thread and no policy.

WAL with ``synchronous=FULL``: a commit is on the medium when it returns, at one fsync for as many messages as it
carries. The WAL is written back every 128 pages, so that it stays small.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edged.outbox.gaps import HEAD_BYTES
from edged.outbox.records import Entry, Gap, Rank

NAME = "outbox.db"
SYNCHRONOUS = "FULL"
"""An fsync each commit. ``NORMAL`` is faster, and lost every accepted message at each power cut that was tried."""

KEPT_PAGES = 512
"""Of 4 KiB, that are free and stay for what comes."""

READ_KB = 128
"""Of pages that a reader keeps: it comes by each once, in their order."""

GIVEN_BACK_PAGES = 1024
"""That are returned to the file system at once."""

MAX_PAGES = (1 << 32) - 2
"""As SQLite has it by itself; no file is made smaller by a smaller number."""

FORMAT = 1
"""``user_version`` of the file."""

_SCHEMA = """
CREATE TABLE message (
    key INTEGER PRIMARY KEY, rank INTEGER NOT NULL, topic TEXT NOT NULL, qos INTEGER NOT NULL,
    at_s REAL NOT NULL, wall_s REAL NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE gap (
    topic TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    first_id TEXT NOT NULL, last_id TEXT NOT NULL, PRIMARY KEY (topic, reason)
);
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_MESSAGE = "key, rank, topic, qos, at_s, wall_s, crc, payload"
UNREADABLE = (sqlite3.Error, UnicodeDecodeError, OverflowError)
"""What reading a damaged file raises."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
"""The second comes where not even the WAL's index has room."""

_QOS = {0, 1, 2}


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it is stored.

    Attributes:
        entry: With ``appended_monotonic_s`` on the outbox's own clock instead of this process's.
        wall_s: When it was appended, in seconds since 1970 as the wall clock had it.
        sound: Whether it is what was written.
    """

    entry: Entry
    wall_s: float
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Victim:
    """What has to be known of a message to drop it.

    Attributes:
        key: Of the entry.
        topic: Where it would have gone.
        head: The begin of its payload.
        size_bytes: What it counts against the bound.
        at_s: When it was appended, on the outbox's own clock.
        rank: Of the entry.
    """

    key: int
    topic: str
    head: bytes
    size_bytes: int
    at_s: float
    rank: Rank


@dataclass(frozen=True, slots=True)
class Holding:
    """What a file holds.

    Attributes:
        entries: By rank.
        bytes: By rank.
        last_key: Of the newest message; 0 where there is none.
        last_s: When that was appended, on the outbox's own clock.
        last_wall_s: The same on the wall clock.
        event_keys: Of the newest event, by topic.
    """

    entries: dict[Rank, int]
    bytes: dict[Rank, int]
    last_key: int
    last_s: float
    last_wall_s: float
    event_keys: dict[str, int]


class Database:
    """The file in a folder, opened. One thread writes; another may read through a `Reader`.

    Attributes:
        identity: Of the file, whatever stands in the folder later.

    Raises:
        sqlite3.Error: It cannot be opened; see `is_damaged`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._connection = connect(self._path)
        try:
            self._prepare()
            self.identity = self._stands_there()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            run("PRAGMA auto_vacuum = INCREMENTAL")
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {SYNCHRONOUS}")
        run("PRAGMA wal_autocheckpoint = 128")
        run("PRAGMA journal_size_limit = 1048576")
        run("PRAGMA cache_size = -2000")
        if version == 0:
            with self.transaction():
                for statement in _SCHEMA.strip().split(";\n"):
                    run(statement)
                run(f"PRAGMA user_version = {FORMAT}")
        elif version != FORMAT:
            raise sqlite3.DatabaseError(f"has format {version}, not {FORMAT}")
        if not self._note("clean") and run("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise damage("does not pass its check")
        with self.transaction():
            run("DELETE FROM note WHERE name = 'clean'")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on the medium once it is left."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def holding(self) -> Holding:
        """What is in it."""
        entries, sizes = dict.fromkeys(Rank, 0), dict.fromkeys(Rank, 0)
        counted = "SELECT rank, count(*), sum(length(topic) + length(payload)) FROM message GROUP BY rank"
        events = f"SELECT topic, max(key) FROM message WHERE rank = {int(Rank.EVENT)} GROUP BY topic"  # noqa: S608
        newest = "SELECT key, at_s, wall_s FROM message ORDER BY key DESC LIMIT 1"
        with _readable():
            for rank, count, size in self._connection.execute(counted):
                entries[Rank(rank)], sizes[Rank(rank)] = count, int(size)
            key, at_s, wall_s = self._connection.execute(newest).fetchone() or (0, 0.0, 0.0)
            event_keys = {str(topic): int(last) for topic, last in self._connection.execute(events)}
            return Holding(entries, sizes, key, float(at_s), float(wall_s), event_keys)

    def insert(self, rows: Iterable[Row]) -> None:
        """Put messages in."""
        self._connection.executemany(
            f"INSERT INTO message ({_MESSAGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                (
                    row.entry.key,
                    int(row.entry.rank),
                    row.entry.topic,
                    row.entry.qos,
                    row.entry.appended_monotonic_s,
                    row.wall_s,
                    zlib.crc32(row.entry.payload, zlib.crc32(row.entry.topic.encode())),
                    row.entry.payload,
                )
                for row in rows
            ),
        )

    def delete(self, keys: Sequence[int]) -> None:
        """Take messages out; those that are gone are no error."""
        self._connection.executemany("DELETE FROM message WHERE key = ?", ((key,) for key in keys))

    def delete_beyond(self, key: int) -> None:
        """Take out all messages with a greater key."""
        self._connection.execute("DELETE FROM message WHERE key > ?", (key,))

    def victims(self, rank: Rank | None, after: int, limit: int) -> Iterator[Victim]:
        """The oldest beyond a key, of a rank or of all; read while they are looked at."""
        wanted = "" if rank is None else f"AND rank = {int(rank)}"
        head, size = f"ifnull(substr(payload, 1, {HEAD_BYTES}), x'')", "length(topic) + length(payload)"
        found = self._connection.execute(
            f"SELECT key, topic, {head}, {size}, at_s, rank "  # noqa: S608
            f"FROM message WHERE key > ? {wanted} ORDER BY key LIMIT ?",
            (after, limit),
        )
        with closing(found), _readable():
            for key, topic, start, size_bytes, at_s, kind in found:
                yield Victim(key, topic, start, int(size_bytes), float(at_s), Rank(kind))

    def gaps(self) -> list[Gap]:
        """Those that nobody was told of."""
        return [Gap(*row) for row in self._connection.execute("SELECT * FROM gap ORDER BY rowid")]

    def replace_gaps(self, gaps: Iterable[Gap]) -> None:
        """Keep these instead of those it had."""
        self._connection.execute("DELETE FROM gap")
        self._connection.executemany(
            "INSERT INTO gap VALUES (?, ?, ?, ?, ?)",
            ((gap.topic, gap.reason, gap.count, gap.first_id, gap.last_id) for gap in gaps),
        )

    def give_back(self) -> None:
        """Return free pages to the file system, some at a time, and copies of pages to the process."""
        spare = self._connection.execute("PRAGMA freelist_count").fetchone()[0] - KEPT_PAGES
        if spare > 0:
            # A step frees one page, and execute() makes one step only.
            self._connection.executescript(f"PRAGMA incremental_vacuum({min(spare, GIVEN_BACK_PAGES)})")
        self._connection.execute("PRAGMA shrink_memory")  # pages of what waited once, otherwise kept for good

    def still_there(self) -> bool:
        """Whether the file that is open is the one that stands in the folder."""
        try:
            return self._stands_there() == self.identity
        except OSError:
            return False

    def _stands_there(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_dev, found.st_ino

    def limit(self, *, grows: bool) -> None:
        """Have the file grow, or not: what a WAL holds for a file that cannot grow can never be written back."""
        self._connection.execute(f"PRAGMA max_page_count = {MAX_PAGES if grows else 1}").fetchall()

    def checkpoint(self) -> None:
        """Write the WAL back, so that its room is used again."""
        self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def close(self, *, clean: bool = True) -> None:
        """Close; a file that was closed cleanly is not checked the next time."""
        with suppress(sqlite3.Error):
            if clean:
                self._connection.execute("INSERT OR REPLACE INTO note VALUES ('clean', '1')")
        with suppress(sqlite3.Error):
            self._connection.close()

    def _note(self, name: str) -> str:
        row = self._connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""


class Reader:
    """Reads the file beside its writer, or a damaged one that was set aside. Used by one thread at a time.

    Raises:
        sqlite3.Error: It cannot be opened.
    """

    def __init__(self, folder: Path, *, set_aside: str = "") -> None:
        self._connection = connect(folder / (set_aside or NAME), "rw")
        if set_aside:
            # Before all else: otherwise SQLite reads nothing of a file that is shorter than it should be.
            self._connection.execute("PRAGMA writable_schema = ON")
        self._connection.execute(f"PRAGMA cache_size = -{READ_KB}")

    def read(self, after: int, up_to: int, limit: int) -> list[Row]:
        """Messages with a key in ``(after, up_to]``, oldest first."""
        found = self._connection.execute(
            f"SELECT {_MESSAGE} FROM message WHERE key > ? AND key <= ? ORDER BY key LIMIT ?",  # noqa: S608
            (after, up_to, limit),
        )
        return [_row(values) for values in found]

    def row(self, key: int) -> Row | None:
        """The message with a key; None where there is none."""
        found = self._connection.execute(f"SELECT {_MESSAGE} FROM message WHERE key = ?", (key,)).fetchone()  # noqa: S608
        return _row(found) if found else None

    def try_read(self, after: int, limit: int) -> list[Row] | None:
        """Messages beyond a key, oldest first; None where not all of them can be read."""
        try:
            return self.read(after, 1 << 62, limit)
        except UNREADABLE:
            return None

    def newest_key(self) -> int:
        """Of the newest message; 0 where there is none, or nothing can be said."""
        try:
            return self._connection.execute("SELECT max(key) FROM message").fetchone()[0] or 0
        except UNREADABLE:
            return 0

    def close(self) -> None:
        """Close."""
        with suppress(sqlite3.Error):
            self._connection.close()


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """A connection in which every transaction is begun and ended by hand; with ``rw`` no file is made."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        address, timeout=2.0, isolation_level=None, check_same_thread=False, uri=True
    )
    # A byte of a topic that is not what was written is seen by its checksum, and is no reason to stop reading.
    connection.text_factory = lambda text: text.decode(errors="replace")
    return connection


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether it says that the file is not what was written, rather than that it cannot be reached or grow."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError | sqlite3.ProgrammingError
        )
    missing_table = code == sqlite3.SQLITE_ERROR and "no such" in str(error)
    foreign_row = code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY  # a key is there that nobody wrote
    return code & 0xFF in _DAMAGED or missing_table or foreign_row


def is_full(error: Exception) -> bool:
    """Whether it says that there is no room."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code in _NO_ROOM or code & 0xFF == sqlite3.SQLITE_FULL


def damage(problem: str) -> sqlite3.DatabaseError:
    """An error that `is_damaged` takes for what it says."""
    error = sqlite3.DatabaseError(problem)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


@contextmanager
def _readable() -> Iterator[None]:
    """A value of a kind that was never written is damage."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise damage(f"holds what was never written: {error}") from error


def _row(values: tuple[Any, ...]) -> Row:
    key, rank, topic, qos, at_s, wall_s, crc, payload = values
    try:
        sound = qos in _QOS and crc == zlib.crc32(payload, zlib.crc32(topic.encode()))
        return Row(Entry(key, topic, payload, qos, float(at_s), Rank(rank)), float(wall_s), sound)
    except (TypeError, ValueError, AttributeError):  # a type or a rank that was never written
        return Row(Entry(key, str(topic), b"", 0, 0.0), 0.0, sound=False)
