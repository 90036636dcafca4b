"""Windows of rows through one model: a queue for each sensor, batches of what waits, results to the outbox.

    sensor ─ offer ─→ RowFeed (in order, bounded) ─┐
    sensor ─ offer ─→ RowFeed (in order, bounded) ─┴─ turn: all that waits, a batch at most ─→ worker ─→ messages

Rows are not news that goes stale: nothing is passed over, and a source that can wait is held back where the queue is
full. One that cannot loses the oldest, which is counted. While a batch of a feed is in work, another one is taken once
it is full, so that neither the runtime nor this process waits for the other; results are handed on in order all the
same. A batch that has no answer, or whose process dies, is tried again a window at a time, so that one bad window costs
only itself.

Receipts of windows are let go once each was published, withheld or dropped. Of those that still wait when all ends they
are kept, so that the rows come again.
"""

import time
from dataclasses import dataclass

import numpy as np
import structlog

from edged.errors import EdgedError, InferenceFailed, WorkerLost
from edged.pipeline.callers import WAIT_S, WARN_EVERY_S, Callers, Observer
from edged.pipeline.rowfeed import RowFeed, RowResult, RowTurn
from edged.rows import Windows
from edged.worker.answer import Scored
from edged.worker.client import WorkerProcess
from edged.worker.keeper import Worker

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What became of windows that a model was asked about.

    Attributes:
        parts: As they are handed on.
        answer: The scores of all, or why there are none.
        started_s: When they were asked about, on the monotonic clock.
    """

    parts: list[Windows]
    answer: Scored | Exception
    started_s: float


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
            return self._rest.wait_for(lambda: not feed.in_work, timeout_s)

    def offer(self, feed: RowFeed, windows: Windows) -> bool:
        """Put windows into a feed's queue. Called by the sensor's thread; waits where the feed is patient.

        Returns:
            False if they were not taken, because this or the feed has ended.
        """
        with self._work:
            if feed.patient:
                self._room.wait_for(lambda: not feed.is_full or self._stopping or feed.closed)
            if self._stopping or feed.closed:
                return False
            gone = feed.put(windows)
            if feed.may_be_ready:
                self._work.notify()
        if gone:
            self._drop(feed, gone, "full", "rows come faster than they are scored: the oldest are dropped")
        return True

    def _is_idle(self) -> bool:
        return not any(feed.waiting or feed.in_work for feed in self._feeds)

    def _is_waiting(self) -> bool:
        return any(feed.may_be_ready for feed in self._feeds)

    def _patience_s(self) -> float:
        now_s = time.monotonic()
        waits = [due_s - now_s for feed in self._feeds if (due_s := feed.due_s()) is not None]
        return max(0.0, min([WAIT_S, *waits]))

    def _take(self, process: WorkerProcess) -> RowTurn | None:
        now_s = time.monotonic()
        for feed in sorted(self._feeds, key=lambda feed: feed.served_s):
            if feed.is_ready(process, now_s):
                feed.served_s = now_s
                return feed.take(process)
        return None

    def _hand_back(self, turn: RowTurn) -> None:
        turn.feed.end(turn)

    def _lost(self, turn: RowTurn) -> None:
        with self._work:
            given_up = turn.feed.died_over(turn)
        if given_up:
            self._drop(turn.feed, turn.batch, "lost", "rows lost with their worker")
            turn.batch.clear()
        with self._work:
            self._end(turn)

    def _end(self, turn: RowTurn) -> None:
        """What was not dealt with waits again; called with the lock held."""
        turn.feed.end(turn)
        self._work.notify()
        self._rest.notify_all()

    def _serve_turn(self, turn: RowTurn, worker: Worker, process: WorkerProcess, lane: int) -> None:
        self._conclude(turn, self._ask(turn.parts(), process, lane), worker, process, lane)

    def _conclude(
        self, turn: RowTurn, asked: _Asked, worker: Worker, process: WorkerProcess, lane: int
    ) -> None:
        """End a turn, once those before it have ended.

        Raises:
            WorkerLost: The process died over one of its windows.
        """
        feed = turn.feed
        with self._work:
            self._hearts[lane].rest()  # for another caller, whose own heart says whether it goes on
            self._rest.wait_for(lambda: feed.is_first(turn))
            self._hearts[lane].mark()
            if feed.is_overtaken(turn):  # those before it are to be scored again, and then these
                self._end(turn)
                return
        try:
            if len(turn) > 1 and isinstance(asked.answer, InferenceFailed):
                self._one_by_one(turn, worker, process, lane)
            else:
                self._deal_with(feed, asked, worker, process)
                turn.batch.clear()
        except WorkerLost:
            raise
        except Exception as error:  # noqa: BLE001  # a bug of ours on some rows must not end the caller in silence
            with self._work:
                feed.counts["failed"] += len(turn)
            turn.batch.clear()
            self._warn(feed, "a bug: rows dropped", error=repr(error))
        with self._work:
            self._end(turn)

    def _one_by_one(self, turn: RowTurn, worker: Worker, process: WorkerProcess, lane: int) -> None:
        """One of the windows has no answer; the others do. What was dealt with leaves the turn."""
        turn.batch[:] = [single for windows in turn.batch for single in _singles(windows)]
        while turn.batch and not self._stopping:
            self._deal_with(turn.feed, self._ask(turn.batch[:1], process, lane), worker, process)
            del turn.batch[0]

    def _ask(self, parts: list[Windows], process: WorkerProcess, lane: int) -> _Asked:
        """Score windows.

        Raises:
            WorkerLost: The process died over them.
        """
        started_s = time.monotonic()
        self._hearts[lane].mark(process.timeout_s)
        answer: Scored | Exception
        try:
            answer = self._scored(parts, process, lane)
        except WorkerLost:
            raise
        except Exception as error:  # noqa: BLE001  # likewise
            answer = error
        return _Asked(parts, answer, started_s)

    def _scored(self, parts: list[Windows], process: WorkerProcess, lane: int) -> Scored:
        recipe = process.description.rows
        numbers = parts[0].numbers if len(parts) == 1 else np.concatenate([one.numbers for one in parts])
        if numbers.shape[2] != recipe.features - len(recipe.texts) or not recipe.at_once(numbers.shape[1]):
            raise EdgedError(
                f"model {self.name}",
                f"takes no windows of {numbers.shape[1]} rows with {numbers.shape[2]} numbers",
                "correct the window of the sensor",
            )
        return process.score(lane, numbers, tuple(text for one in parts for text in one.texts))

    def _deal_with(self, feed: RowFeed, asked: _Asked, worker: Worker, process: WorkerProcess) -> None:
        """Hand on what was said of windows, or drop them where nothing was."""
        answer, parts, count = asked.answer, asked.parts, sum(map(len, asked.parts))
        if isinstance(answer, InferenceFailed):
            self._drop(feed, parts, "failed", "no inference", error=str(answer))
            if self._observer:
                self._observer.failed(worker, feed.source, answer.problem)
            return
        if isinstance(answer, Exception):
            known = isinstance(answer, EdgedError)
            event, told = ("no inference", str(answer)) if known else ("a bug: rows dropped", repr(answer))
            self._drop(feed, parts, "failed", event, error=told)
            return
        with self._work:
            self._ran(count, answer.inference_ms)
        start = 0
        for windows in parts:
            result = RowResult(
                windows=windows,
                model=process.description,
                version=worker.version,
                scores=answer.scores.part(start, start + len(windows)),
                queue_ms=max(0.0, asked.started_s - windows.arrived_monotonic_s) * 1000,
                batch_ms=answer.inference_ms,
                inference_ms=answer.inference_ms / count,
            )
            start += len(windows)
            self._hand_on(feed, result, worker)

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
            feed.counts[outcome] += sum(map(len, batch))
        self._warn(feed, event, sequence=batch[0].sequence, dropped=feed.counts[outcome], **details)
        for windows in batch:
            _let_go(windows)

    def _warn(self, feed: RowFeed, event: str, **details: object) -> None:
        """One line in a while, not one a row; the counts say how many."""
        now_s = time.monotonic()
        if now_s - feed.warned_s >= WARN_EVERY_S:
            feed.warned_s = now_s
            log.warning(event, sensor=feed.source, model=self.name, **details)


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
