"""Frames through one model: an inbox for each camera, fair turns, a few callers, results to the outbox.

    camera ─ offer ─→ Feed (newest frame) ─┐
    camera ─ offer ─→ Feed (newest frame) ─┼─ turns ─→ caller ─ prepare ─→ worker ─→ message ─→ outbox
                                           └─ results of a feed are handed on in the order of its frames

`edged.pipeline.turns` decides and knows no thread; the callers are those of `edged.pipeline.callers`. Where the model
takes several pictures at once, a caller takes as many turns as wait, and never waits for more.
"""

import time

import structlog

from edged.errors import EdgedError, InferenceFailed
from edged.frame import Frame
from edged.pipeline.batch import Batch, Result
from edged.pipeline.callers import WARN_EVERY_S, Callers, Observer
from edged.pipeline.expected import ExpectedTime
from edged.pipeline.turns import Feed, Turn, Turns
from edged.worker.client import WorkerProcess
from edged.worker.keeper import Worker

log = structlog.get_logger()


class Pipeline(Callers[list[Turn]]):
    """The callers of a model of pictures. While nothing serves, frames go stale."""

    def __init__(self, name: str, callers: int, observer: Observer | None = None) -> None:
        """See `Callers`."""
        super().__init__(name, callers, observer)
        self._turns = Turns()
        self._batches: dict[int, Batch] = {}
        self._expected: tuple[WorkerProcess | None, ExpectedTime] = (None, ExpectedTime())

    def attach(self, feed: Feed) -> None:
        """Serve a feed from now on."""
        with self._work:
            self._turns.feeds.append(feed)

    def detach(self, feed: Feed) -> None:
        """Forget a feed and the frame that waits in it; one in work is still emitted."""
        with self._work:
            self._turns.leave(feed)
            self._room.notify_all()
            self._rest.notify_all()
            due = self._turns.due()
        self._conclude_all(due)  # what waited for a frame that nobody will look at any more

    def offer(self, feed: Feed, frame: Frame) -> None:
        """Put a frame into a feed's inbox. Called by the camera's thread; waits only where the feed is lossless."""
        with self._work:
            if feed.lossless:
                self._room.wait_for(lambda: feed._frame is None or self._stopping or feed.closed)
            if self._stopping or feed.closed:
                feed.counts["ended"] += 1
                return
            self._turns.put(feed, frame, time.monotonic())
            if feed._is_waiting:
                self._work.notify()

    @property
    def late(self) -> int:
        """Frames that were dropped because the model had no time for them, since the start."""
        return self._turns.late

    def _is_idle(self) -> bool:
        return self._turns.idle

    def _is_waiting(self) -> bool:
        return self._turns.waiting > 0

    def _take(self, process: WorkerProcess) -> list[Turn] | None:
        """The next turn, and those that go into one inference with it and that no other caller is free for."""
        now_s, model, expected = time.monotonic(), process.description, self._of(process)
        first = self._turns.take(now_s, expected.of(1), model=model)
        if first is None:
            return None
        turns, tensors = [first], first.tensors
        if first.attempts:
            return turns
        most = min(model.batch, -(-(self._turns.waiting + 1) // (1 + self._resting)))
        in_time_s = first.feed.max_age_s - (now_s - first.frame.captured_monotonic_s)
        while tensors < most and expected.of(tensors + 1) <= in_time_s:
            turn = self._turns.take_along(now_s, expected.of(tensors + 1), model.batch - tensors, model=model)
            if turn is None:
                break
            turns.append(turn)
            tensors += turn.tensors
            in_time_s = min(in_time_s, turn.feed.max_age_s - (now_s - turn.frame.captured_monotonic_s))
        return turns

    def _of(self, process: WorkerProcess) -> ExpectedTime:
        """What is known of a process; its successor may be quicker, or slower."""
        if self._expected[0] is not process:
            self._expected = (process, ExpectedTime())
        return self._expected[1]

    def _hand_back(self, turn: list[Turn]) -> None:
        for one in reversed(turn):
            self._turns.hand_back(one)

    def _serve_turn(self, turn: list[Turn], worker: Worker, process: WorkerProcess, lane: int) -> None:
        begun_s = time.monotonic()
        outcomes = self._batch(lane, process).answer(turn, worker.version)
        with self._work:
            if all(isinstance(outcome, Result) for outcome in outcomes):
                self._of(process).learn(sum(one.tensors for one in turn), time.monotonic() - begun_s)
            for one, outcome in zip(turn, outcomes, strict=True):
                if isinstance(outcome, Result):
                    self._ran(one.tensors, outcome.inference_ms)
                self._turns.settle(one, (outcome, worker))
            due = self._turns.due()
        self._conclude_all(due)

    def _conclude_all(self, due: Turn | None) -> None:
        """Hand on what is due; of a feed whose results another caller is handing on, that one sees to it."""
        while due is not None:
            outcome, worker = due.outcome
            due = self._finish(due, self._conclude(due, outcome, worker))

    def _conclude(self, turn: Turn, outcome: Result | Exception, worker: Worker) -> str:
        """Hand on the result of one frame, or say why there is none; what became of it."""
        if isinstance(outcome, Exception):
            return self._drop(turn, outcome, worker)
        try:
            became = self._hand_on(turn, outcome)
            if self._observer:
                self._observer.looked(worker, outcome)
        except Exception as error:  # noqa: BLE001  # a bug of ours on one frame must not end the caller in silence
            return self._drop(turn, error, worker)
        return became

    def _drop(self, turn: Turn, error: Exception, worker: Worker) -> str:
        """There is no result of a frame; what became of it."""
        known, failed = isinstance(error, EdgedError), isinstance(error, InferenceFailed)
        event, text = ("no inference", str(error)) if known else ("a bug: frame dropped", repr(error))
        self._warn(turn.feed, event, error=text, sequence=turn.frame.sequence)
        if isinstance(error, InferenceFailed) and self._observer:
            self._observer.failed(worker, turn.feed.source, error.problem)
        return "failed" if failed or not known else "unreadable"

    def _batch(self, lane: int, process: WorkerProcess) -> Batch:
        """The lane's; a successor of the process may have found another file."""
        known = self._batches.get(lane)
        if known is None or known.process is not process:
            known = self._batches[lane] = Batch(process, lane)
        return known

    def _hand_on(self, turn: Turn, result: Result) -> str:
        """To who wants it, if it is in time; what became of it."""
        feed, spent = turn.feed, turn.feed.spent
        spent.frames += 1
        spent.queue_s += result.queue_ms / 1000
        spent.inference_s += result.inference_ms / 1000
        if time.monotonic() - turn.frame.captured_monotonic_s > feed.max_age_s:
            self._warn(
                feed, "result older than max_age, not published", inference_ms=round(result.inference_ms)
            )
            return "stale"
        return "published" if feed.emit(result) else "withheld"

    def _lost(self, turn: list[Turn]) -> None:
        for one in turn:
            with self._work:
                again = self._turns.give_back(one)
                self._work.notify()
                self._rest.notify_all()
            if not again:
                self._warn(one.feed, "frame lost with its worker", sequence=one.frame.sequence)
        with self._work:
            due = self._turns.due()
        self._conclude_all(due)

    def _finish(self, turn: Turn, became: str) -> Turn | None:
        """Done with a turn; the next that is due."""
        with self._work:
            self._turns.done(turn, became)
            if turn.feed._is_waiting:
                self._work.notify()
            self._rest.notify_all()
            return self._turns.due()

    def _warn(self, feed: Feed, event: str, **details: object) -> None:
        """One line in a while, not one a frame; the counts say how many."""
        now_s = time.monotonic()
        if now_s - feed._warned_s > WARN_EVERY_S:
            feed._warned_s = now_s
            log.warning(event, camera=feed.source, model=self.name, **details)
