"""An outbox on disk: a message is on the medium before anybody tries to deliver it.

    append ─→ pending ─→ thread "outbox" ─ one commit for all ─→ file ─→ seen by the link
    remove ─→ done    ─↗        └ disk full or broken: seen all the same, from memory, and saved once it can be

One thread owns the file. Nothing that goes wrong with the disk stops results: what cannot be saved is delivered from
memory while the broker takes it, and what a bounded memory cannot hold is dropped, counted, and reported as a gap.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog

from edged.heartbeat import Heartbeat
from edged.outbox.bounds import excess_bytes, share_bytes
from edged.outbox.choosing import Work
from edged.outbox.database import UNREADABLE, Reader, Victim, is_damaged, is_full
from edged.outbox.gaps import GapMessage, Gaps
from edged.outbox.records import Entry, Gap, Rank, Reason, size_bytes
from edged.outbox.settling import Settling
from edged.outbox.spool import SMALL_BATCH, Known, Spool
from edged.outbox.view import View
from edged.outbox.wakes import Wakes

GATHER_S = 0.002
"""From one commit to the next, at least, so that messages share them; a lone message does not wait."""

BATCH = 100
"""Messages that do not wait any longer."""

MAX_BATCH = 1000
"""Messages in one commit."""

MAX_BATCH_BYTES = 1 << 20
"""Of new ones in one commit: a WAL stays far smaller than the ballast."""

PENDING_BYTES = 16 << 20
"""Of messages that wait for a slow disk."""

UNSAVED_BYTES = 8 << 20
"""Of messages that no disk takes."""

UNSAVED_SLACK = 16
"""Where these are too many, a part more of them goes, so that it is not looked through for every message."""

READ_AHEAD = 256
READ_PATIENCE_S = 1.0
"""How long a reader waits for a file that is being opened or rescued; the link has other things to do."""

TICK_S = 1.0
"""How long acknowledged messages wait for a commit to go with; killed meanwhile, they are delivered again."""

RETRY_S = 1.0
"""Between attempts to use a disk that failed."""

WITHOUT_FILE = 1 << 50
"""Keys of a run whose file could not be opened begin here, and with the time: behind those of any file."""

FULL_S = 10.0
"""After the last message that had to make room: how long a disk counts as full, so that it is said once."""

STUCK_S = 30.0
"""A thread that has not gone on for so long hangs: no disk that is of any use takes longer for a commit."""

OPEN_BYTES_PER_S = 2 << 20
"""The slowest disk that is waited for where a file is looked through or rescued as a whole."""

_NOT_OPEN = "it is not open yet"
_FULL = "the disk is full: the newest results wait in memory, or take the place of the oldest"
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message without a key: keys follow the order of commits."""

    topic: str
    payload: bytes
    qos: int
    rank: Rank
    at_s: float
    settled: Callable[[], None] | None = None

    @property
    def size_bytes(self) -> int:
        return size_bytes(self.topic, self.payload)


class DiskOutbox:
    """An outbox in a folder of its own. `start` it; `close` ends its thread.

    Args:
        folder: Made when it is missing; used by one process at a time.
        max_bytes: Bound on topics and payloads together. The file may be a quarter larger, and 6 MiB.
        max_age_s: An entry older than this is no longer worth sending.
        gap_message: Makes the message that tells of a gap; None = nobody is told.
        monotonic: The monotonic clock, in seconds.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        max_age_s: float,
        *,
        gap_message: GapMessage | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._max_bytes, self._max_age_s = folder, max_bytes, max_age_s
        self._gap_message, self._monotonic, self._wall = gap_message, monotonic, wall
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._view = View()
        self._pending: deque[_Draft] = deque()
        self._pending_bytes = 0
        self._tried = threading.Condition(self._lock)
        self._appended = self._tried_count = 0  # since the start; of those the disk had its chance with
        self._fresh: list[Entry] = []  # in the commit that is under way
        self._removals: list[int] = []
        self._gaps = Gaps()
        self._reporting = False
        self._asides: deque[tuple[Entry, str]] = deque(maxlen=100)
        self._damaged = ""
        self._closing = False
        self._dropped = 0
        self._problem = _NOT_OPEN
        self._opened = self._full = False
        self._settling = Settling()  # of what is not saved yet
        self._wakes = Wakes()
        self._reader_lock = threading.Lock()
        self._reader: Reader | None = None
        self._spool = Spool(folder, monotonic=monotonic, wall=wall)
        self._retry_at_s = self._tick_at_s = self._squeezed_at_s = self._saved_at_s = 0.0
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Open the file, in the thread; messages may be appended before."""
        self._thread.start()

    # For everybody

    def append(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        rank: Rank = Rank.RESULT,
        settled: Callable[[], None] | None = None,
    ) -> None:
        """Take a message; it may be sent once it is on the medium, which also settles it."""
        draft = _Draft(topic, payload, qos, rank, self._monotonic(), settled)
        with self._lock:
            self._pending.append(draft)
            self._appended += 1
            self._pending_bytes += draft.size_bytes
            while self._pending_bytes > PENDING_BYTES and len(self._pending) > 1:
                over = self._pending.popleft()
                self._pending_bytes -= over.size_bytes
                self._count_dropped(over.topic, over.payload, "disk")
                self._settling.settle_keyless(over.settled)
            if len(self._pending) in {1, BATCH}:
                self._news.notify()
        self._settling.tell()

    def wait_saved(self, timeout_s: float) -> bool:
        """Wait until the disk had its chance with what was appended before; False if that took longer."""
        with self._lock:
            appended = self._appended
            return self._tried.wait_for(lambda: self._tried_count >= appended, timeout_s)

    def after(self, key: int, limit: int, *, up_to: int | None = None) -> list[Entry]:
        """At most ``limit`` entries beyond ``key``; those that are not saved yet are not among them."""
        found: list[Entry] = []
        position = key
        while True:
            with self._lock:
                last = self._view.last_key if up_to is None else min(up_to, self._view.last_key)
                some, unread = self._view.after(position, limit - len(found), last)
            found += some
            if unread is None or not self._read_ahead(unread):
                return found
            position = unread

    def remove(self, key: int) -> None:
        """Forget an entry that `after` gave."""
        with self._lock:
            self._take_out(key)
        self._settling.tell()

    def set_aside(self, entry: Entry, why: str) -> None:
        """Give an entry up; it is written to ``set-aside.jsonl`` in the folder."""
        with self._lock:
            if self._take_out(entry.key):
                self._count_dropped(entry.topic, entry.payload, "refused")
                self._asides.append((entry, why))
        self._settling.tell()

    def report_gaps(self) -> None:
        """Append a message about what was dropped since the last call."""
        with self._lock:
            self._reporting = self._gap_message is not None

    def __len__(self) -> int:
        with self._lock:
            return sum(self._view.entries.values()) + len(self._fresh) + len(self._pending)

    @property
    def last_key(self) -> int:
        """Of the newest entry that `after` may give."""
        return self._view.last_key

    def event_keys(self) -> dict[str, int]:
        """Of the newest event that `after` may give, by topic."""
        with self._lock:
            return dict(self._view.event_keys)

    @property
    def depth_bytes(self) -> int:
        """Topics and payloads that wait."""
        with self._lock:
            fresh_bytes = sum(entry.size_bytes for entry in self._fresh)
            return sum(self._view.bytes.values()) + fresh_bytes + self._pending_bytes

    @property
    def dropped(self) -> int:
        """Entries given up since the start."""
        return self._dropped

    @property
    def problem(self) -> str:
        """Why messages are not kept on disk; empty while they are."""
        return self._problem

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called after each commit, until what is returned is called."""
        return self._wakes.subscribe(wake)

    def rebound(self, max_bytes: int, max_age_s: float) -> None:
        """Put other bounds in force; what is over them goes within a second."""
        with self._lock:
            self._max_bytes, self._max_age_s = max_bytes, max_age_s

    def close(self, timeout_s: float) -> bool:
        """Save what is pending, close the file, end the thread; nothing may be appended any more.

        Returns:
            Whether everything that waits is on the medium.
        """
        with self._lock:
            self._closing = True
            self._news.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("the outbox does not end", waited_s=timeout_s)
            return False
        with self._lock:
            return not self._pending and not self._view.unsaved

    def _take_out(self, key: int) -> bool:
        if self._view.remove(key) is None:
            return False
        self._settling.settle((key,))
        if self._view.is_done(key):  # it is in the file still
            self._removals.append(key)
        return True

    def _count_dropped(self, topic: str, head: bytes, reason: Reason) -> None:
        self._dropped += 1
        self._gaps.add(topic, head, reason)

    def _read_ahead(self, after: int) -> bool:
        """Have the view see what the file holds next; False where it cannot be read."""
        if not self._reader_lock.acquire(timeout=READ_PATIENCE_S):
            return False
        try:
            with self._lock:
                up_to = self._view.begin_reading()
            try:
                if self._reader is None:
                    self._reader = Reader(self._folder)
                rows = self._reader.read(after, up_to, READ_AHEAD)
            except UNREADABLE as error:
                self._forget_reader()
                with self._lock:
                    self._view.end_reading(0, [], 0)
                    if not isinstance(error, sqlite3.Error) or is_damaged(error):
                        self._is_damaged(str(error))
                return False
            sound = [self._spool.read_row(row) for row in rows if row.sound]
            with self._lock:
                last = rows[-1].entry.key if len(rows) == READ_AHEAD else up_to
                self._view.end_reading(after, sound, last)
                if len(sound) < len(rows):
                    self._is_damaged("a message is not what was written")
        finally:
            self._reader_lock.release()
        return True

    def _is_damaged(self, why: str) -> None:
        """Have the thread begin anew; called with the lock held."""
        self._damaged = why
        self._news.notify()

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    # The thread

    def _run(self) -> None:
        with self._heart:
            self._keep()

    def _keep(self) -> None:
        closing = False
        while not closing:
            with self._lock:
                self._wait()
                closing = self._closing
            try:
                while self._round():
                    pass
            except Exception as error:  # noqa: BLE001  # a bug must not end delivery in silence
                _log.error("the outbox stumbled and goes on", exc_info=error)
                with self._lock:
                    self._news.wait_for(lambda: self._closing, RETRY_S)
        self._end()

    def _wait(self) -> None:
        """Until something is to be done; called with the lock held."""

        def urgent() -> bool:
            rescue = self._damaged and self._monotonic() >= self._retry_at_s
            return bool(self._pending or self._closing or rescue)

        next_s = min(self._tick_at_s, self._retry_at_s) if self._damaged else self._tick_at_s
        self._news.wait_for(urgent, max(0.0, next_s - self._monotonic()))
        if self._pending and not self._closing:
            gather_s = self._saved_at_s + GATHER_S - self._monotonic()
            self._news.wait_for(lambda: len(self._pending) >= BATCH or self._closing, max(0.0, gather_s))

    def _round(self) -> bool:
        """Save what is pending, delete what is done, drop what is over a bound; True where more is pending."""
        self._heart.mark()
        now_s = self._monotonic()
        due, tick = now_s >= self._retry_at_s or self._closing, now_s >= self._tick_at_s
        if tick:
            self._tick_at_s = now_s + TICK_S
        if due and (self._damaged or not self._spool.is_open):
            self._open()
        if self._problem == _NOT_OPEN:
            return False  # keys are not known before
        fresh, saved = self._take_pending(), False
        try:
            saved = due and self._spool.is_open and self._save(fresh, now_s, tick=tick)
        finally:
            self._saved_at_s = self._monotonic()
            with self._lock:
                self._view.show(self._fresh, saved=False)
                self._fresh = []
                if not saved:
                    self._trim_unsaved()
                self._view.settle()
        self._settling.tell()
        if fresh or saved:
            self._wakes()
        self._write_asides()
        if saved and tick:
            self._tidy()
        with self._lock:
            self._tried_count = self._appended - len(self._pending)
            self._tried.notify_all()
            return bool(self._pending)

    def _take_pending(self) -> list[Entry]:
        """With keys from now on; what would not fit were it alone is dropped."""
        with self._lock:
            self._view.pardon()
            self._fresh = []
            least_bytes = self._pending_bytes - MAX_BATCH_BYTES
            for _ in range(min(len(self._pending), MAX_BATCH)):
                if self._pending_bytes <= least_bytes:
                    break
                draft = self._pending.popleft()
                self._pending_bytes -= draft.size_bytes
                key = self._view.next_key()
                if draft.size_bytes > share_bytes(draft.rank, self._max_bytes):
                    self._count_dropped(draft.topic, draft.payload, "full")
                    self._settling.settle_keyless(draft.settled)
                    continue
                self._settling.expect(key, draft.settled)
                entry = Entry(key, draft.topic, draft.payload, draft.qos, draft.at_s, draft.rank)
                self._fresh.append(entry)
            return self._fresh

    def _write_asides(self) -> None:
        with self._lock:
            asides = list(self._asides)
            self._asides.clear()
        for entry, why in asides:
            self._spool.keep_aside(entry, why)

    def _open(self) -> None:
        """Open the file, or one in place of a damaged one."""
        self._heart.mark(self._max_bytes / OPEN_BYTES_PER_S)
        with self._lock:
            damaged, self._damaged = self._damaged, ""
            removals, first = list(self._removals), self._view.unsaved.first()
            known = Known(removals, self._view.cached(), first.key if first else None)
        with self._reader_lock:
            self._forget_reader()
            try:
                holding, lost = self._spool.open(known, damaged=damaged)
            except (OSError, sqlite3.Error) as error:
                self._fail(error)
                return
            with self._lock:
                self._view.deleted(removals)
                del self._removals[: len(removals)]
                missed = self._view.begin(
                    holding.entries, holding.bytes, holding.last_key, holding.event_keys
                )
                # Whoever has seen a file before knows exactly; nobody does of one that was damaged at the start.
                self._miss(max(missed, 0) if self._opened else lost, "damaged")
        waiting = sum(holding.entries.values())
        if waiting and not self._opened:
            _log.info("outbox opened", waiting=waiting, folder=str(self._folder))
        self._opened = True
        self._fine()

    def _miss(self, count: int, reason: Reason) -> None:
        """So many are gone, and nobody knows of which topics; called with the lock held."""
        if count:
            self._dropped += count
            self._gaps.merge(Gap("", reason, count, "", ""))

    def _save(self, fresh: list[Entry], now_s: float, *, tick: bool) -> bool:
        """One transaction; what is seen follows it. False where it failed, and nothing has changed."""
        with self._lock:
            most = SMALL_BATCH if self._full else MAX_BATCH
            removals, unsaved = self._removals[:most], list(islice(self._view.unsaved, most))
            more = len(removals) < len(self._removals) or len(unsaved) < len(self._view.unsaved)
            if more:  # keys are saved in their order
                self._view.show(fresh, saved=False)
                self._fresh = fresh = []
            self._view.saving = {entry.key for entry in unsaved}
            gaps = self._gaps.take()
            reporting, self._reporting = self._reporting and not more, False
            held = dict(self._view.bytes)
            for entry in fresh:
                held[entry.rank] += entry.size_bytes
            excess = excess_bytes(held, self._max_bytes)
            oldest_s = now_s - self._max_age_s if tick and any(held.values()) else None
        if not (unsaved or fresh or removals or gaps or reporting or excess or oldest_s is not None):
            return True
        work = Work(
            entries=[*unsaved, *fresh],
            removals=removals,
            gaps=gaps,
            excess=excess,
            oldest_s=oldest_s,
            may_drop=self._may_drop,
            made_room=self._made_room,
            tell=self._tell if reporting else None,
        )
        try:
            done = self._spool.save(work)
        except Exception as error:  # noqa: BLE001  # a bug, too, must not cost what was to be saved
            with self._lock:
                self._view.saving.clear()
                self._view.pardon()
                later = self._gaps.take()
                for gap in [*gaps, *later]:
                    self._gaps.merge(gap)
                if isinstance(error, sqlite3.Error) and is_damaged(error):
                    self._damaged = str(error)
            if not isinstance(error, OSError | sqlite3.Error):
                _log.error("a bug in the outbox", exc_info=error)
            self._fail(error)
            return False
        with self._lock:
            self._view.saving.clear()
            del self._removals[: len(removals)]
            self._view.deleted(removals)
            self._view.show([*fresh, *done.told], saved=True)
            self._fresh = []
            self._view.saved([entry.key for entry in unsaved])
            self._settling.settle([entry.key for entry in work.entries])
            self._lose(done.dropped)
        if done.more or more:
            self._tick_at_s = now_s
        if done.squeezed:
            self._say(_FULL, "the disk of the outbox is full")
            self._is_full()
        self._fine()
        return True

    def _may_drop(self, key: int) -> bool:
        with self._lock:
            return self._view.condemn(key)

    def _made_room(self, victims: Sequence[Victim]) -> None:
        with self._lock:
            self._lose(victims)

    def _tell(self, gaps: list[Gap]) -> list[Entry]:
        messages = [self._gap_message(gap) for gap in gaps] if self._gap_message else []
        with self._lock:
            return [
                Entry(self._view.next_key(), topic, payload, 1, self._monotonic(), Rank.EVENT)
                for topic, payload in messages
            ]

    def _lose(self, victims: Sequence[Victim]) -> None:
        """What was dropped is not seen any more; called with the lock held."""
        for victim in victims:
            self._view.drop(victim.key, victim.rank, victim.size_bytes)
        self._settling.settle(victim.key for victim in victims)
        self._dropped += len(victims)

    def _trim_unsaved(self) -> None:
        """Keep the memory bounded while no disk takes anything; called with the lock held."""
        bound, held = min(UNSAVED_BYTES, self._max_bytes), self._view.unsaved.bytes
        if not excess_bytes(held, bound):
            return
        for entry in self._view.oldest_unsaved(excess_bytes(held, bound - bound // UNSAVED_SLACK)):
            self._view.drop(entry.key, entry.rank, entry.size_bytes)
            self._count_dropped(entry.topic, entry.payload, "disk")
            self._settling.settle((entry.key,))

    def _tidy(self) -> None:
        try:
            room = self._spool.tidy()
            if room and self._full and self._monotonic() > self._squeezed_at_s + FULL_S:
                self._full = False
                self._fine()
        except FileNotFoundError as error:
            with self._lock:
                self._removals.clear()
                self._miss(self._view.file_is_gone(), "disk")
            self._fail(error)
            self._retry_at_s = 0.0
        except (OSError, sqlite3.Error) as error:
            self._fail(error)

    def _fine(self) -> None:
        if self._full:
            self._problem = _FULL
            return
        if self._problem and self._problem != _NOT_OPEN:
            _log.info("results are kept on disk as usual again", folder=str(self._folder))
        self._problem = ""

    def _is_full(self) -> None:
        self._full, self._squeezed_at_s = True, self._monotonic()

    def _fail(self, error: Exception) -> None:
        """Say once that the disk does not do its part, and try again later."""
        self._retry_at_s = self._monotonic() + RETRY_S
        if is_full(error):
            self._is_full()
        else:
            self._spool.abandon()
        if self._problem == _NOT_OPEN:
            with self._lock:
                self._view.key_from(WITHOUT_FILE + int(max(0.0, self._wall()) * 1000))
        self._say(_words(error), "results are not kept on disk, only in memory")

    def _say(self, problem: str, event: str) -> None:
        """One line a spell."""
        if self._problem in {"", _NOT_OPEN}:
            remedy = "make room, or correct state.path"
            _log.error(event, folder=str(self._folder), why=problem, remedy=remedy)
        self._problem = problem

    def _end(self) -> None:
        with self._reader_lock:
            self._forget_reader()
        self._spool.close(empty=not len(self))


def _words(error: Exception) -> str:
    if isinstance(error, BlockingIOError):
        return "another process uses this folder"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
