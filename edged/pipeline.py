"""Frames through one model: an inbox for each camera, fair turns, a few callers, results to the outbox.

    camera ─ offer ─→ Feed (newest frame) ─┐
    camera ─ offer ─→ Feed (newest frame) ─┼─ turn ─→ caller ─ prepare ─→ worker ─→ message ─→ outbox
                                           └─ one frame of a feed in work at a time, so its results stay in order

`Turns` decides and knows no thread; `Pipeline` owns the callers. A caller has a lane of the worker to itself, and asks
before each frame which worker serves now: a swap happens between two frames.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from edged.detection import Detections
from edged.errors import EdgedError, InferenceFailed, WorkerLost
from edged.frame import Frame
from edged.preprocess import Preparer
from edged.worker.client import WorkerProcess
from edged.worker.description import ModelDescription
from edged.worker.keeper import Worker
from edged.worker.looking import in_frame

log = structlog.get_logger()

MAX_ATTEMPTS = 3
"""A frame that is being worked on when its worker dies goes to the next worker, this often at most."""
WAIT_S = 0.5
"""Longest wait without a look at whether to stop."""
WARN_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """One frame looked at by one model.

    Attributes:
        frame: The frame.
        model: What answered.
        version: Of it.
        detections: In frame pixels, inside the frame, best first.
        queue_ms: From its arrival in the inbox to its turn.
        preprocess_ms: To prepare the tensor.
        inference_ms: In the runtime.
        decode_ms: From outputs to boxes.
    """

    frame: Frame
    model: ModelDescription
    version: int
    detections: Detections
    queue_ms: float
    preprocess_ms: float
    inference_ms: float
    decode_ms: float


class Observer(Protocol):
    """Hears how each frame went, from a caller's thread; must not block."""

    def looked(self, worker: Worker, result: Result) -> None:
        """A version answered."""
        ...

    def failed(self, worker: Worker, source: str, problem: str) -> None:
        """A version gave no answer to a frame of this source."""
        ...


@dataclass(slots=True, eq=False)
class Feed:
    """One camera's frames on their way to one model: an inbox for one frame.

    Attributes:
        source: Name of the camera.
        max_age_s: A frame older than this is dropped when its turn comes; infinite for recordings.
        lossless: The camera waits until its frame was taken, instead of replacing it.
        emit: Called with each result, in order, by a caller's thread; says whether it was published.
        counts: Frames by what became of them: ``published``, ``withheld`` (not worth a message), and dropped:
            ``full``, ``stale``, ``unreadable``, ``failed``, ``lost``.
    """

    source: str
    emit: Callable[[Result], bool]
    max_age_s: float = math.inf
    lossless: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    closed: bool = False
    _frame: Frame | None = None
    _again: Frame | None = None
    _arrived_s: float = 0.0
    _attempts: int = 0
    _busy: bool = False
    _served_s: float = -math.inf
    _warned_s: float = -math.inf

    def _next(self) -> Frame | None:
        """Out of the inbox: the frame that is tried again before the newer one."""
        again, self._again = self._again, None
        if again is not None:
            return again
        newest, self._frame, self._attempts = self._frame, None, 0
        return newest


@dataclass(frozen=True, slots=True)
class Turn:
    """A frame whose turn has come, and the feed that is busy with it.

    Attributes:
        feed: Where it waited.
        frame: What to look at.
        arrived_s: When it came into the inbox, on the monotonic clock.
    """

    feed: Feed
    frame: Frame
    arrived_s: float


class Turns:
    """Which feed is served next: the one that waited longest, never two frames of one feed at once.

    Not synchronised: its owner holds a lock around every call.
    """

    def __init__(self) -> None:
        self.feeds: list[Feed] = []

    def put(self, feed: Feed, frame: Frame, now_s: float) -> None:
        """Lay a frame into a feed's inbox; what lay there is dropped and counted."""
        if feed._frame is not None:
            feed.counts["full"] += 1
        feed._frame, feed._arrived_s = frame, now_s

    def take(self, now_s: float) -> Turn | None:
        """The next frame; its feed is busy until `done` or `give_back`. Frames too old are dropped on the way."""
        for feed in sorted(self.waiting, key=lambda feed: feed._served_s):
            while frame := feed._next():
                if now_s - frame.captured_monotonic_s > feed.max_age_s:
                    feed.counts["stale"] += 1
                    continue
                feed._busy, feed._served_s = True, now_s
                return Turn(feed, frame, feed._arrived_s)
        return None

    def done(self, feed: Feed) -> None:
        """The feed's frame was dealt with."""
        feed._busy = False

    def hand_back(self, turn: Turn) -> None:
        """A frame was not looked at after all: it waits on, unless a newer one came."""
        feed = turn.feed
        feed._busy = False
        if feed._frame is None or feed.lossless:
            feed._again = turn.frame
        else:
            feed.counts["full"] += 1

    def give_back(self, feed: Feed, frame: Frame) -> bool:
        """The worker died over this frame: it, or the newer one that waits, goes to the next.

        Returns:
            False if the frame was tried often enough and is given up.
        """
        feed._busy = False
        feed._attempts += 1
        if feed._attempts >= MAX_ATTEMPTS or feed.closed:
            feed.counts["lost"] += 1
            return False
        if feed._frame is not None and not feed.lossless:
            feed.counts["full"] += 1
            return True
        feed._again = frame
        return True

    @property
    def waiting(self) -> list[Feed]:
        """Feeds whose turn may come."""
        return [feed for feed in self.feeds if (feed._frame or feed._again) and not feed._busy]

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        return not any(feed._frame or feed._again or feed._busy for feed in self.feeds)


class Pipeline:
    """The callers of one model. A context manager that owns its threads ``caller-MODEL-N``.

    Attributes:
        worker: The version that serves; None while there is none, and frames go stale.
    """

    def __init__(self, name: str, callers: int, observer: Observer | None = None) -> None:
        """Nothing serves yet; see `serve`.

        Args:
            name: Of the model.
            callers: How many frames may be in work at once.
            observer: Hears how each frame went.
        """
        self.name = name
        self.worker: Worker | None = None
        self._observer = observer
        self._in_use: dict[int, Worker] = {}
        self._turns = Turns()
        lock = threading.Lock()
        self._work = threading.Condition(lock)  # callers wait for a frame …
        self._room = threading.Condition(lock)  # … lossless cameras until theirs was taken …
        self._rest = threading.Condition(lock)  # … and who ends everything until nothing is in work
        self._stopping = False
        self._callers = [
            threading.Thread(target=self._call, args=(lane,), name=f"caller-{name}-{lane}", daemon=True)
            for lane in range(callers)
        ]

    def start(self) -> None:
        """Begin to serve feeds."""
        for caller in self._callers:
            caller.start()

    def __enter__(self) -> "Pipeline":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def serve(self, worker: Worker | None) -> Worker | None:
        """Have another version look at frames from the next one on; those in work end where they are.

        Args:
            worker: With as many callers as this has; None = nothing serves.

        Returns:
            What served until now.
        """
        with self._work:
            before, self.worker = self.worker, worker
            self._work.notify_all()
        return before

    def wait_left(self, worker: Worker, timeout_s: float) -> bool:
        """Wait until no frame is in work with a version; False if that took longer."""
        with self._work:
            return self._rest.wait_for(lambda: worker not in self._in_use.values(), timeout_s)

    def attach(self, feed: Feed) -> None:
        """Serve a feed from now on."""
        with self._work:
            self._turns.feeds.append(feed)

    def detach(self, feed: Feed) -> None:
        """Forget a feed and the frame that waits in it; one in work is still emitted."""
        with self._work:
            feed.closed = True
            if feed in self._turns.feeds:
                self._turns.feeds.remove(feed)
            self._room.notify_all()
            self._rest.notify_all()

    def offer(self, feed: Feed, frame: Frame) -> None:
        """Put a frame into a feed's inbox. Called by the camera's thread; waits only where the feed is lossless."""
        with self._work:
            if feed.lossless:
                self._room.wait_for(lambda: feed._frame is None or self._stopping or feed.closed)
            if self._stopping or feed.closed:
                return
            self._turns.put(feed, frame, time.monotonic())
            if not feed._busy:
                self._work.notify()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing waits and nothing is in work; False if that took longer."""
        with self._work:
            return self._rest.wait_for(lambda: self._turns.idle or self._stopping, timeout_s)

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Let the frames in work end, forget the waiting ones, join the callers; False if one did not end in time."""
        with self._work:
            self._stopping = True
            for condition in (self._work, self._room, self._rest):
                condition.notify_all()
        deadline = time.monotonic() + timeout_s
        for caller in self._callers:
            if caller.is_alive():
                caller.join(max(0.0, deadline - time.monotonic()))
        return not any(caller.is_alive() for caller in self._callers)

    def _call(self, lane: int) -> None:
        preparer, prepares_for = None, None
        while not self._stopping:
            worker = self.worker
            if worker is None:
                self._wait_for_worker()
                continue
            process = worker.current(WAIT_S)
            turn = self._next_turn() if process else None
            if not process or not turn:
                continue
            if not self._occupy(lane, worker):  # swapped while a frame was waited for
                self._hand_back(turn)
                continue
            if preparer is None or prepares_for is not process:  # a successor may have found another file
                preparer, prepares_for = Preparer(process.description.input), process
            try:
                result = _look(turn, worker, process, lane, preparer)
                self._hand_on(turn, result)
                if self._observer:
                    self._observer.looked(worker, result)
            except WorkerLost:
                self._lost(turn, worker, process)
            except EdgedError as error:
                failed = isinstance(error, InferenceFailed)
                self._warn(turn.feed, "no inference", error=str(error), sequence=turn.frame.sequence)
                self._finish(turn.feed, "failed" if failed else "unreadable")
                if failed and self._observer:
                    self._observer.failed(worker, turn.feed.source, error.problem)
            except Exception as error:  # noqa: BLE001  # a bug of ours on one frame must not end the caller in silence
                self._warn(turn.feed, "a bug: frame dropped", error=repr(error), sequence=turn.frame.sequence)
                self._finish(turn.feed, "failed")
            finally:
                self._leave(lane)

    def _wait_for_worker(self) -> None:
        with self._work:
            if self.worker is None and not self._stopping:
                self._work.wait(WAIT_S)

    def _occupy(self, lane: int, worker: Worker) -> bool:
        """Use a version's lane from now on; False if it is not the one that serves any more."""
        with self._work:
            if worker is not self.worker:
                return False
            self._in_use[lane] = worker
            return True

    def _leave(self, lane: int) -> None:
        with self._work:
            self._in_use.pop(lane, None)
            self._rest.notify_all()

    def _hand_back(self, turn: Turn) -> None:
        """A frame that no version has seen goes back to where it waited."""
        with self._work:
            self._turns.hand_back(turn)
            self._work.notify()

    def _next_turn(self) -> Turn | None:
        with self._work:
            turn = self._turns.take(time.monotonic())
            if turn is None and not self._stopping:
                self._work.wait(WAIT_S)
                turn = None if self._stopping else self._turns.take(time.monotonic())
            if turn is not None:
                self._room.notify_all()
                if self._turns.waiting:
                    self._work.notify()  # for another caller
            return turn

    def _hand_on(self, turn: Turn, result: Result) -> None:
        if time.monotonic() - turn.frame.captured_monotonic_s > turn.feed.max_age_s:
            self._warn(
                turn.feed, "result older than max_age, not published", inference_ms=round(result.inference_ms)
            )
            self._finish(turn.feed, "stale")
            return
        published = turn.feed.emit(result)
        self._finish(turn.feed, "published" if published else "withheld")

    def _lost(self, turn: Turn, worker: Worker, process: WorkerProcess) -> None:
        worker.discard(process)
        with self._work:
            again = self._turns.give_back(turn.feed, turn.frame)
            self._rest.notify_all()
        if not again:
            self._warn(turn.feed, "frame lost with its worker", sequence=turn.frame.sequence)

    def _finish(self, feed: Feed, outcome: str) -> None:
        with self._work:
            feed.counts[outcome] += 1
            self._turns.done(feed)
            self._rest.notify_all()

    def _warn(self, feed: Feed, event: str, **details: object) -> None:
        """One line in a while, not one a frame; the counts say how many."""
        now_s = time.monotonic()
        if now_s - feed._warned_s > WARN_EVERY_S:
            feed._warned_s = now_s
            log.warning(event, camera=feed.source, model=self.name, **details)


def _look(turn: Turn, worker: Worker, process: WorkerProcess, lane: int, preparer: Preparer) -> Result:
    """One frame through the model."""
    started_s = time.monotonic()
    transform = preparer.prepare(turn.frame, process.tensor(lane))
    prepared_s = time.monotonic()
    answer = process.answer(lane)
    return Result(
        frame=turn.frame,
        model=process.description,
        version=worker.version,
        detections=in_frame(answer, transform),
        queue_ms=(started_s - turn.arrived_s) * 1000,
        preprocess_ms=(prepared_s - started_s) * 1000,
        inference_ms=answer.inference_ms,
        decode_ms=answer.decode_ms,
    )
