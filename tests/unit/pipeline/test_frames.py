import math
import random
import threading
import time
from collections import Counter

import numpy as np
import pytest
from frame_doubles import LOST, Description, FakeProcess, FakeWorker, attached, frame
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.detection import Detections
from edged.errors import BadInput, InferenceFailed
from edged.frame import Frame, PixelLayout
from edged.geometry import Fit, place
from edged.manifest import InputRecipe
from edged.pipeline import Feed, Pipeline
from edged.pipeline.callers import MAX_ATTEMPTS
from edged.pipeline.turns import AT_ONCE, Turn, Turns
from edged.worker.answer import Answer
from edged.worker.looking import in_frame


def a_feed(turns: Turns | None = None, **changes: object) -> Feed:
    made = Feed(source="front", emit=lambda _: True, **changes)  # type: ignore[arg-type]
    if turns is not None:
        turns.feeds.append(made)
    return made


def finished(turns: Turns, turn: Turn) -> list[int]:
    """Sequences of the frames whose results are handed on once this one is there."""
    turns.settle(turn, "a result")
    sequences = []
    while due := turns.due():
        sequences.append(due.frame.sequence)
        turns.done(due, "published")
    return sequences


class TestTurns:
    def test_the_newest_frame_replaces_the_one_that_waits_and_the_drop_is_counted(self):
        turns = Turns()
        feed = a_feed(turns)
        turns.put(feed, frame(1), 0)
        turns.put(feed, frame(2), 5)
        turn = turns.take(6)
        assert turn is not None
        assert (turn.frame.sequence, turn.arrived_s) == (2, 5)
        assert feed.counts == Counter(full=1)

    def test_nothing_waits_where_nothing_was_put(self):
        turns = Turns()
        a_feed(turns)
        assert turns.take(0) is None
        assert turns.idle

    def test_the_feed_that_was_served_longest_ago_is_next(self):
        turns = Turns()
        feeds = [a_feed(turns) for _ in range(3)]
        order = []
        for now_s in range(6):
            for feed in feeds:
                turns.put(feed, frame(at_s=now_s), now_s)
            turn = turns.take(now_s)
            assert turn is not None
            order.append(feeds.index(turn.feed))
            finished(turns, turn)
        assert order == [0, 1, 2, 0, 1, 2]

    def test_results_of_a_feed_are_handed_on_in_the_order_of_its_frames(self):
        turns = Turns()
        feed = a_feed(turns)
        taken = []
        for sequence in (1, 2, 3):
            turns.put(feed, frame(sequence), 0)
            taken.append(turns.take(0))
        first, second, third = taken
        assert finished(turns, second) == []
        assert finished(turns, first) == [1, 2]
        assert finished(turns, third) == [3]
        assert turns.idle

    def test_while_one_caller_hands_on_a_result_no_other_does_for_the_same_feed(self):
        turns = Turns()
        feed = a_feed(turns)
        taken = []
        for sequence in (1, 2):
            turns.put(feed, frame(sequence), 0)
            taken.append(turns.take(0))
            turns.settle(taken[-1], "a result")
        first = turns.due()
        assert first is taken[0]
        assert turns.due() is None
        turns.done(first, "published")
        assert turns.due() is taken[1]

    def test_no_more_frames_of_a_feed_than_a_few_wait_for_the_first_to_end(self):
        turns = Turns()
        feed = a_feed(turns, lossless=True)
        taken = []
        for sequence in range(AT_ONCE):
            turns.put(feed, frame(sequence), 0)
            taken.append(turns.take(0))
        for turn in taken[1:]:
            turns.settle(turn, "a result")
        turns.put(feed, frame(AT_ONCE), 0)
        assert turns.take(0) is None
        assert finished(turns, taken[0]) == list(range(AT_ONCE))
        assert turns.take(0) is not None

    def test_a_frame_that_is_tried_again_keeps_its_place_and_goes_alone(self):
        turns = Turns()
        feed = a_feed(turns, lossless=True)
        taken = []
        for sequence in (1, 2):
            turns.put(feed, frame(sequence), 0)
            taken.append(turns.take(0))
        turns.put(feed, frame(3), 0)
        assert turns.give_back(taken[0])
        assert turns.take(0) is None, "another is in the process in which it would be tried"
        assert finished(turns, taken[1]) == []
        again = turns.take(0)
        assert again is taken[0]
        assert turns.take(0) is None
        assert finished(turns, again) == [1, 2]

    def test_a_frame_older_than_allowed_is_dropped_counted_and_keeps_no_other_waiting(self):
        turns = Turns()
        late, fine = a_feed(turns, max_age_s=1), a_feed(turns)
        turns.put(late, frame(1, at_s=0), 0)
        turns.put(fine, frame(2, at_s=0), 0)
        turn = turns.take(1.5)
        assert turn is not None
        assert turn.feed is fine
        assert late.counts == Counter(stale=1)

    def test_behind_a_frame_that_became_too_old_the_fresh_one_is_served_at_once(self):
        turns = Turns()
        feed = a_feed(turns, max_age_s=1)
        turns.put(feed, frame(1, at_s=0), 0)
        turn = turns.take(0)
        assert turn is not None
        assert turns.give_back(turn)
        turns.put(feed, frame(2, at_s=2), 2)
        turn = turns.take(2)
        assert turn is not None
        assert turn.frame.sequence == 2
        assert feed.counts == Counter(stale=1)

    def test_a_frame_whose_worker_died_is_tried_three_times_and_then_given_up(self):
        turns = Turns()
        feed = a_feed(turns)
        turns.put(feed, frame(1), 0)
        outcomes = []
        while turn := turns.take(0):
            outcomes.append(turns.give_back(turn))
        assert outcomes == [True, True, False]
        assert feed.counts == Counter(lost=1)
        assert turns.idle

    def test_after_one_was_given_up_the_next_frame_has_all_its_tries(self):
        turns = Turns()
        feed = a_feed(turns)
        for sequence in (1, 2):
            turns.put(feed, frame(sequence), 0)
            tries = 0
            while turn := turns.take(0):
                tries += 1
                turns.give_back(turn)
            assert tries == MAX_ATTEMPTS

    def test_a_live_camera_gives_its_newer_frame_to_the_next_worker(self):
        turns = Turns()
        feed = a_feed(turns)
        turns.put(feed, frame(1), 0)
        turn = turns.take(0)
        assert turn is not None
        turns.put(feed, frame(2), 0)
        assert turns.give_back(turn)
        turn = turns.take(0)
        assert turn is not None
        assert turn.frame.sequence == 2
        assert feed.counts == Counter(full=1)


class AnyOrder(RuleBasedStateMachine):
    """Frames come, are taken, done and lost in any order; every one of them must be accounted for."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self.feeds = [
            a_feed(self.turns, max_age_s=3.0),
            a_feed(self.turns),
            a_feed(self.turns, lossless=True),
        ]
        self.now_s = 0.0
        self.put = [0, 0, 0]
        self.done: list[list[int]] = [[], [], []]
        self.work: list[Turn] = []
        self.passed_over = [0, 0, 0]
        self.deaths = [0, 0, 0]  # each costs a turn, which a swap does not
        self.swaps = 0

    @rule(seconds=st.floats(0.001, 2))
    def time_passes(self, seconds):
        self.now_s += seconds

    @rule(index=st.integers(0, 2))
    def a_frame_comes(self, index):
        feed = self.feeds[index]
        if feed.lossless and feed._frame is not None:
            return  # its camera waits
        self.put[index] += 1
        self.turns.put(feed, frame(self.put[index], at_s=self.now_s), self.now_s)

    @rule()
    def a_caller_takes_a_turn(self):
        self.now_s += 0.001
        waiting = {i for i, feed in enumerate(self.feeds) if self._has_a_turn(feed)}
        turn = self.turns.take(self.now_s)
        assert (turn is None) == (not waiting), "a fresh frame waits and nobody takes it"
        if turn is None:
            return
        index = self.feeds.index(turn.feed)
        assert self.now_s - turn.frame.captured_monotonic_s <= turn.feed.max_age_s
        suspects = [one for one in self.work if one.feed is turn.feed and one.attempts]
        assert not suspects, "what may have killed a process is not alone"
        assert not (turn.attempts and any(one.feed is turn.feed for one in self.work))
        self.work.append(turn)
        for i in range(3):
            self.passed_over[i] = self.passed_over[i] + 1 if i in waiting - {index} else 0
            assert self.passed_over[i] <= 2 * AT_ONCE * (1 + self.deaths[i]) + self.swaps, (
                "a feed that waits is passed over"
            )

    def _has_a_turn(self, feed: Feed) -> bool:
        """Whether one of its frames may be taken now; those that are too old on the way there are dropped."""
        running = [turn for turn in self.work if turn.feed is feed]
        if any(turn.attempts for turn in running):
            return False
        for turn in feed._again:
            if turn.attempts and running:
                return False
            if self._fresh(feed, turn.frame):
                return True
        room = len(feed._turns) - sum(not self._fresh(feed, turn.frame) for turn in feed._again) < AT_ONCE
        return room and feed._frame is not None and self._fresh(feed, feed._frame)

    def _fresh(self, feed: Feed, waits: Frame) -> bool:
        return self.now_s - waits.captured_monotonic_s <= feed.max_age_s

    def _out_of_work(self, data) -> Turn:
        return self.work.pop(data.draw(st.integers(0, len(self.work) - 1)))

    def _hand_on(self) -> None:
        while due := self.turns.due():
            self.done[self.feeds.index(due.feed)].append(due.frame.sequence)
            self.turns.done(due, "published")

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def a_frame_is_answered(self, data):
        self.turns.settle(self._out_of_work(data), "a result")
        self._hand_on()

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def a_worker_dies(self, data):
        turn = self._out_of_work(data)
        self.turns.give_back(turn)
        self.deaths[self.feeds.index(turn.feed)] += 1
        self._hand_on()

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def a_swap_comes_first(self, data):
        self.swaps += 1
        self.turns.hand_back(self._out_of_work(data))
        self._hand_on()

    @invariant()
    def results_of_a_feed_are_in_order_and_none_comes_twice(self):
        for sequences in self.done:
            assert sequences == sorted(set(sequences))

    @invariant()
    def every_frame_was_answered_or_dropped_for_a_reason_or_is_still_here(self):
        for index, feed in enumerate(self.feeds):
            here = (feed._frame is not None) + len(feed._turns)
            assert len(feed._turns) <= AT_ONCE
            assert feed.counts.total() + here == self.put[index]
            assert feed.counts["published"] == len(self.done[index])

    @invariant()
    def a_lossless_feed_loses_a_frame_only_after_its_tries(self):
        assert set(self.feeds[2].counts) <= {"lost", "published"}

    @invariant()
    def it_is_idle_when_nothing_is_here(self):
        here = any(feed._frame or feed._turns for feed in self.feeds)
        assert self.turns.idle == (not here)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.fixture
def worker():
    return FakeWorker()


@pytest.fixture
def pipeline(worker):
    with Pipeline("toy", 1) as running:
        running.serve(worker)
        yield running
        worker.gate.release(1000)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("caller-")]


def test_a_lossless_camera_waits_for_the_model_and_every_frame_comes_out_in_order(pipeline):
    feed, sequences = attached(pipeline)
    for number in range(50):
        pipeline.offer(feed, frame(number))
    assert pipeline.wait_idle(5)
    assert sequences == list(range(50))
    assert feed.counts == Counter(published=50)


def test_frames_whose_workers_die_are_given_to_their_successors_in_order(pipeline, worker):
    worker.faults.extend([None, LOST, LOST, None, LOST])
    feed, sequences = attached(pipeline)
    for number in range(20):
        pipeline.offer(feed, frame(number))
    assert pipeline.wait_idle(5)
    assert sequences == list(range(20))
    assert worker.discarded == 3


def test_with_several_callers_frames_of_one_camera_are_in_work_at_once_and_come_out_in_order(monkeypatch):
    worker, dice, at_once, most = FakeWorker(), random.Random(7), [0], [0]
    answers = FakeProcess.answers

    def unsteady(self, lane, count, *, first=0):
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(dice.choice([0.0, 0.001, 0.005]))
        at_once[0] -= 1
        if dice.random() < 0.05:
            raise LOST
        return answers(self, lane, count, first=first)

    monkeypatch.setattr(FakeProcess, "answers", unsteady)
    with Pipeline("toy", 3) as running:
        running.serve(worker)
        feed, sequences = attached(running)
        for number in range(200):
            running.offer(feed, frame(number))
        assert running.wait_idle(20)
    assert most[0] > 1
    assert sequences == sorted(set(sequences))
    assert len(sequences) + feed.counts["lost"] == 200
    assert worker.discarded > 0


def test_a_frame_that_kills_three_workers_is_given_up_and_the_next_is_served(pipeline, worker):
    worker.faults.extend([LOST, LOST, LOST])
    feed, sequences = attached(pipeline)
    for number in range(3):
        pipeline.offer(feed, frame(number))
    assert pipeline.wait_idle(5)
    assert sequences == [1, 2]
    assert feed.counts == Counter(lost=1, published=2)


@pytest.mark.parametrize(
    "fault", [InferenceFailed("model toy", "NaN"), RuntimeError("a bug")], ids=["no answer", "bug"]
)
def test_one_frame_that_fails_is_counted_and_the_next_is_served(pipeline, worker, fault):
    worker.faults.append(fault)
    feed, sequences = attached(pipeline)
    for number in range(3):
        pipeline.offer(feed, frame(number))
    assert pipeline.wait_idle(5)
    assert sequences == [1, 2]
    assert feed.counts == Counter(failed=1, published=2)


def test_a_result_that_cannot_be_handed_on_does_not_end_the_caller(pipeline):
    sequences = []

    def emit(result) -> bool:
        sequences.append(result.frame.sequence)
        if result.frame.sequence == 0:
            raise ValueError("no such message")
        return True

    feed = Feed(source="front", emit=emit, lossless=True)
    pipeline.attach(feed)
    pipeline.offer(feed, frame(0))
    pipeline.offer(feed, frame(1))
    assert pipeline.wait_idle(5)
    assert sequences == [0, 1]
    assert feed.counts == Counter(failed=1, published=1)


def test_a_frame_that_cannot_be_prepared_is_counted_as_unreadable(pipeline):
    feed, sequences = attached(pipeline)
    pipeline.offer(feed, Frame("front", 0, 0.0, 0.0, 9, 9, PixelLayout.BGR, (np.zeros((4, 4, 3), np.uint8),)))
    pipeline.offer(feed, frame(1))
    assert pipeline.wait_idle(5)
    assert sequences == [1]
    assert feed.counts == Counter(unreadable=1, published=1)


def test_a_result_that_comes_too_late_is_not_published(pipeline, worker):
    worker.gate = threading.Semaphore(0)
    feed, sequences = attached(pipeline, lossless=False, max_age_s=0.2)
    captured_s = time.monotonic()
    pipeline.offer(feed, frame(1, at_s=captured_s))
    while time.monotonic() - captured_s < 0.25:
        threading.Event().wait(0.01)
    worker.gate.release(1000)
    assert pipeline.wait_idle(5)
    assert sequences == []
    assert feed.counts == Counter(stale=1)


def test_a_successor_that_takes_another_size_gets_tensors_of_that_size(pipeline, worker):
    class Larger(Description):
        picture = InputRecipe(8, 8, layout="NHWC", dtype="uint8", fit=Fit.STRETCH)

    feed, sequences = attached(pipeline)
    pipeline.offer(feed, frame(0))
    assert pipeline.wait_idle(5)
    worker.successor = FakeProcess(worker, Larger())
    worker.faults.append(LOST)
    pipeline.offer(feed, frame(1))
    assert pipeline.wait_idle(5)
    assert sequences == [0, 1]


def test_a_result_says_what_was_found_where_in_the_frame_and_how_long_each_step_took(pipeline):
    results = []
    feed = Feed(source="front", emit=lambda result: results.append(result) is None)
    pipeline.attach(feed)
    pipeline.offer(feed, frame(7, value=255))
    assert pipeline.wait_idle(5)
    (result,) = results
    assert result.frame.sequence == 7
    assert result.detections.xyxy.tolist() == [[0, 0, 2, 2]]
    assert result.detections.score.tolist() == [1.0]
    assert (result.inference_ms, result.decode_ms) == (1.0, pytest.approx(0.1))
    assert min(result.queue_ms, result.preprocess_ms) >= 0


def test_a_feed_that_was_detached_gets_no_further_results_and_its_camera_is_let_go(pipeline, worker):
    worker.gate = threading.Semaphore(0)
    feed, sequences = attached(pipeline)
    pipeline.offer(feed, frame(0))
    while not worker.seen:
        threading.Event().wait(0.001)
    pipeline.offer(feed, frame(1))
    camera = threading.Thread(target=pipeline.offer, args=(feed, frame(2)))
    camera.start()
    pipeline.detach(feed)
    camera.join(5)
    assert not camera.is_alive()
    worker.gate.release(1000)
    assert pipeline.wait_idle(5)
    assert pipeline.stop()
    assert sequences == [0]


def test_stopping_lets_the_frame_in_work_end_and_forgets_those_that_wait(worker):
    worker.gate = threading.Semaphore(0)
    pipeline = Pipeline("toy", 1)
    pipeline.serve(worker)
    pipeline.start()
    feed, sequences = attached(pipeline)
    pipeline.offer(feed, frame(0))
    while not worker.seen:
        threading.Event().wait(0.001)
    pipeline.offer(feed, frame(1))
    assert not pipeline.stop(0.05)  # the model holds the frame
    worker.gate.release(1000)
    assert pipeline.stop()
    assert sequences == [0]


def test_without_a_worker_frames_wait_and_the_newest_is_served_when_there_is_one(worker):
    process, worker.process = worker.process, None
    with Pipeline("toy", 1) as pipeline:
        pipeline.serve(worker)
        feed, sequences = attached(pipeline, lossless=False)
        for number in range(3):
            pipeline.offer(feed, frame(number))
        assert sequences == []
        worker.process = process
        assert pipeline.wait_idle(5)
    assert sequences == [2]
    assert feed.counts == Counter(full=2, published=1)


class Hearing:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.looked_by: list[tuple[int, int]] = []
        self.failed_by: list[tuple[int, str, str]] = []

    def looked(self, worker, result) -> None:
        assert worker.version == result.version
        self.looked_by.append((result.version, result.frame.sequence))

    def failed(self, worker, source, problem) -> None:
        self.failed_by.append((worker.version, source, problem))


def test_a_swap_comes_between_two_frames_and_the_one_in_work_ends_on_the_old_version(worker):
    worker.gate = threading.Semaphore(0)
    hearing, successor = Hearing(), FakeWorker(version=2)
    with Pipeline("toy", 1, hearing) as pipeline:
        pipeline.serve(worker)
        feed, sequences = attached(pipeline)
        pipeline.offer(feed, frame(0))
        while not worker.seen:
            threading.Event().wait(0.001)
        assert pipeline.serve(successor) is worker
        pipeline.offer(feed, frame(1))
        assert not pipeline.wait_left(worker, 0.05)
        worker.gate.release(1000)
        assert pipeline.wait_left(worker, 5)
        assert pipeline.wait_idle(5)
    assert sequences == [0, 1]
    assert hearing.looked_by == [(1, 0), (2, 1)]
    assert len(worker.seen) == len(successor.seen) == 1


def test_while_nothing_serves_the_newest_frame_waits(worker):
    with Pipeline("toy", 2) as pipeline:
        pipeline.serve(worker)
        feed, sequences = attached(pipeline, lossless=False)
        assert pipeline.serve(None) is worker
        for number in range(3):
            pipeline.offer(feed, frame(number))
        assert sequences == []
        pipeline.serve(FakeWorker(version=2))
        assert pipeline.wait_idle(5)
    assert sequences == [2]


def test_swapping_all_the_time_loses_no_frame_of_a_camera_that_waits(worker):
    hearing = Hearing()
    with Pipeline("toy", 2, hearing) as pipeline:
        pipeline.serve(worker)
        feed, sequences = attached(pipeline)
        for number in range(300):
            pipeline.offer(feed, frame(number))
            pipeline.serve(FakeWorker(version=number + 2))
        assert pipeline.wait_idle(5)
    assert sequences == list(range(300))
    assert [sequence for _, sequence in hearing.looked_by] == sequences
    assert feed.counts == Counter(published=300)


def test_the_observer_hears_of_frames_without_an_answer_but_not_of_unreadable_ones(worker):
    worker.faults.extend(
        [InferenceFailed("model toy", "output has NaN", ""), BadInput("frame", "broken", "")]
    )
    hearing = Hearing()
    with Pipeline("toy", 1, hearing) as pipeline:
        pipeline.serve(worker)
        feed, _ = attached(pipeline)
        for number in range(3):
            pipeline.offer(feed, frame(number))
        assert pipeline.wait_idle(5)
    assert hearing.failed_by == [(1, "front", "output has NaN")]
    assert hearing.looked_by == [(1, 2)]


def answer(*boxes: tuple[float, float, float, float], class_id: tuple[int, ...] = ()) -> Answer:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    ids = np.array(class_id or [0] * len(boxes), np.int32)
    return Answer(Detections(xyxy, np.linspace(1, 0.5, len(boxes), dtype=np.float32), ids), 0, 0)


LETTERBOX = place(200, 100, 100, 100, Fit.LETTERBOX).transform


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], []),
        ([(0, 25, 100, 75)], [[0, 0, 200, 100]]),
        ([(-50, -50, 500, 500)], [[0, 0, 200, 100]]),
        ([(10, 0, 20, 25)], []),
        ([(10, 30, 10, 40)], []),
        ([(10, 0, 20, 24), (50, 50, 60, 60)], [[100, 50, 120, 70]]),
    ],
    ids=["none", "whole", "larger", "in the padding", "no width", "only the other"],
)
def test_boxes_come_back_inside_the_frame_or_not_at_all(boxes, expected):
    assert in_frame(answer(*boxes).detections, LETTERBOX).xyxy.tolist() == expected


def test_a_result_that_is_not_worth_a_message_is_counted_apart(pipeline):
    feed = Feed(source="front", emit=lambda _: False, lossless=True)
    pipeline.attach(feed)
    pipeline.offer(feed, frame(0))
    assert pipeline.wait_idle(5)
    assert feed.counts == Counter(withheld=1)


def test_a_feed_without_a_bound_takes_frames_of_any_age():
    assert a_feed().max_age_s == math.inf


class Deaf(Hearing):
    """An observer with a bug: it fails at the first frame that it is told of."""

    def looked(self, worker, result) -> None:
        super().looked(worker, result)
        if len(self.looked_by) == 1:
            raise RuntimeError("a bug")


def test_a_bug_of_the_observer_costs_the_frame_once_and_no_other(worker):
    hearing = Deaf()
    with Pipeline("toy", 1, hearing) as pipeline:
        pipeline.serve(worker)
        feed, sequences = attached(pipeline)
        for number in range(3):
            pipeline.offer(feed, frame(number))
        assert pipeline.wait_idle(5)
    assert sequences == [0, 1, 2]
    assert feed.counts == Counter(failed=1, published=2)
    assert [sequence for _, sequence in hearing.looked_by] == [0, 1, 2]
