"""Windows of rows through one model: a queue for each sensor, batches of what waits, results to the outbox.

    sensor ─ offer ─→ RowFeed (in order, bounded) ─┐
    sensor ─ offer ─→ RowFeed (in order, bounded) ─┴─ turn: all that waits, a batch at most ─→ worker ─→ messages

Rows are not news that goes stale: nothing is passed over, and a source that can wait is held back where the queue is
full. One that cannot loses the oldest, which is counted. One batch of a feed is in work at a time, so results stay in
order. A batch that has no answer, or whose process dies, is tried again a window at a time, so that one bad window
costs only itself.

Receipts of windows are let go once each was published, withheld or dropped. Of those that still wait when all ends they
are kept, so that the rows come again.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import structlog

from edged.errors import EdgedError, InferenceFailed, WorkerLost
from edged.pipeline.callers import MAX_ATTEMPTS, WAIT_S, WARN_EVERY_S, Callers, Observer
from edged.rows import Scores, Windows
from edged.worker.answer import Scored
from edged.worker.client import WorkerProcess
from edged.worker.description import ModelDescription
from edged.worker.keeper import Worker

MAX_WAITING_VALUES = 1 << 24
"""Numbers that may wait in a queue, 128 MiB, or texts that need as much: ten thousand windows of many rows would be
gigabytes."""
MAX_BATCH_CHARACTERS = 4 << 20
"""Of texts in one inference, give or take a delivery: a line may have a million of them."""
OUTCOMES = ("published", "withheld", "full", "failed", "lost")
"""What becomes of windows."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RowResult:
    """Some windows of one sensor, in order, scored by one model at once.

    Attributes:
        windows: What was scored.
        model: What answered.
        version: Of it.
        scores: Of each window.
        queue_ms: From the arrival of the last of them to its turn.
        batch_ms: In the runtime, of the whole batch that they were part of.
        inference_ms: A window's share of that.
    """

    windows: Windows
    model: ModelDescription
    version: int
    scores: Scores
    queue_ms: float
    batch_ms: float
    inference_ms: float

    @property
    def source(self) -> str:
        """Name of the sensor."""
        return self.windows.source

    @property
    def found(self) -> int:
        """How many windows."""
        return len(self.windows)


@dataclass(slots=True, eq=False)
class RowFeed:
    """One sensor's windows on their way to one model.

    Attributes:
        source: Name of the sensor.
        emit: Called with each result, in order, by a caller's thread; says how many messages were made of it.
        limit: Windows that may wait, fewer where they are large; a source that waits may exceed it by what it brings at
            once.
        patient: The source waits where the queue is full, instead of losing the oldest.
        max_wait_s: How long windows wait for others to be scored with them, from their arrival.
        counts: Windows by what became of them: ``published``, ``withheld`` (not worth a message), and dropped:
            ``full``, ``failed``, ``lost``. The keys are there from the start, so that others may read meanwhile.
    """

    source: str
    emit: Callable[[RowResult], int]
    limit: int = 10_000
    patient: bool = True
    max_wait_s: float = 0.0
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTCOMES, 0)))
    closed: bool = False
    _queue: deque[Windows] = field(default_factory=deque)
    _waiting: int = 0
    _values: int = 0  # numbers in those, and what counts as such
    _attempts: int = 0  # how often a process died over the first window that waits or is in work
    _suspects: int = 0  # that one and those behind it that were in work when a process died
    _busy: bool = False
    _served_s: float = 0.0
    _warned_s: float = -WARN_EVERY_S

    @property
    def waiting(self) -> int:
        """Windows that wait."""
        return self._waiting

    def _put(self, windows: Windows) -> list[Windows]:
        """Take windows in.

        Returns:
            The oldest, which are dropped because more wait than may; of a patient source none.
        """
        self._queue.append(windows)
        self._count(windows, 1)
        gone = []
        while not self.patient and (over := self._over()) > 0:
            gone.append(self._first(over))
            self._dealt_with(len(gone[-1]))
        return gone

    @property
    def _is_full(self) -> bool:
        return self._waiting >= self.limit or self._values >= MAX_WAITING_VALUES

    def _over(self) -> int:
        """How many windows of those at the head are too many; the last one never is."""
        over = self._waiting - self.limit
        if self._values > MAX_WAITING_VALUES and self._waiting > 1:
            first = self._queue[0]
            each = max(1, _values(first) // len(first))
            over = max(over, min(self._waiting - 1, -(-(self._values - MAX_WAITING_VALUES) // each)))
        return over

    def _count(self, windows: Windows, sign: int) -> None:
        self._waiting += sign * len(windows)
        self._values += sign * _values(windows)

    def _due_s(self) -> float:
        return self._queue[0].arrived_monotonic_s + self.max_wait_s

    def _is_due(self, process: WorkerProcess, now_s: float) -> bool:
        return self._waiting >= min(self._room(process), self.limit) or now_s >= self._due_s()

    def _room(self, process: WorkerProcess) -> int:
        """Windows like the first that go into one inference; suspects go alone."""
        if self._attempts:
            return 1
        return max(1, process.description.rows.at_once(self._queue[0].numbers.shape[1]))

    def _batch(self, process: WorkerProcess) -> list[Windows]:
        """Out of the queue: windows of as many rows each as the first, as many as go into one inference."""
        shape, room = self._queue[0].numbers.shape[1:], self._room(process)
        batch: list[Windows] = []
        characters = 0
        while room and self._queue and self._queue[0].numbers.shape[1:] == shape:
            batch.append(self._first(room))
            room -= len(batch[-1])
            characters += _characters(batch[-1])
            if characters > MAX_BATCH_CHARACTERS:
                break
        return batch

    def _first(self, most: int) -> Windows:
        """Out of the queue: what is at its head, so many windows at most."""
        first = self._queue.popleft()
        if len(first) > most:
            first, rest = first.split(most)
            self._queue.appendleft(rest)
        self._count(first, -1)
        return first

    def _put_back(self, batch: list[Windows]) -> None:
        self._queue.extendleft(reversed(batch))
        for windows in batch:
            self._count(windows, 1)

    def _died_over(self, count: int) -> bool:
        """A process died over so many windows; whether they, or rather it, as it is alone by then, are given up."""
        self._attempts += 1
        self._suspects = max(self._suspects, count)
        return self._attempts >= MAX_ATTEMPTS

    def _dealt_with(self, count: int) -> None:
        """So many of the first windows were published or dropped."""
        self._suspects = max(0, self._suspects - count)
        self._attempts = min(1, self._suspects)


@dataclass(frozen=True, slots=True)
class RowTurn:
    """Windows whose turn has come, and the feed that is busy with them.

    Attributes:
        feed: Where they waited.
        batch: Those that were not dealt with yet.
    """

    feed: RowFeed
    batch: list[Windows]


class RowPipeline(Callers[RowTurn]):
    """The callers of a model of rows. While nothing serves, windows wait."""

    def __init__(self, name: str, callers: int, observer: Observer | None = None) -> None:
        """See `Callers`."""
        super().__init__(name, callers, observer)
        self._feeds: list[RowFeed] = []

    def attach(self, feed: RowFeed) -> None:
        """Serve a feed from now on."""
        with self._work:
            self._feeds.append(feed)

    def detach(self, feed: RowFeed) -> None:
        """Forget a feed and what waits in it; windows in work are still emitted.

        Receipts of what waits are kept: whoever can give the rows again will be asked for them.
        """
        with self._work:
            feed.closed = True
            if feed in self._feeds:
                self._feeds.remove(feed)
            self._room.notify_all()
            self._rest.notify_all()

    def wait_emitted(self, feed: RowFeed, timeout_s: float) -> bool:
        """Wait until nothing of a feed is in work, which ends once it was detached; False if that took longer."""
        with self._work:
            return self._rest.wait_for(lambda: not feed._busy, timeout_s)

    def offer(self, feed: RowFeed, windows: Windows) -> bool:
        """Put windows into a feed's queue. Called by the sensor's thread; waits where the feed is patient.

        Returns:
            False if they were not taken, because this or the feed has ended.
        """
        with self._work:
            if feed.patient:
                self._room.wait_for(lambda: not feed._is_full or self._stopping or feed.closed)
            if self._stopping or feed.closed:
                return False
            gone = feed._put(windows)
            if not feed._busy:
                self._work.notify()
        if gone:
            self._drop(feed, gone, "full", "rows come faster than they are scored: the oldest are dropped")
        return True

    def _is_idle(self) -> bool:
        return not any(feed._queue or feed._busy for feed in self._feeds)

    def _is_waiting(self) -> bool:
        return any(feed._queue and not feed._busy for feed in self._feeds)

    def _patience_s(self) -> float:
        now_s = time.monotonic()
        waits = [feed._due_s() - now_s for feed in self._feeds if feed._queue and not feed._busy]
        return max(0.0, min([WAIT_S, *waits]))

    def _take(self, process: WorkerProcess) -> RowTurn | None:
        now_s = time.monotonic()
        for feed in sorted(self._feeds, key=lambda feed: feed._served_s):
            if feed._queue and not feed._busy and feed._is_due(process, now_s):
                feed._busy, feed._served_s = True, now_s
                return RowTurn(feed, feed._batch(process))
        return None

    def _hand_back(self, turn: RowTurn) -> None:
        turn.feed._busy = False
        turn.feed._put_back(turn.batch)

    def _lost(self, turn: RowTurn) -> None:
        feed, count = turn.feed, _count(turn.batch)
        with self._work:
            given_up = feed._died_over(count)
        if given_up:
            self._drop(feed, turn.batch, "lost", "rows lost with their worker")
            turn.batch.clear()
        with self._work:
            if given_up:
                feed._dealt_with(count)
            self._end(turn)

    def _end(self, turn: RowTurn) -> None:
        """The feed is free again, with what was not dealt with at its head; called with the lock held."""
        self._hand_back(turn)
        self._work.notify()
        self._rest.notify_all()

    def _serve_turn(self, turn: RowTurn, worker: Worker, process: WorkerProcess, lane: int) -> None:
        feed, count = turn.feed, _count(turn.batch)
        try:
            if self._deal_with(feed, turn.batch, worker, process, lane):
                turn.batch.clear()
            else:
                self._one_by_one(turn, worker, process, lane)
        except WorkerLost:
            raise
        except Exception as error:  # noqa: BLE001  # a bug of ours on some rows must not end the caller in silence
            turn.batch.clear()
            self._warn(feed, "a bug: rows dropped", error=repr(error))
        with self._work:
            feed._dealt_with(count - _count(turn.batch))
            self._end(turn)

    def _one_by_one(self, turn: RowTurn, worker: Worker, process: WorkerProcess, lane: int) -> None:
        """One of the windows has no answer; the others do. What was dealt with leaves the turn."""
        turn.batch[:] = [single for windows in turn.batch for single in _singles(windows)]
        while turn.batch and not self._stopping:
            self._deal_with(turn.feed, turn.batch[:1], worker, process, lane)
            del turn.batch[0]

    def _deal_with(
        self, feed: RowFeed, batch: list[Windows], worker: Worker, process: WorkerProcess, lane: int
    ) -> bool:
        """Score windows and hand on what comes out, or drop them.

        Returns:
            False where they had no answer together, and each is to be tried alone.

        Raises:
            WorkerLost: The process died over them.
        """
        started_s, count = time.monotonic(), _count(batch)
        try:
            scored = self._ask(batch, process, lane)
        except WorkerLost:
            raise
        except InferenceFailed as error:
            if count > 1:
                return False
            self._drop(feed, batch, "failed", "no inference", error=str(error))
            if self._observer:
                self._observer.failed(worker, feed.source, error.problem)
        except Exception as error:  # noqa: BLE001  # likewise
            known = isinstance(error, EdgedError)
            event, told = ("no inference", str(error)) if known else ("a bug: rows dropped", repr(error))
            self._drop(feed, batch, "failed", event, error=told)
        else:
            start = 0
            for windows in batch:
                result = RowResult(
                    windows=windows,
                    model=process.description,
                    version=worker.version,
                    scores=scored.scores.part(start, start + len(windows)),
                    queue_ms=max(0.0, started_s - windows.arrived_monotonic_s) * 1000,
                    batch_ms=scored.inference_ms,
                    inference_ms=scored.inference_ms / count,
                )
                start += len(windows)
                self._hand_on(feed, result, worker)
        return True

    def _ask(self, batch: list[Windows], process: WorkerProcess, lane: int) -> Scored:
        recipe = process.description.rows
        numbers = batch[0].numbers if len(batch) == 1 else np.concatenate([one.numbers for one in batch])
        if numbers.shape[2] != recipe.features - len(recipe.texts) or not recipe.at_once(numbers.shape[1]):
            raise EdgedError(
                f"model {self.name}",
                f"takes no windows of {numbers.shape[1]} rows with {numbers.shape[2]} numbers",
                "correct the window of the sensor",
            )
        return process.score(lane, numbers, tuple(text for one in batch for text in one.texts))

    def _hand_on(self, feed: RowFeed, result: RowResult, worker: Worker) -> None:
        windows = result.windows
        try:
            published = feed.emit(result)
        except Exception as error:  # noqa: BLE001  # likewise; the other windows of the batch are fine
            self._drop(feed, [windows], "failed", "a bug: rows dropped", error=repr(error))
            return
        with self._work:
            feed.counts["published"] += published
            feed.counts["withheld"] += len(windows) - published
        _let_go(windows)
        if self._observer:
            self._observer.looked(worker, result)

    def _drop(self, feed: RowFeed, batch: list[Windows], outcome: str, event: str, **details: object) -> None:
        with self._work:
            feed.counts[outcome] += _count(batch)
        self._warn(feed, event, sequence=batch[0].sequence, dropped=feed.counts[outcome], **details)
        for windows in batch:
            _let_go(windows)

    def _warn(self, feed: RowFeed, event: str, **details: object) -> None:
        """One line in a while, not one a row; the counts say how many."""
        now_s = time.monotonic()
        if now_s - feed._warned_s >= WARN_EVERY_S:
            feed._warned_s = now_s
            log.warning(event, sensor=feed.source, model=self.name, **details)


def _count(batch: list[Windows]) -> int:
    return sum(map(len, batch))


def _values(windows: Windows) -> int:
    """The memory they need, in numbers of eight bytes."""
    return windows.numbers.size + _characters(windows) // 8


def _characters(windows: Windows) -> int:
    return sum(len(text) for window in windows.texts for row in window for text in row)


def _singles(windows: Windows) -> list[Windows]:
    """Each window alone."""
    singles, rest = [], windows
    while len(rest) > 1:
        first, rest = rest.split(1)
        singles.append(first)
    return [*singles, rest]


def _let_go(windows: Windows) -> None:
    for receipt in windows.receipts:
        receipt.let_go()
