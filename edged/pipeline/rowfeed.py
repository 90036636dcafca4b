"""The windows of one sensor on their way to one model: what waits, what is in work, and which are scored alone.

    offered ─→ waiting (in order, bounded) ─ next turn ─→ in work (two batches at most) ─→ published or dropped
                   ↑───────────────── back, in order ──────────────┘

Windows of a process that died are suspects: each is scored alone, with nothing else of the feed in work, so that it
shows which of them did it. One over which processes die again and again is given up.

All of it is called with the lock of the pipeline held.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edged.pipeline.callers import MAX_ATTEMPTS, WARN_EVERY_S
from edged.rows import Scores, Windows
from edged.worker.client import WorkerProcess
from edged.worker.description import ModelDescription

MAX_WAITING_VALUES = 1 << 24
"""Numbers that may wait in a queue, 128 MiB, or texts that need as much: ten thousand windows of many rows would be
gigabytes."""
MAX_BATCH_CHARACTERS = 4 << 20
"""Of texts in one inference, give or take a delivery: a line may have a million of them."""
MAX_IN_WORK = 2
"""Batches of a feed: one is scored while another is put together or published."""
OUTCOMES = ("published", "withheld", "full", "failed", "lost")
"""What becomes of windows."""


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
        emit: Called with each result, in order, by a caller's thread; says how many of its windows a message was made
            of.
        limit: Windows that may wait, fewer where they are large; a source that waits may exceed it by what it brings at
            once.
        patient: The source waits where the queue is full, instead of losing the oldest.
        max_wait_s: How long windows wait for others to be scored with them, from their arrival.
        joins: Deliveries of one device that were scored together are one result, as they are to share messages.
        counts: Windows by what became of them: ``published``, ``withheld`` (not worth a message), and dropped:
            ``full``, ``failed``, ``lost``. The keys are there from the start, so that others may read meanwhile.
        closed: Nothing more is taken.
        served_s: When it had its last turn, on the monotonic clock.
        warned_s: When the log last heard of it.
    """

    source: str
    emit: Callable[[RowResult], int]
    limit: int = 10_000
    patient: bool = True
    max_wait_s: float = 0.0
    joins: bool = False
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTCOMES, 0)))
    closed: bool = False
    served_s: float = 0.0
    warned_s: float = -WARN_EVERY_S
    _queue: deque[Windows] = field(default_factory=deque)
    _turns: "list[RowTurn]" = field(default_factory=list, repr=False)  # in work, in order
    _waiting: int = 0
    _full: int = 1  # windows that were a full batch at the last look
    _values: int = 0  # numbers in those that wait, and what counts as such
    _suspects_end: int = 0  # windows before this sequence number were in work when a process died
    _tried: tuple[int, int] = (
        -1,
        0,
    )  # the last of them that came to its turn, and how many processes died over it

    @property
    def waiting(self) -> int:
        """Windows that wait."""
        return self._waiting

    @property
    def in_work(self) -> bool:
        """Whether a batch is."""
        return bool(self._turns)

    @property
    def is_over(self) -> bool:
        """Whether it takes nothing more and nothing of it is in work, so that its counts stay as they are."""
        return self.closed and not self._turns

    @property
    def is_full(self) -> bool:
        """Whether a source that can wait is to do so."""
        return self._waiting >= self.limit or self._values >= MAX_WAITING_VALUES

    def put(self, windows: Windows) -> list[Windows]:
        """Take windows in.

        Returns:
            The oldest, which are dropped because more wait than may; of a patient source none.
        """
        self._queue.append(windows)
        self._count(windows, 1)
        gone = []
        while not self.patient and (over := self._over()) > 0:
            gone.append(self._first(over))
        return gone

    def due_s(self) -> float | None:
        """When what waits is to be scored at the latest, on the monotonic clock.

        None where nothing waits, or it waits for what is in work or for a batch to be full.
        """
        if not self._queue or self._turns:
            return None
        return self._queue[0].arrived_monotonic_s + self.max_wait_s

    def is_ready(self, process: WorkerProcess, now_s: float) -> bool:
        """Whether a turn is to be taken now: beside one in work only one that is full, and none of suspects."""
        if not self._queue or not self._may_add:
            return False
        self._full = min(self._room(process), self.limit)
        due_s = self.due_s()
        return self._waiting >= self._full or (due_s is not None and now_s >= due_s)

    @property
    def may_be_ready(self) -> bool:
        """Whether it is worth a caller's look, as far as can be said without a process."""
        if not self._queue or not self._turns:
            return bool(self._queue)
        return self._waiting >= self._full and self._may_add

    @property
    def _may_add(self) -> bool:
        """Whether a turn of what waits may be in work together with those that are."""
        if not self._turns:
            return True
        if self.is_overtaken(self._turns[-1]):  # it will wait again, behind what is to be scored first
            return False
        return len(self._turns) < MAX_IN_WORK and not (self._turns[0].alone or self._deaths())

    def take(self, process: WorkerProcess) -> "RowTurn":
        """The next turn, of one that is ready; to be given to `end`."""
        alone = self._deaths() > 0
        turn = RowTurn(self, self._queue[0].sequence, self._batch(process), alone)
        self._turns.append(turn)
        return turn

    def is_first(self, turn: "RowTurn") -> bool:
        """Whether all that came before the turn was dealt with, or went back to wait."""
        return self._turns[0] is turn

    def is_overtaken(self, turn: "RowTurn") -> bool:
        """Whether windows that come before the turn's wait again."""
        return bool(self._queue) and self._queue[0].sequence < turn.sequence

    def end(self, turn: "RowTurn") -> None:
        """A turn is over; what was not dealt with waits again, in its place."""
        self._turns.remove(turn)
        earlier = []
        while turn.batch and self.is_overtaken(turn):
            earlier.append(self._queue.popleft())
        self._queue.extendleft(reversed([*earlier, *turn.batch]))
        for windows in turn.batch:
            self._count(windows, 1)

    def died_over(self, turn: "RowTurn") -> bool:
        """A process died over what is left of a turn; whether that, which is one window by then, is given up."""
        first, last = turn.batch[0].sequence, turn.batch[-1]
        deaths = self._deaths_over(first) + 1 if turn.alone else 1  # of a process two turns may hear
        self._suspects_end = max(self._suspects_end, last.sequence + len(last))
        self._tried = first, deaths
        return deaths >= MAX_ATTEMPTS

    def _deaths(self) -> int:
        """Processes that died over the first window that waits."""
        return self._deaths_over(self._queue[0].sequence) if self._queue else 0

    def _deaths_over(self, sequence: int) -> int:
        if sequence == self._tried[0]:
            return self._tried[1]
        return 1 if sequence < self._suspects_end else 0

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

    def _room(self, process: WorkerProcess) -> int:
        """Windows like the first that go into one inference; suspects go alone."""
        if self._deaths():
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
        self._count(first, -1)
        if len(first) > most:
            first, rest = first.split(most)
            self._queue.appendleft(rest)
            self._count(rest, 1)
        return first


@dataclass(frozen=True, slots=True, eq=False)
class RowTurn:
    """Windows whose turn has come, and the feed that they are of.

    Attributes:
        feed: Where they waited.
        sequence: Of the first of them.
        batch: Those that were not dealt with yet.
        alone: It is a suspect.
    """

    feed: RowFeed
    sequence: int
    batch: list[Windows]
    alone: bool = False

    def __len__(self) -> int:
        return sum(map(len, self.batch))

    def parts(self) -> list[Windows]:
        """The batch as it is handed on: where the feed joins them, deliveries of a device in a row are one."""
        if not self.feed.joins:
            return list(self.batch)
        parts: list[list[Windows]] = []
        for windows in self.batch:
            before = parts[-1][-1] if parts else None
            follows = before and before.origin == windows.origin
            if before and follows and before.sequence + len(before) == windows.sequence:
                parts[-1].append(windows)
            else:
                parts.append([windows])
        return [_joined(part) for part in parts]


def _joined(part: list[Windows]) -> Windows:
    """Windows that follow one another, with the receipts of all."""
    if len(part) == 1:
        return part[0]
    return Windows(
        source=part[0].source,
        origin=part[0].origin,
        sequence=part[0].sequence,
        numbers=np.concatenate([one.numbers for one in part]),
        texts=[text for one in part for text in one.texts],
        first_at_s=np.concatenate([one.first_at_s for one in part]),
        last_at_s=np.concatenate([one.last_at_s for one in part]),
        arrived_monotonic_s=part[-1].arrived_monotonic_s,
        echoes=[echo for one in part for echo in one.echoes],
        receipts=tuple(receipt for one in part for receipt in one.receipts),
    )


def _values(windows: Windows) -> int:
    """The memory they need, in numbers of eight bytes."""
    return windows.numbers.size + _characters(windows) // 8


def _characters(windows: Windows) -> int:
    return sum(len(text) for window in windows.texts for row in window for text in row)
