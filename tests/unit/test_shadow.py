"""Another version beside the one that serves: what both find is compared, and no frame is waited for."""

import threading
from collections import deque
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.detection import Detections
from edged.errors import BadInput, InferenceFailed, WorkerLost
from edged.fit import Fit
from edged.frame import Frame, PixelLayout
from edged.manifest import InputRecipe
from edged.pipeline import Result
from edged.shadow import MIN_AGREEMENT, MIN_OBJECTS, Agreement, Shadow, matches
from edged.worker.answer import Answer
from edged.worker.looking import Seen

LABELS = ("cat", "dog")
LONG_S = 10.0


def found(*objects: tuple[int, float, tuple[float, float, float, float]]) -> Detections:
    """Of class, score and box each."""
    return Detections(
        np.array([box for _, _, box in objects], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in objects], np.float32),
        np.array([class_id for class_id, _, _ in objects], np.int32),
    )


def frame(sequence: int = 0) -> Frame:
    return Frame("front", sequence, 0.0, 0.0, 4, 4, PixelLayout.BGR, (np.zeros((4, 4, 3), np.uint8),))


def result(detections: Detections | None = None, *, ms: float = 1.0, sequence: int = 0) -> Result:
    detections = Detections.empty() if detections is None else detections
    return Result(
        frame(sequence), cast(Any, SimpleNamespace(labels=LABELS)), 1, detections, 0.0, 0.0, ms, 0.0
    )


def seen(detections: Detections | None = None, *, ms: float = 1.0) -> Seen:
    return Seen(frame(), Detections.empty() if detections is None else detections, 0.0, ms, 0.0)


# Which objects are the same


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        ([], [], []),
        ([], [(0, 0.9, (0, 0, 10, 10))], []),
        ([(0, 0.9, (0, 0, 10, 10))], [], []),
        ([(0, 0.9, (0, 0, 10, 10))], [(0, 0.3, (0, 0, 10, 10))], [(0, 0)]),
        ([(0, 0.9, (0, 0, 10, 10))], [(1, 0.9, (0, 0, 10, 10))], []),
        ([(0, 0.9, (0, 0, 10, 10))], [(0, 0.9, (0, 0, 10, 5))], [(0, 0)]),
        ([(0, 0.9, (0, 0, 10, 10))], [(0, 0.9, (0, 0, 10, 4.9))], []),
        ([(0, 0.9, (0, 0, 10, 10))], [(0, 0.9, (20, 20, 30, 30))], []),
        ([(0, 0.9, (0, 0, 10, 10))], [(0, 0.9, (-10, -10, 0, 0))], []),
        ([(0, 0.9, (5, 5, 5, 5))], [(0, 0.9, (5, 5, 5, 5))], []),
        (
            [(0, 0.9, (0, 0, 10, 10))],
            [(0, 0.9, (0, 0, 10, 6)), (1, 0.8, (0, 0, 10, 10)), (0, 0.7, (0, 0, 10, 9))],
            [(0, 2)],
        ),
        (
            [(0, 0.9, (0, 0, 10, 10)), (0, 0.8, (0, 0, 10, 10))],
            [(0, 0.9, (0, 0, 10, 10))],
            [(0, 0)],
        ),
        (
            [(0, 0.9, (0, 0, 10, 8)), (0, 0.8, (0, 0, 10, 10))],
            [(0, 0.9, (0, 0, 10, 9)), (0, 0.8, (0, 0, 10, 6))],
            [(0, 0), (1, 1)],
        ),
    ],
    ids=[
        "nothing",
        "nothing on one side",
        "nothing on the other",
        "the same place",
        "another label",
        "half of it",
        "less than half of it",
        "elsewhere",
        "only a corner",
        "no area",
        "the best of several",
        "one for two",
        "the best chooses first",
    ],
)
def test_objects_of_one_label_in_one_place_are_the_same(a, b, pairs):
    assert matches(found(*a), LABELS, found(*b), LABELS) == pairs


def test_labels_count_and_not_their_numbers():
    a, b = found((0, 0.9, (0, 0, 10, 10))), found((1, 0.9, (0, 0, 10, 10)))
    assert matches(a, ("cat",), b, ("dog", "cat")) == [(0, 0)]
    assert matches(a, ("cat",), a, ("dog", "cat")) == []


def test_a_class_without_a_name_is_called_by_its_number():
    a, b = found((7, 0.9, (0, 0, 10, 10))), found((0, 0.9, (0, 0, 10, 10)))
    assert matches(a, LABELS, a, ()) == [(0, 0)]
    assert matches(a, LABELS, b, ("7",)) == [(0, 0)]


EDGES = st.integers(0, 20)
BOXES = st.tuples(EDGES, EDGES, st.integers(1, 20), st.integers(1, 20)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
MANY = st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1, width=32), BOXES), max_size=8)


@given(a=MANY, b=MANY)
def test_each_object_is_in_one_pair_at_most_and_pairs_have_one_label(a, b):
    pairs = matches(found(*a), LABELS, found(*b), LABELS)
    for side, objects in ((0, a), (1, b)):
        positions = [pair[side] for pair in pairs]
        assert len(set(positions)) == len(positions)
        assert all(0 <= position < len(objects) for position in positions)
    assert all(a[i][0] == b[j][0] for i, j in pairs)


@given(objects=MANY)
def test_a_list_agrees_with_itself_wholly(objects):
    both = found(*objects)
    assert matches(both, LABELS, both, LABELS) == [(n, n) for n in range(len(objects))] or _has_twins(objects)
    assert len(matches(both, LABELS, both, LABELS)) == len(objects)


def _has_twins(objects):
    return len({(class_id, box) for class_id, _, box in objects}) < len(objects)


@given(objects=MANY, order=st.randoms())
def test_the_order_of_the_other_list_changes_no_count(objects, order):
    shuffled = list(objects)
    order.shuffle(shuffled)
    assert len(matches(found(*objects), LABELS, found(*shuffled), LABELS)) == len(objects)
    assert len(matches(found(*shuffled), LABELS, found(*objects), LABELS)) == len(objects)


@given(a=MANY, b=MANY)
def test_whatever_could_still_be_paired_is(a, b):
    pairs = matches(found(*a), LABELS, found(*b), LABELS)
    left_a = found(*(one for n, one in enumerate(a) if n not in {i for i, _ in pairs}))
    left_b = found(*(one for n, one in enumerate(b) if n not in {j for _, j in pairs}))
    assert matches(left_a, LABELS, left_b, LABELS) == []


# How far they agree


def box(n: int) -> tuple[float, float, float, float]:
    return (n * 20, 0, n * 20 + 10, 10)


def compared(served: int, other: int, matched: int, frames: int = 1) -> Agreement:
    """So many objects in each of so many frames."""
    agreement = Agreement()
    for _ in range(frames):
        one = found(*((0, 0.9, box(n)) for n in range(served)))
        two = found(*((0, 0.9, box(n if n < matched else 100 + n)) for n in range(other)))
        agreement.take(result(one), seen(two), LABELS)
    return agreement


def test_before_a_frame_was_seen_nothing_is_said_against_it():
    agreement = Agreement()
    assert agreement.share == 1.0
    assert agreement.objection == ""
    assert str(agreement) == "no live frame was seen by both"


def test_what_both_found_is_counted_over_all_frames():
    agreement = Agreement()
    one = found((0, 0.9, box(0)), (1, 0.75, box(1)), (0, 0.5, box(2)))
    two = found((1, 0.5, box(1)), (0, 0.65, box(0)))
    agreement.take(result(one, ms=10), seen(two, ms=4), LABELS)
    agreement.take(result(ms=20), seen(ms=6), LABELS)
    agreement.take(result(ms=90), seen(found((0, 0.5, box(7))), ms=99), LABELS)
    assert (agreement.frames, agreement.served, agreement.other, agreement.matched) == (3, 3, 3, 2)
    assert agreement.share == 0.5
    assert str(agreement) == (
        "3 live frames: 2 of 4 objects found by both, scores differ by 0.250, 6.0 ms instead of 20.0"
    )


def test_two_versions_that_find_nothing_agree_wholly():
    agreement = compared(0, 0, 0, frames=100)
    assert agreement.share == 1.0
    assert agreement.objection == ""
    assert "0 of 0 objects found by both, scores differ by 0.000" in str(agreement)


def test_one_that_finds_nothing_is_objected_to_once_there_was_enough_to_find():
    assert compared(1, 0, 0, frames=MIN_OBJECTS - 1).objection == ""
    assert compared(1, 0, 0, frames=MIN_OBJECTS).objection == (
        f"found none of {MIN_OBJECTS} objects that the serving version found in {MIN_OBJECTS} live frames"
    )


def test_one_that_finds_other_things_is_another_model():
    assert compared(10, 10, 1, frames=6).objection == (
        "agrees with the serving version on 6 of 114 objects in 6 live frames"
    )
    assert compared(10, 10, 1, frames=4).objection == "", "too little was found to say so"


def test_one_that_agrees_just_enough_is_not_objected_to():
    agreement = compared(10, 1, 1, frames=5)
    assert agreement.share == pytest.approx(MIN_AGREEMENT)
    assert agreement.objection == ""


def test_one_that_finds_things_where_the_serving_one_finds_nothing_is_not_objected_to():
    assert compared(0, 10, 0, frames=20).objection == ""


def test_one_without_an_answer_to_three_frames_is_objected_to_with_the_last_reason():
    agreement = compared(1, 1, 1)
    agreement.fail("NaN")
    agreement.fail("NaN")
    assert agreement.objection == ""
    agreement.fail("infinite")
    assert agreement.objection == "gave no answer to 3 of 4 live frames (infinite)"
    assert agreement.frames == 1


# The thread


class Description:
    input = picture = InputRecipe(4, 4, layout="NHWC", dtype="uint8", fit=Fit.STRETCH)
    labels = ("bird",)
    iou, max_detections = 0.45, 300


class FakeProcess:
    """Finds one object; fails as it is told to."""

    def __init__(self, worker: "FakeWorker") -> None:
        self.description = Description()
        self._worker = worker
        self._tensor = np.zeros(self.description.input.shape, np.uint8)

    def tensor(self, lane: int) -> np.ndarray:
        assert lane == 0, "others belong to callers"
        return self._tensor

    def answer(self, lane: int) -> Answer:
        assert lane == 0
        self._worker.begun.release()
        assert self._worker.gate.acquire(timeout=LONG_S)
        fault = self._worker.faults.popleft() if self._worker.faults else None
        if fault is not None:
            raise fault
        return Answer(found((0, 0.5, (0, 0, 2, 2))), 3.0, 0.0)


class FakeWorker:
    name, version = "toy", 2

    def __init__(self) -> None:
        self.faults: deque[Exception | None] = deque()
        self.gate = threading.Semaphore(1000)
        self.begun = threading.Semaphore(0)
        self.discarded = 0
        self.process: FakeProcess | None = FakeProcess(self)
        self.asked = threading.Semaphore(0)

    def current(self, _timeout_s: float) -> FakeProcess | None:
        process = self.process
        self.asked.release()
        return process

    def discard(self, process: FakeProcess) -> None:
        assert process is self.process
        self.discarded += 1
        self.process = FakeProcess(self)


class Watched:
    """A shadow that is running, and what it saw as it comes."""

    def __init__(self, worker: FakeWorker, share: float = 1.0) -> None:
        self.heard: list[tuple[int, Any, Any]] = []
        self._news = threading.Condition()
        self.shadow = Shadow(cast(Any, worker), share=share, on_seen=self._hear)

    def _hear(self, served: Result, what: Any, labels: Any) -> None:
        with self._news:
            self.heard.append((served.frame.sequence, what, labels))
            self._news.notify_all()

    def wait_for(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, LONG_S), self.heard

    @property
    def sequences(self) -> list[int]:
        return [sequence for sequence, _, _ in self.heard]


@pytest.fixture
def worker():
    return FakeWorker()


@pytest.fixture
def watched(worker):
    watched = Watched(worker)
    watched.shadow.start()
    yield watched
    worker.gate.release(1000)
    assert watched.shadow.stop(LONG_S)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("shadow-")]


def test_it_tells_what_the_other_version_saw_in_the_same_frame(watched):
    watched.shadow.offer(result(sequence=5))
    watched.wait_for(1)
    sequence, what, labels = watched.heard[0]
    assert (sequence, labels) == (5, ("bird",))
    assert what.frame.sequence == 5
    assert what.detections.xyxy.tolist() == [[0, 0, 2, 2]]
    assert what.inference_ms == 3.0


def test_while_it_is_busy_one_frame_waits_and_the_others_are_skipped_without_a_delay(watched, worker):
    worker.gate = threading.Semaphore(0)
    watched.shadow.offer(result(sequence=0))
    assert worker.begun.acquire(timeout=LONG_S)
    for sequence in range(1, 100):
        watched.shadow.offer(result(sequence=sequence))
    assert watched.heard == []
    worker.gate.release(1000)
    watched.wait_for(2)
    watched.shadow.offer(result(sequence=100))
    watched.wait_for(3)
    assert watched.sequences == [0, 1, 100]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.25, 0.4, 0.5, 0.6, 0.9, 0.99, 1.0])
def test_it_sees_the_share_of_frames_that_was_asked_for(worker, share):
    watched = Watched(worker, share)
    taken = 0
    for sequence in range(1000):  # not started, so a frame stays until it is taken away here
        watched.shadow.offer(result(sequence=sequence))
        taken += watched.shadow._waiting is not None
        watched.shadow._waiting = None
    assert abs(taken - 1000 * share) <= 1


def test_what_it_missed_while_it_was_busy_is_not_made_up_for(worker):
    watched = Watched(worker, 0.25)
    for sequence in range(1000):
        watched.shadow.offer(result(sequence=sequence))
    taken = []
    for sequence in range(1000, 1008):
        watched.shadow._waiting = None
        watched.shadow.offer(result(sequence=sequence))
        if watched.shadow._waiting:
            taken.append(sequence)
    assert len(taken) <= 3


def test_a_frame_without_an_answer_is_told_as_such_and_the_process_lives_on(watched, worker):
    worker.faults.append(InferenceFailed("model toy", "output has NaN"))
    for n in range(2):
        watched.shadow.offer(result(sequence=n))
        watched.wait_for(n + 1)
    assert watched.heard[0] == (0, "output has NaN", ("bird",))
    assert isinstance(watched.heard[1][1], Seen)
    assert worker.discarded == 0


def test_a_process_that_died_is_discarded_and_its_successor_sees_the_next_frame(watched, worker):
    first = worker.process
    worker.faults.append(WorkerLost("model toy", "its process 7 died (SIGSEGV)"))
    for n in range(2):
        watched.shadow.offer(result(sequence=n))
        watched.wait_for(n + 1)
    assert watched.heard[0][1] == "its process 7 died (SIGSEGV)"
    assert isinstance(watched.heard[1][1], Seen)
    assert worker.discarded == 1
    assert worker.process is not first


def test_a_frame_that_cannot_be_prepared_costs_no_process(watched, worker):
    worker.faults.append(BadInput("front", "frame 0 cannot be resized"))
    watched.shadow.offer(result())
    watched.wait_for(1)
    assert watched.heard[0][1] == "frame 0 cannot be resized"
    assert worker.discarded == 0


def test_a_successor_that_takes_another_size_is_given_tensors_of_that_size(watched, worker):
    class Larger(Description):
        input = picture = InputRecipe(8, 8, layout="NHWC", dtype="uint8", fit=Fit.STRETCH)

    watched.shadow.offer(result(sequence=0))
    watched.wait_for(1)
    larger = FakeProcess(worker)
    larger.description, larger._tensor = Larger(), np.zeros(Larger.input.shape, np.uint8)
    worker.process = larger
    watched.shadow.offer(result(sequence=1))
    watched.wait_for(2)
    assert isinstance(watched.heard[1][1], Seen)
    assert watched.heard[1][1].detections.xyxy.tolist() == [[0, 0, 1, 1]], "half of the larger one"


def test_a_bug_on_one_frame_does_not_end_it(watched, worker):
    worker.faults.append(RuntimeError("a bug"))
    watched.shadow.offer(result(sequence=0))
    assert worker.begun.acquire(timeout=LONG_S)
    watched.shadow.offer(result(sequence=1))
    watched.wait_for(1)
    assert watched.sequences == [1], "the first is a line in the log"
    assert worker.discarded == 0


def test_without_a_process_a_frame_is_let_go_and_a_later_one_is_seen(watched, worker):
    process, worker.process = worker.process, None
    watched.shadow.offer(result(sequence=0))
    assert worker.asked.acquire(timeout=LONG_S)
    worker.process = process
    watched.shadow.offer(result(sequence=1))
    watched.wait_for(1)
    assert watched.sequences == [1]


def test_stopping_waits_for_the_frame_in_work_and_takes_no_other(watched, worker):
    worker.gate = threading.Semaphore(0)
    watched.shadow.offer(result(sequence=0))
    assert worker.begun.acquire(timeout=LONG_S)
    watched.shadow.offer(result(sequence=1))
    assert not watched.shadow.stop(0.01), "the model holds the frame"
    watched.shadow.offer(result(sequence=2))
    worker.gate.release(1000)
    assert watched.shadow.stop(LONG_S)
    assert watched.sequences == [0]


def test_one_that_never_began_can_be_stopped_and_takes_nothing(worker):
    shadow = Watched(worker).shadow
    assert shadow.stop()
    shadow.offer(result())
    assert shadow._waiting is None
