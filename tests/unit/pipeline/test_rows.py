"""Windows of rows through a pipeline: batches, order, what is dropped, and when receipts are let go."""

import threading
import time
from collections import Counter, deque
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from edged.errors import InferenceFailed, WorkerLost
from edged.manifest import RowRecipe
from edged.pipeline import RowFeed, RowPipeline, RowResult, rowfeed
from edged.pipeline.callers import MAX_ATTEMPTS
from edged.rows import Receipt, Scores, Windows
from edged.worker.answer import Scored

BATCH = 4
LOST = WorkerLost("model toy", "its process 7 died (SIGSEGV)", "")
NO_ANSWER = InferenceFailed("model toy", "gave NaN", "")


def windows(first: int, count: int = 1, *, rows: int = 1, receipts: tuple[Receipt, ...] = ()) -> Windows:
    """Windows whose numbers are their sequence."""
    sequences = np.arange(first, first + count, dtype=np.float64)
    return Windows(
        source="pump",
        origin="",
        sequence=first,
        numbers=np.repeat(sequences[:, None, None], rows, axis=1),
        texts=(),
        first_at_s=sequences,
        last_at_s=sequences + 0.5,
        arrived_monotonic_s=time.monotonic(),
        receipts=receipts,
    )


class Told:
    """A receipt, and how often it was settled."""

    def __init__(self) -> None:
        self.times = 0
        self.receipt = Receipt(self._settle)

    def _settle(self) -> None:
        self.times += 1


class FakeProcess:
    """Scores a window with its number; dies or fails where it is told to."""

    timeout_s = 1.0

    def __init__(self, worker: "FakeWorker") -> None:
        self.description = SimpleNamespace(rows=worker.recipe, labels=())
        self.is_dead = False
        self._worker = worker

    def score(self, lane: int, numbers: np.ndarray, texts: tuple[Any, ...]) -> Scored:
        worker, asked = self._worker, [int(value) for value in numbers[:, 0, 0]]
        assert len(asked) * numbers.shape[1] * numbers.shape[2] <= worker.recipe.values
        worker.seen.append(asked)
        worker.texts.append(texts)
        worker.asked.set()
        worker.gate.acquire()
        for number in asked:
            if number in worker.held:
                assert worker.held[number].wait(5)
        if self.is_dead:
            raise LOST
        fault = worker.faults.popleft() if worker.faults else None
        fault = fault or next((worker.bad[number] for number in asked if number in worker.bad), None)
        if fault is not None:
            raise fault
        return Scored(Scores("value", values=numbers[:, 0, :1].copy()), 8.0, 0.1)


class FakeWorker:
    """What the pipeline needs of a worker, without a process."""

    name = "toy"

    def __init__(self, version: int = 1, recipe: RowRecipe | None = None) -> None:
        self.version = version
        self.recipe = recipe or RowRecipe(features=1, batch=BATCH, values=1000)
        self.faults: deque[Exception | None] = deque()
        self.bad: dict[int, Exception] = {}
        self.gate = threading.Semaphore(100_000)
        self.asked = threading.Event()
        self.held: dict[int, threading.Event] = {}
        self.seen: list[list[int]] = []
        self.texts: list[tuple[Any, ...]] = []
        self.discarded = 0
        self.process = FakeProcess(self)

    def current(self, _timeout_s: float) -> FakeProcess:
        return self.process

    def discard(self, process: FakeProcess) -> None:
        process.is_dead = True
        if process is self.process:
            self.discarded += 1
            self.process = FakeProcess(self)


class Hearing:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.looked_by: list[tuple[int, int, int]] = []
        self.failed_by: list[tuple[int, str, str]] = []

    def looked(self, worker: Any, result: Any) -> None:
        self.looked_by.append((worker.version, result.windows.sequence, result.found))

    def failed(self, worker: Any, source: str, problem: str) -> None:
        self.failed_by.append((worker.version, source, problem))


@pytest.fixture
def worker():
    return FakeWorker()


@pytest.fixture
def hearing():
    return Hearing()


@pytest.fixture
def pipeline(worker, hearing):
    """Nothing serves in it yet, so that what is offered waits."""
    with RowPipeline("toy", 2, hearing) as running:
        yield running
        worker.gate.release(1000)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("caller-")]


@pytest.fixture
def lone(hearing):
    """The same with one caller."""
    with RowPipeline("toy", 1, hearing) as running:
        yield running


def attached(pipeline: RowPipeline, **changes: Any) -> tuple[RowFeed, list[RowResult]]:
    """A feed, and its results as they come."""
    results: list[RowResult] = []

    def emit(result: RowResult) -> int:
        results.append(result)
        return result.found

    feed = RowFeed(source="pump", **({"emit": emit} | changes))
    pipeline.attach(feed)
    return feed, results


def sequences(results: list[RowResult]) -> list[int]:
    """Of the windows, each with the score that belongs to it."""
    for result in results:
        assert result.scores.values[:, 0].tolist() == result.windows.numbers[:, 0, 0].tolist()
    return [result.windows.sequence + n for result in results for n in range(result.found)]


# Batches


def test_every_window_comes_out_once_and_in_order(pipeline, worker):
    pipeline.serve(worker)
    feed, results = attached(pipeline, limit=20)
    for first in range(0, 300, 3):
        assert pipeline.offer(feed, windows(first, 3))
    assert pipeline.wait_idle(5)
    assert sequences(results) == list(range(300))
    assert feed.counts == Counter(published=300)
    assert max(map(len, worker.seen)) <= BATCH


def test_a_batch_is_what_waits_and_each_delivery_gets_its_own_scores(pipeline, worker):
    feed, results = attached(pipeline)
    for first, count in ((0, 1), (1, 2), (3, 1), (4, 1)):
        pipeline.offer(feed, windows(first, count))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert worker.seen == [[0, 1, 2, 3], [4]]
    assert [(result.windows.sequence, result.found) for result in results] == [(0, 1), (1, 2), (3, 1), (4, 1)]
    assert sequences(results) == [0, 1, 2, 3, 4]


def test_a_result_says_what_the_batch_took_and_the_share_of_a_window(pipeline, worker):
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0, 3))
    pipeline.offer(feed, windows(3, 1))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert {(result.version, result.batch_ms, result.inference_ms) for result in results} == {(1, 8.0, 2.0)}
    assert all(0 <= result.queue_ms < 5000 for result in results)
    assert results[0].source == "pump"


def test_more_windows_than_go_into_one_inference_are_split(pipeline, worker):
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0, 10))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert [len(asked) for asked in worker.seen] == [4, 4, 2]
    assert sequences(results) == list(range(10))
    assert [result.windows.last_at_s.tolist() for result in results][2] == [8.5, 9.5]


def test_a_batch_is_no_larger_than_the_memory_of_a_lane():
    worker = FakeWorker(recipe=RowRecipe(features=1, batch=100, values=10))
    with RowPipeline("toy", 1) as pipeline:
        feed, results = attached(pipeline)
        pipeline.offer(feed, windows(0, 7, rows=3))
        pipeline.serve(worker)
        assert pipeline.wait_idle(5)
    assert [len(asked) for asked in worker.seen] == [3, 3, 1]
    assert sequences(results) == list(range(7))


def test_windows_of_different_lengths_are_never_scored_at_once(pipeline, worker):
    feed, results = attached(pipeline)
    for first, rows in ((0, 2), (1, 2), (2, 5), (3, 2)):
        pipeline.offer(feed, windows(first, rows=rows))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert worker.seen == [[0, 1], [2], [3]]
    assert sequences(results) == [0, 1, 2, 3]


def test_texts_go_to_the_model_with_their_windows():
    worker = FakeWorker(recipe=RowRecipe(features=2, texts=(1,), batch=BATCH, values=1000))
    with RowPipeline("toy", 1) as pipeline:
        feed, _ = attached(pipeline)
        for first in (0, 2):
            told = windows(first, 2)
            texts = [((f"row {first}",),), ((f"row {first + 1}",),)]
            pipeline.offer(
                feed,
                Windows(
                    told.source,
                    "",
                    first,
                    told.numbers,
                    texts,
                    told.first_at_s,
                    told.last_at_s,
                    told.arrived_monotonic_s,
                ),
            )
        pipeline.serve(worker)
        assert pipeline.wait_idle(5)
    assert worker.texts == [tuple(((f"row {n}",),) for n in range(4))]


@pytest.mark.parametrize(
    "recipe",
    [RowRecipe(features=2, batch=BATCH, values=1000), RowRecipe(features=1, batch=BATCH, values=0)],
    ids=["other features", "no room"],
)
def test_windows_that_the_model_cannot_take_are_counted_and_do_not_reach_it(recipe, hearing):
    worker, told = FakeWorker(recipe=recipe), Told()
    with RowPipeline("toy", 1, hearing) as pipeline:
        pipeline.serve(worker)
        feed, results = attached(pipeline)
        pipeline.offer(feed, windows(0, 3, receipts=(told.receipt,)))
        assert pipeline.wait_idle(5)
    assert (worker.seen, results, hearing.failed_by) == ([], [], [])
    assert feed.counts == Counter(failed=3)
    assert told.times == 1


def test_feeds_are_served_in_turn(worker):
    with RowPipeline("toy", 1) as pipeline:
        feeds = [attached(pipeline)[0] for _ in range(3)]
        for number, feed in enumerate(feeds):
            pipeline.offer(feed, windows(100 * number, 2 * BATCH))
        pipeline.serve(worker)
        assert pipeline.wait_idle(5)
    assert [asked[0] for asked in worker.seen] == [0, 100, 200, 4, 104, 204]


# Two batches at once


def until(condition: Any) -> None:
    deadline_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.001)


def test_while_a_batch_is_in_work_a_full_one_is_taken_and_its_result_waits_for_that_of_the_first(
    pipeline, worker
):
    worker.held = {0: threading.Event()}
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0, 2 * BATCH + 1))
    pipeline.serve(worker)
    until(lambda: len(worker.seen) == 2)
    assert sorted(worker.seen) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (feed.waiting, results) == (1, [])
    worker.held[0].set()
    assert pipeline.wait_idle(5)
    assert sequences(results) == list(range(2 * BATCH + 1))


def test_while_a_batch_is_in_work_fewer_windows_than_fill_another_wait(pipeline, worker):
    worker.held = {0: threading.Event()}
    pipeline.serve(worker)
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0))
    assert worker.asked.wait(5)
    for number in range(1, BATCH):
        pipeline.offer(feed, windows(number))
    assert feed.waiting == BATCH - 1
    worker.held[0].set()
    assert pipeline.wait_idle(5)
    assert worker.seen == [[0], [1, 2, 3]]
    assert sequences(results) == [0, 1, 2, 3]


@pytest.mark.parametrize("first_to_die", [0, BATCH])
def test_a_process_that_dies_under_two_batches_costs_neither_and_is_counted_once(
    pipeline, worker, first_to_die
):
    worker.held = {0: threading.Event(), BATCH: threading.Event()}
    worker.faults.append(LOST)
    feed, results = attached(pipeline)
    told = [Told(), Told()]
    pipeline.offer(feed, windows(0, BATCH, receipts=(told[0].receipt,)))
    pipeline.offer(feed, windows(BATCH, BATCH, receipts=(told[1].receipt,)))
    pipeline.serve(worker)
    until(lambda: len(worker.seen) == 2)
    worker.held[first_to_die].set()
    until(lambda: worker.discarded == 1)
    assert results == []
    worker.held[BATCH - first_to_die].set()
    assert pipeline.wait_idle(5)
    assert worker.seen[2:] == [[n] for n in range(2 * BATCH)]
    assert worker.discarded == 1
    assert sequences(results) == list(range(2 * BATCH))
    assert feed.counts == Counter(published=2 * BATCH)
    assert [one.times for one in told] == [1, 1]


def test_scores_of_windows_whose_predecessors_are_to_be_scored_again_are_thrown_away(pipeline, worker):
    worker.held, worker.bad = {0: threading.Event()}, {0: LOST}
    feed, results = attached(pipeline)
    told = Told()
    pipeline.offer(feed, windows(0, 2 * BATCH, receipts=(told.receipt,)))
    pipeline.serve(worker)
    until(lambda: len(worker.seen) == 2)
    worker.held[0].set()
    assert pipeline.wait_idle(5)
    assert sequences(results) == list(range(1, 2 * BATCH))
    assert feed.counts == Counter(published=2 * BATCH - 1, lost=1)
    assert worker.discarded == MAX_ATTEMPTS
    assert told.times == 1


def test_deliveries_of_one_device_that_are_scored_together_are_one_result_where_the_feed_joins_them(
    pipeline, worker
):
    feed, results = attached(pipeline, joins=True)
    told = [Told() for _ in range(6)]
    for number, (origin, one) in enumerate(zip("aaabba", told, strict=True)):
        echoes = ({"n": number},)
        offered = windows(number, receipts=(one.receipt,))
        pipeline.offer(feed, replace(offered, origin=origin, echoes=echoes))
    worker.recipe = RowRecipe(features=1, batch=100, values=1000)
    worker.process = FakeProcess(worker)
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert [(one.windows.origin, one.windows.sequence, one.found) for one in results] == [
        ("a", 0, 3),
        ("b", 3, 2),
        ("a", 5, 1),
    ]
    assert sequences(results) == list(range(6))
    assert [echo["n"] for one in results for echo in one.windows.echoes] == list(range(6))
    assert [moment for one in results for moment in one.windows.last_at_s] == [n + 0.5 for n in range(6)]
    assert [one.times for one in told] == [1] * 6


def test_of_joined_windows_one_without_an_answer_costs_only_itself(pipeline, worker):
    worker.bad = {1: NO_ANSWER}
    feed, results = attached(pipeline, joins=True)
    told = [Told() for _ in range(3)]
    for number, one in enumerate(told):
        pipeline.offer(feed, windows(number, receipts=(one.receipt,)))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 2]
    assert feed.counts == Counter(published=2, failed=1)
    assert [one.times for one in told] == [1, 1, 1]


# Waiting for others


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=1000.0)
    monkeypatch.setattr("edged.pipeline.rows.time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def at(moment_s: float, first: int, count: int = 1) -> Windows:
    made = windows(first, count)
    object.__setattr__(made, "arrived_monotonic_s", moment_s)
    return made


def taken(pipeline: RowPipeline, worker: FakeWorker) -> list[int]:
    """What the next turn would be; nothing is in work then."""
    turn = pipeline._take(worker.process)
    if turn is None:
        return []
    turn.feed._turns.clear()
    return [one.sequence + n for one in turn.batch for n in range(len(one))]


def test_windows_wait_for_others_for_so_long_and_no_longer(clock, worker):
    pipeline = RowPipeline("toy", 0)
    feed, _ = attached(pipeline, max_wait_s=2.0)
    pipeline.offer(feed, at(1000.0, 0))
    clock.s = 1001.9
    pipeline.offer(feed, at(1001.9, 1))
    assert taken(pipeline, worker) == []
    assert pipeline._patience_s() == pytest.approx(0.1)
    clock.s = 1002.0
    assert taken(pipeline, worker) == [0, 1]


def test_a_full_batch_waits_for_nothing_and_what_is_left_waits_from_its_own_arrival(clock, worker):
    pipeline = RowPipeline("toy", 0)
    feed, _ = attached(pipeline, max_wait_s=2.0)
    pipeline.offer(feed, at(1000.0, 0, 3))
    pipeline.offer(feed, at(1000.5, 3, 2))
    clock.s = 1001.0
    assert taken(pipeline, worker) == [0, 1, 2, 3]
    assert taken(pipeline, worker) == []
    clock.s = 1002.5
    assert taken(pipeline, worker) == [4]


def test_a_batch_is_full_where_the_memory_of_a_lane_is(clock):
    worker = FakeWorker(recipe=RowRecipe(features=1, batch=100, values=3))
    pipeline = RowPipeline("toy", 0)
    feed, _ = attached(pipeline, max_wait_s=2.0)
    pipeline.offer(feed, at(1000.0, 0, 3))
    assert taken(pipeline, worker) == [0, 1, 2]


def test_a_full_queue_waits_for_nothing_as_no_others_can_come(clock, worker):
    pipeline = RowPipeline("toy", 0)
    feed, _ = attached(pipeline, max_wait_s=2.0, limit=2)
    pipeline.offer(feed, at(1000.0, 0, 2))
    assert taken(pipeline, worker) == [0, 1]


def test_a_turn_that_was_handed_back_does_not_wait_anew(clock, worker):
    pipeline = RowPipeline("toy", 0)
    feed, _ = attached(pipeline, max_wait_s=2.0)
    pipeline.offer(feed, at(1000.0, 0, 2))
    clock.s = 1002.0
    turn = pipeline._take(worker.process)
    assert turn is not None
    pipeline._hand_back(turn)
    assert feed.waiting == 2
    assert taken(pipeline, worker) == [0, 1]


def test_a_caller_wakes_up_by_itself_when_windows_have_waited_long_enough(pipeline, worker):
    pipeline.serve(worker)
    feed, results = attached(pipeline, max_wait_s=0.02)
    offered_s = time.monotonic()
    pipeline.offer(feed, windows(0))
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0]
    assert time.monotonic() - offered_s >= 0.02


# A full queue


def offering(pipeline: RowPipeline, feed: RowFeed, offered: Windows) -> tuple[threading.Thread, list[bool]]:
    """A thread that offers, and waits by now."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(pipeline.offer(feed, offered)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive(), "it does not wait"
    return thread, answers


def test_a_patient_source_is_held_back_until_there_is_room_and_loses_nothing(pipeline, worker):
    feed, results = attached(pipeline, limit=3)
    pipeline.offer(feed, windows(0, 2))
    pipeline.offer(feed, windows(2, 3))  # there was room for one
    thread, answers = offering(pipeline, feed, windows(5))
    pipeline.serve(worker)
    thread.join(5)
    assert answers == [True]
    assert pipeline.wait_idle(5)
    assert sequences(results) == list(range(6))
    assert feed.counts == Counter(published=6)


@pytest.mark.parametrize("end", ["stop", "detach"])
def test_a_patient_source_is_let_go_at_the_end_and_what_waits_keeps_its_receipt(worker, end):
    pipeline, told = RowPipeline("toy", 1), [Told(), Told()]
    pipeline.start()
    feed, results = attached(pipeline, limit=1)
    pipeline.offer(feed, windows(0, receipts=(told[0].receipt,)))
    thread, answers = offering(pipeline, feed, windows(1, receipts=(told[1].receipt,)))
    if end == "detach":
        pipeline.detach(feed)
        pipeline.serve(worker)
    else:
        assert pipeline.stop()
    thread.join(5)
    assert answers == [False]
    assert pipeline.stop()
    assert (results, feed.counts.total()) == ([], 0)
    assert [one.times for one in told] == [0, 0]


def test_a_source_that_cannot_wait_loses_the_oldest_which_are_counted_and_let_go(pipeline, worker):
    feed, results = attached(pipeline, limit=5, patient=False)
    told = [Told() for _ in range(3)]
    with capture_logs() as logs:
        for number, one in enumerate(told):
            assert pipeline.offer(feed, windows(3 * number, 3, receipts=(one.receipt,)))
    assert feed.waiting == 5
    assert feed.counts == Counter(full=4)
    assert [one.times for one in told] == [1, 0, 0]
    assert [(line["sensor"], line["dropped"]) for line in logs] == [("pump", 1)]  # and not a line a row
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [4, 5, 6, 7, 8]
    assert [one.times for one in told] == [1, 1, 1]


def test_more_than_may_wait_at_once_is_cut_to_the_newest(pipeline, worker):
    feed, results = attached(pipeline, limit=2, patient=False)
    pipeline.offer(feed, windows(0, 7))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [5, 6]
    assert feed.counts == Counter(full=5, published=2)


def test_large_windows_fill_the_queue_before_they_fill_the_memory(pipeline, worker, monkeypatch):
    monkeypatch.setattr(rowfeed, "MAX_WAITING_VALUES", 100)
    worker.recipe = RowRecipe(features=1, batch=BATCH, values=1000)
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0, 2, rows=40))
    pipeline.offer(feed, windows(2, rows=40))
    thread, answers = offering(pipeline, feed, windows(3, rows=40))
    assert (feed.waiting, answers) == (3, [])
    pipeline.serve(worker)
    thread.join(5)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 1, 2, 3]


def test_of_large_windows_of_a_source_that_cannot_wait_the_newest_are_kept_and_one_at_least(
    pipeline, worker, monkeypatch
):
    monkeypatch.setattr(rowfeed, "MAX_WAITING_VALUES", 100)
    feed, results = attached(pipeline, patient=False)
    pipeline.offer(feed, windows(0, 6, rows=40))
    assert (feed.waiting, feed.counts["full"]) == (2, 4)
    pipeline.offer(feed, windows(6, rows=400))
    assert (feed.waiting, feed.counts["full"]) == (1, 6)
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [6]


def test_texts_fill_the_queue_and_an_inference_too(pipeline, monkeypatch):
    monkeypatch.setattr(rowfeed, "MAX_WAITING_VALUES", 1000)
    monkeypatch.setattr(rowfeed, "MAX_BATCH_CHARACTERS", 5000)
    worker = FakeWorker(recipe=RowRecipe(features=2, texts=(1,), batch=BATCH, values=1000))
    feed, results = attached(pipeline)
    for n in range(3):
        pipeline.offer(feed, replace(windows(n), texts=((("x" * 3000,),),)))
    thread, answers = offering(pipeline, feed, windows(3))
    assert (feed.waiting, answers) == (3, [])
    pipeline.serve(worker)
    thread.join(5)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 1, 2, 3]
    assert worker.seen[0] == [0, 1]


def test_nothing_is_said_of_a_full_queue_while_nothing_is_dropped_any_more(pipeline, monkeypatch):
    feed, _ = attached(pipeline, limit=2, patient=False)
    pipeline.offer(feed, windows(0, 3))
    feed.limit = 100
    monkeypatch.setattr("edged.pipeline.rows.WARN_EVERY_S", 0.0)
    with capture_logs() as logs:
        pipeline.offer(feed, windows(3))
    assert logs == []


# No answer


def test_one_window_without_an_answer_costs_only_itself(pipeline, worker, hearing):
    worker.bad = {2: NO_ANSWER}
    feed, results = attached(pipeline)
    told = [Told(), Told()]
    pipeline.offer(feed, windows(0, 3, receipts=(told[0].receipt,)))
    pipeline.offer(feed, windows(3, 1, receipts=(told[1].receipt,)))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 1, 3]
    assert feed.counts == Counter(published=3, failed=1)
    assert [one.times for one in told] == [1, 1]
    assert hearing.failed_by == [(1, "pump", "gave NaN")]
    assert worker.seen == [[0, 1, 2, 3], [0], [1], [2], [3]]


def test_a_batch_that_fails_for_no_window_of_its_own_loses_none(pipeline, worker, hearing):
    worker.faults.append(NO_ANSWER)
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0, 6))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == list(range(6))
    assert worker.seen[-1] == [4, 5]
    assert hearing.failed_by == []


def test_while_windows_are_tried_alone_results_of_the_next_ones_wait_for_them(pipeline, worker):
    worker.bad = {0: NO_ANSWER}
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0, 4 * BATCH))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert [asked for asked in worker.seen if len(asked) == 1] == [[0], [1], [2], [3]]
    assert sequences(results) == list(range(1, 4 * BATCH))


def test_at_the_end_windows_that_were_not_tried_alone_yet_keep_their_receipt(worker):
    worker.faults.append(NO_ANSWER)
    worker.gate = threading.Semaphore(1)  # for the batch
    pipeline, told = RowPipeline("toy", 1), [Told() for _ in range(4)]
    pipeline.start()
    feed, results = attached(pipeline)
    for number, one in enumerate(told):
        pipeline.offer(feed, windows(number, receipts=(one.receipt,)))
    pipeline.serve(worker)
    while len(worker.seen) < 2:
        threading.Event().wait(0.001)
    assert not pipeline.stop(0.05)
    worker.gate.release(100)
    assert pipeline.stop()
    assert sequences(results) == [0]
    assert [one.times for one in told] == [1, 0, 0, 0]
    assert feed.waiting == 3


def test_a_bug_on_a_batch_costs_that_batch(pipeline, worker, hearing):
    worker.faults.append(RuntimeError("a bug"))
    feed, results = attached(pipeline)
    told = Told()
    pipeline.offer(feed, windows(0, 6, receipts=(told.receipt,)))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [4, 5]
    assert feed.counts == Counter(failed=4, published=2)
    assert hearing.failed_by == []
    assert told.times == 1


def test_a_result_that_cannot_be_handed_on_costs_its_windows_and_neither_the_caller_nor_others(
    pipeline, worker
):
    handed: list[int] = []

    def emit(result: RowResult) -> int:
        handed.append(result.windows.sequence)
        if result.windows.sequence == 1:
            raise ValueError("no such message")
        return result.found

    feed, _ = attached(pipeline, emit=emit)
    told = [Told() for _ in range(3)]
    for number, one in enumerate(told):
        pipeline.offer(feed, windows(number, receipts=(one.receipt,)))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    pipeline.offer(feed, windows(3))
    assert pipeline.wait_idle(5)
    assert handed == [0, 1, 2, 3]
    assert feed.counts == Counter(published=3, failed=1)
    assert [one.times for one in told] == [1, 1, 1]


def test_an_observer_that_fails_does_not_end_the_caller(pipeline, worker, hearing, monkeypatch):
    monkeypatch.setattr(hearing, "looked", lambda *_: 1 / 0)
    pipeline.serve(worker)
    feed, results = attached(pipeline)
    for number in range(3):
        pipeline.offer(feed, windows(number))
        assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 1, 2]


# A process that dies


def test_windows_whose_process_dies_are_tried_alone_by_the_next_and_none_is_lost(lone, worker):
    worker.faults.append(LOST)
    feed, results = attached(lone)
    lone.offer(feed, windows(0, 10))
    lone.serve(worker)
    assert lone.wait_idle(5)
    assert sequences(results) == list(range(10))
    assert worker.seen == [[0, 1, 2, 3], [0], [1], [2], [3], [4, 5, 6, 7], [8, 9]]
    assert worker.discarded == 1
    assert feed.counts == Counter(published=10)


def test_a_window_that_kills_three_processes_is_lost_and_costs_no_other_and_no_further_process(lone, worker):
    worker.bad = {2: LOST}
    feed, results = attached(lone)
    told = [Told(), Told()]
    lone.offer(feed, windows(0, 3, receipts=(told[0].receipt,)))
    lone.offer(feed, windows(3, 5, receipts=(told[1].receipt,)))
    lone.serve(worker)
    assert lone.wait_idle(5)
    assert sequences(results) == [0, 1, 3, 4, 5, 6, 7]
    assert feed.counts == Counter(published=7, lost=1)
    assert worker.discarded == MAX_ATTEMPTS
    assert worker.seen == [[0, 1, 2, 3], [0], [1], [2], [2], [3], [4, 5, 6, 7]]
    assert [one.times for one in told] == [1, 1]


def test_after_one_was_given_up_the_next_window_has_all_its_tries(pipeline, worker):
    worker.bad = {0: LOST, 1: LOST}
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    pipeline.offer(feed, windows(1))
    assert pipeline.wait_idle(5)
    assert worker.seen == [[0]] * MAX_ATTEMPTS + [[1]] * MAX_ATTEMPTS
    assert (results, feed.counts) == ([], Counter(lost=2))


def test_a_process_that_dies_while_windows_are_tried_alone_has_none_scored_twice(pipeline, worker):
    worker.faults.extend([NO_ANSWER, None, LOST])
    feed, results = attached(pipeline)
    told = Told()
    pipeline.offer(feed, windows(0, 4, receipts=(told.receipt,)))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 1, 2, 3]
    assert worker.seen == [[0, 1, 2, 3], [0], [1], [1], [2], [3]]
    assert told.times == 1


# Swaps and ends


def test_a_swap_comes_between_two_batches(pipeline, worker, hearing):
    worker.gate, successor = threading.Semaphore(0), FakeWorker(version=2)
    pipeline.serve(worker)
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0))
    assert worker.asked.wait(5)
    assert pipeline.serve(successor) is worker
    pipeline.offer(feed, windows(1, 2))
    assert not pipeline.wait_left(worker, 0.05)
    worker.gate.release(1000)
    assert pipeline.wait_left(worker, 5)
    assert pipeline.wait_idle(5)
    assert sequences(results) == [0, 1, 2]
    assert hearing.looked_by == [(1, 0, 1), (2, 1, 2)]


def test_swapping_all_the_time_loses_no_window(pipeline, worker, hearing):
    pipeline.serve(worker)
    feed, results = attached(pipeline)
    for number in range(300):
        pipeline.offer(feed, windows(number))
        pipeline.serve(FakeWorker(version=number + 2))
    assert pipeline.wait_idle(5)
    assert sequences(results) == list(range(300))
    assert feed.counts == Counter(published=300)


def test_windows_in_work_are_emitted_after_a_feed_was_detached_and_those_that_wait_are_not(pipeline, worker):
    worker.gate = threading.Semaphore(0)
    pipeline.serve(worker)
    feed, results = attached(pipeline)
    told = [Told(), Told()]
    pipeline.offer(feed, windows(0, receipts=(told[0].receipt,)))
    assert worker.asked.wait(5)
    pipeline.offer(feed, windows(1, receipts=(told[1].receipt,)))
    pipeline.detach(feed)
    worker.gate.release(1000)
    assert pipeline.stop()
    assert sequences(results) == [0]
    assert [one.times for one in told] == [1, 0]


def test_who_detached_a_feed_can_wait_until_nothing_of_it_is_in_work(pipeline, worker):
    worker.gate = threading.Semaphore(0)
    pipeline.serve(worker)
    feed, results = attached(pipeline)
    pipeline.offer(feed, windows(0))
    assert worker.asked.wait(5)
    pipeline.offer(feed, windows(1))
    pipeline.detach(feed)
    assert not pipeline.wait_emitted(feed, 0.05)
    worker.gate.release(10)
    assert pipeline.wait_emitted(feed, 5)
    assert sequences(results) == [0]


def test_it_is_idle_only_when_nothing_waits_and_nothing_is_in_work(pipeline, worker):
    worker.gate = threading.Semaphore(0)
    assert pipeline.wait_idle(0)
    feed, _ = attached(pipeline)
    pipeline.offer(feed, windows(0))
    assert not pipeline.wait_idle(0)
    pipeline.serve(worker)
    assert worker.asked.wait(5)
    assert not pipeline.wait_idle(0.02)
    worker.gate.release(1)
    assert pipeline.wait_idle(5)


def test_windows_that_are_not_worth_a_message_are_counted_apart(pipeline, worker):
    pipeline.serve(worker)
    feed, _ = attached(pipeline, emit=lambda _: 1)
    pipeline.offer(feed, windows(0, 4))
    assert pipeline.wait_idle(5)
    assert feed.counts == Counter(published=1, withheld=3)


def test_a_result_may_hold_its_receipts_longer_than_the_pipeline(pipeline, worker):
    told, kept = Told(), []

    def emit(result: RowResult) -> int:
        for receipt in result.windows.receipts:
            receipt.hold()
            kept.append(receipt)
        return result.found

    feed, _ = attached(pipeline, emit=emit)
    pipeline.offer(feed, windows(0, 6, receipts=(told.receipt,)))
    pipeline.serve(worker)
    assert pipeline.wait_idle(5)
    assert len(kept) == 2, "each part has the receipt, as each has results"
    kept[1].let_go()
    assert told.times == 0
    kept[0].let_go()
    assert told.times == 1


FINE, FAILS, KILLS, BUG = "fine", "fails", "kills", "bug"


class AnyOrder(RuleBasedStateMachine):
    """Windows come, are scored, handed back and lost in any order; each must be accounted for, and its receipt."""

    def __init__(self) -> None:
        super().__init__()
        self.pipeline = RowPipeline("toy", 0)
        self.worker = FakeWorker()
        self.emitted: list[int] = []
        self.natures: list[str] = []
        self.chunks: list[tuple[int, int, Told]] = []
        self.turns: list[Any] = []  # in work, in order: the turn, its process, and what it was answered
        self.kills = 0

    def begin(self, *, patient: bool) -> None:
        self.feed = RowFeed(source="pump", emit=self.emit, limit=12, patient=patient)
        self.pipeline.attach(self.feed)

    def emit(self, result: RowResult) -> int:
        first = result.windows.sequence
        found = list(range(first, first + result.found))
        if any(self.natures[n] == BUG for n in found):
            raise ValueError("a bug")
        assert result.scores.values[:, 0].tolist() == found
        self.emitted += found
        return len(found)

    @rule(
        natures=st.lists(st.sampled_from([FINE] * 6 + [FAILS, KILLS]), min_size=1, max_size=9),
        rows=st.integers(1, 2),
    )
    def windows_come(self, natures, rows):
        if self.feed.patient and self.feed.waiting >= self.feed.limit:
            return  # its sensor waits
        first, told = len(self.natures), Told()
        self.natures += natures
        self.worker.bad |= {
            first + n: {FAILS: NO_ANSWER, KILLS: LOST}[nature]
            for n, nature in enumerate(natures)
            if nature in {FAILS, KILLS}
        }
        self.chunks.append((first, first + len(natures), told))
        assert self.pipeline.offer(
            self.feed, windows(first, len(natures), rows=rows, receipts=(told.receipt,))
        )

    @rule()
    def a_window_comes_whose_result_cannot_be_handed_on(self):
        self.windows_come_of([BUG])

    def windows_come_of(self, natures: list[str]) -> None:
        if not (self.feed.patient and self.feed.waiting >= self.feed.limit):
            first, told = len(self.natures), Told()
            self.natures += natures
            self.chunks.append((first, first + len(natures), told))
            self.pipeline.offer(self.feed, windows(first, len(natures), receipts=(told.receipt,)))

    @rule()
    def a_caller_takes_a_turn(self):
        waiting, process = self.feed.waiting, self.worker.process
        turn, before = self.pipeline._take(process), len(self.turns)
        if turn is not None:
            self.turns.append([turn, process, None])
        if not before:
            assert (turn is None) == (waiting == 0)
        elif turn is not None:
            assert len(self.turns) == 2
            assert waiting >= BATCH, "beside another one only a full batch is taken"
            assert not any(one.alone for one, *_ in self.turns), "with a suspect nothing else is in work"

    @precondition(lambda self: any(asked is None for *_, asked in self.turns))
    @rule(killed=st.booleans(), last=st.booleans())
    def a_turn_is_answered(self, killed, last):
        one = [one for one in self.turns if one[2] is None][-1 if last else 0]
        turn, process, _ = one
        if killed and not process.is_dead:  # from outside
            self.kills += 1
            self.worker.faults.append(LOST)
        try:
            one[2] = self.pipeline._ask(turn.parts(), process, 0)
        except WorkerLost:
            self.lost(one)

    @precondition(lambda self: self.turns and self.turns[0][2] is not None)
    @rule(killed=st.booleans())
    def the_first_turn_is_concluded(self, killed):
        turn, process, asked = one = self.turns[0]
        if killed and not process.is_dead:
            self.kills += 1
            self.worker.discard(process)
        try:
            self.pipeline._conclude(turn, asked, self.worker, process, 0)
        except WorkerLost:
            self.lost(one)
        else:
            self.turns.remove(one)

    def lost(self, one: list[Any]) -> None:
        self.turns.remove(one)
        self.worker.discard(one[1])
        self.pipeline._lost(one[0])

    @precondition(lambda self: self.turns)
    @rule(last=st.booleans())
    def a_swap_comes_first(self, last):
        one = self.turns[-1 if last else 0]
        if one[2] is None:
            self.turns.remove(one)
            self.pipeline._hand_back(one[0])

    @invariant()
    def every_window_was_emitted_or_dropped_for_a_reason_or_is_still_here(self):
        if not hasattr(self, "feed"):
            return
        here = self.feed.waiting + sum(len(turn) for turn, *_ in self.turns)
        assert self.feed.waiting == sum(map(len, self.feed._queue))
        assert self.feed.counts.total() + here == len(self.natures)
        assert self.feed.counts["published"] == len(self.emitted)

    @invariant()
    def results_are_in_order_and_none_comes_twice(self):
        assert self.emitted == sorted(set(self.emitted))

    @invariant()
    def a_receipt_is_settled_once_and_not_before_its_windows_were_dealt_with(self):
        if not hasattr(self, "feed"):
            return
        waits = [*self.feed._queue, *(windows for turn, *_ in self.turns for windows in turn.batch)]
        here = {one.sequence + n for one in waits for n in range(len(one))}
        for first, stop, told in self.chunks:
            assert told.times == (0 if here & set(range(first, stop)) else 1)

    @invariant()
    def a_patient_source_loses_only_what_cannot_be_scored(self):
        if hasattr(self, "feed") and self.feed.patient:
            assert self.feed.counts["full"] == 0

    def dealt_with(self) -> None:
        """The first turn ends as it may."""
        if self.turns[0][2] is None:
            self.a_turn_is_answered(killed=False, last=False)
        else:
            self.the_first_turn_is_concluded(killed=False)

    def teardown(self) -> None:
        """Whatever came before: what is left is scored, and what is fine was emitted."""
        self.worker.faults.clear()
        while self.turns:
            self.dealt_with()
        before = self.worker.discarded
        killers = sum(
            self.natures[n] == KILLS
            for one in self.feed._queue
            for n in range(one.sequence, one.sequence + len(one))
        )
        while self.feed.waiting or self.turns:
            if not self.turns:
                self.a_caller_takes_a_turn()
            self.dealt_with()
        assert self.worker.discarded - before <= MAX_ATTEMPTS * killers, "a process died for no reason"
        self.a_receipt_is_settled_once_and_not_before_its_windows_were_dealt_with()
        assert not {n for n in self.emitted if self.natures[n] != FINE}
        if self.feed.patient:
            natures, counts = Counter(self.natures), self.feed.counts
            missing = natures[FINE] - len(self.emitted)
            assert counts["failed"] <= natures[FAILS] + natures[BUG]
            assert counts["lost"] >= natures[KILLS]
            assert 2 * missing <= self.kills, "it takes two kills from outside to cost a good one"


class Patient(AnyOrder):
    """A source that can wait."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(patient=True)


class Impatient(AnyOrder):
    """A source that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(patient=False)


TestPatient = Patient.TestCase
TestImpatient = Impatient.TestCase
TestPatient.settings = TestImpatient.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
