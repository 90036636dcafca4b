"""Frames through one model: an inbox for each camera, fair turns, a few callers, results to the outbox.

    camera ─ offer ─→ Feed (newest frame) ─┐
    camera ─ offer ─→ Feed (newest frame) ─┼─ turn ─→ caller ─ prepare ─→ worker ─→ message ─→ outbox
                                           └─ one frame of a feed in work at a time, so its results stay in order

`Turns` decides and knows no thread; the callers are those of `edged.pipeline.callers`.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from edged.detection import Detections
from edged.errors import EdgedError, InferenceFailed, WorkerLost
from edged.frame import Frame
from edged.pipeline.callers import MAX_ATTEMPTS, WARN_EVERY_S, Callers, Observer
from edged.preprocess import Preparer
from edged.worker.client import WorkerProcess
from edged.worker.description import ModelDescription
from edged.worker.keeper import Worker
from edged.worker.looking import in_frame

log = structlog.get_logger()


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

    @property
    def source(self) -> str:
        """Name of the camera."""
        return self.frame.source

    @property
    def found(self) -> int:
        """How many objects."""
        return len(self.detections)


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


class Pipeline(Callers[Turn]):
    """The callers of a model of pictures. While nothing serves, frames go stale."""

    def __init__(self, name: str, callers: int, observer: Observer | None = None) -> None:
        """See `Callers`."""
        super().__init__(name, callers, observer)
        self._turns = Turns()
        self._preparers: dict[int, tuple[WorkerProcess, Preparer]] = {}

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

    def _is_idle(self) -> bool:
        return self._turns.idle

    def _is_waiting(self) -> bool:
        return bool(self._turns.waiting)

    def _take(self, process: WorkerProcess) -> Turn | None:
        return self._turns.take(time.monotonic())

    def _hand_back(self, turn: Turn) -> None:
        self._turns.hand_back(turn)

    def _serve_turn(self, turn: Turn, worker: Worker, process: WorkerProcess, lane: int) -> None:
        try:
            result = _look(turn, worker, process, lane, self._preparer(lane, process))
            self._hand_on(turn, result)
            if self._observer:
                self._observer.looked(worker, result)
        except WorkerLost:
            raise
        except EdgedError as error:
            failed = isinstance(error, InferenceFailed)
            self._warn(turn.feed, "no inference", error=str(error), sequence=turn.frame.sequence)
            self._finish(turn.feed, "failed" if failed else "unreadable")
            if failed and self._observer:
                self._observer.failed(worker, turn.feed.source, error.problem)
        except Exception as error:  # noqa: BLE001  # a bug of ours on one frame must not end the caller in silence
            self._warn(turn.feed, "a bug: frame dropped", error=repr(error), sequence=turn.frame.sequence)
            self._finish(turn.feed, "failed")

    def _preparer(self, lane: int, process: WorkerProcess) -> Preparer:
        """The lane's; a successor of the process may have found another file."""
        known = self._preparers.get(lane)
        if known is None or known[0] is not process:
            known = self._preparers[lane] = (process, Preparer(process.description.picture))
        return known[1]

    def _hand_on(self, turn: Turn, result: Result) -> None:
        if time.monotonic() - turn.frame.captured_monotonic_s > turn.feed.max_age_s:
            self._warn(
                turn.feed, "result older than max_age, not published", inference_ms=round(result.inference_ms)
            )
            self._finish(turn.feed, "stale")
            return
        published = turn.feed.emit(result)
        self._finish(turn.feed, "published" if published else "withheld")

    def _lost(self, turn: Turn) -> None:
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
