"""Who serves, who stays at hand to come back, who is ended, and how it is found out whether it does well there."""

import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from structlog.testing import capture_logs

from edged.detection import Detections
from edged.fit import Fit
from edged.frame import Frame, PixelLayout
from edged.lifecycle import seat as module
from edged.lifecycle.ledger import Version
from edged.lifecycle.seat import SHADOW_FRAMES, SHADOW_S, Seat
from edged.manifest import InputRecipe
from edged.modelstore.survey import Standing
from edged.pipeline import Feed, Result
from edged.probation import Probation
from edged.sections import ModelSettings
from edged.shadow import MIN_OBJECTS
from edged.worker.answer import Answer

LONG_S = 10.0
GIB = 1024**3


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


class FakeProcess:
    """Finds as many objects as its worker is told to."""

    pid, timeout_s = 77, 1.0

    def __init__(self, worker: "FakeWorker") -> None:
        self.description = worker.description
        self._worker = worker
        self._tensors = [np.zeros(self.description.input.shape, np.uint8) for _ in range(4)]

    def tensor(self, lane: int) -> np.ndarray:
        return self._tensors[lane]

    def tensors(self, lane: int) -> tuple[np.ndarray, ...]:
        return (self._tensors[lane],)

    def answer(self, lane: int) -> Answer:
        return self.answers(lane, 1)[0]

    def answers(self, _lane: int, count: int) -> list[Answer]:
        assert count == 1
        self._worker.begun.release()
        assert self._worker.gate.acquire(timeout=LONG_S)
        return [Answer(some(self._worker.finds), 1.0, 0.0)]


class FakeWorker:
    """A version with its process; ``ended`` is set once it was told to stop."""

    name = "m"

    def __init__(self, version: int, *, labels: tuple[str, ...] = ("cat",), finds: int = 1) -> None:
        self.version, self.finds, self.failing = version, finds, 0
        recipe = InputRecipe(4, 4, layout="NHWC", dtype="uint8", fit=Fit.STRETCH)
        self.description: Any = SimpleNamespace(
            input=recipe, picture=recipe, labels=labels, latency_ms=7.0, batch=1, iou=0.45, max_detections=300
        )
        self.request = SimpleNamespace(path=f"m/{version}")
        self.process: FakeProcess | None = FakeProcess(self)
        self.gate, self.begun = threading.Semaphore(100_000), threading.Semaphore(0)
        self.ended = threading.Event()
        self.moved: list[tuple[Path, Path]] = []

    def current(self, _timeout_s: float) -> FakeProcess | None:
        return None if self.ended.is_set() else self.process

    def discard(self, _process: FakeProcess) -> None:
        raise AssertionError("nothing was lost")

    def relocate(self, before: Path, now: Path) -> None:
        self.moved.append((before, now))

    def stop(self) -> None:
        self.ended.set()


class Resumed(FakeWorker):
    """In the place of the worker that a seat makes itself."""

    made: "list[Resumed]"

    def __init__(self, name: str, request: Any, *, version: int, on_lost: Any, **rest: Any) -> None:
        super().__init__(version)
        assert name == "m"
        self.request, self.on_lost, self.rest = request, on_lost, rest
        self.started = False
        Resumed.made.append(self)

    def start(self) -> None:
        self.started = True


def some(count: int) -> Detections:
    boxes = np.tile(np.array([0, 0, 2, 2], np.float32), (count, 1))
    return Detections(boxes, np.full(count, 0.5, np.float32), np.zeros(count, np.int32))


def frame(sequence: int = 0, source: str = "front") -> Frame:
    return Frame(source, sequence, 0.0, 0.0, 4, 4, PixelLayout.BGR, (np.zeros((4, 4, 3), np.uint8),))


def version(number: int) -> Version:
    standing = Standing(number, Path(f"m/{number}"), (("model.onnx", number, 0, 0, 0),))
    return Version(standing, f"sha256:{number:064x}", f"sha256:{number}")


class Box:
    """A seat with a clock of its own, memory as it is told, and fake workers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.available, self.memory, self.used = 8 * GIB, 16 * GIB, 1 * GIB
        self.woken = threading.Event()
        self.workers: list[FakeWorker] = []
        self.seats: list[Seat] = []
        Resumed.made = []
        monkeypatch.setattr(module, "time", self.clock)
        monkeypatch.setattr(module, "Worker", Resumed)
        monkeypatch.setattr(module, "available_bytes", lambda: self.available)
        monkeypatch.setattr(module, "memory_bytes", lambda: self.memory)
        monkeypatch.setattr(module, "usage", lambda _: SimpleNamespace(memory_bytes=self.used))

    def seat(self, *, once: bool = False, **settings: Any) -> Seat:
        section = ModelSettings.model_validate(settings)
        seat = Seat("m", section, callers=1, wake=self.woken.set, once=once)
        self.seats.append(seat)
        return seat

    def worker(self, number: int, **what: Any) -> FakeWorker:
        self.workers.append(FakeWorker(number, **what))
        return self.workers[-1]

    def take(self, seat: Seat, number: int, **what: Any) -> FakeWorker:
        worker = self.worker(number, **what)
        seat.take(version(number), cast(Any, worker))
        return worker

    def result(self, worker: FakeWorker, found: int = 1, *, ms: float = 1.0, source: str = "front") -> Result:
        model = cast(Any, worker.description)
        return Result(frame(source=source), model, worker.version, some(found), 0.0, 0.0, ms, 0.0)

    def frames(self, seat: Seat, worker: FakeWorker, count: int, found: int = 1, *, ms: float = 1.0) -> None:
        """So many are answered, twenty a second."""
        for _ in range(count):
            self.clock.now_s += 0.05
            seat.looked(cast(Any, worker), self.result(worker, found, ms=ms))

    def judge(self, seat: Seat) -> str:
        verdict = seat.judge(self.clock.now_s)
        return verdict.state if verdict else "none"

    def close(self) -> None:
        for worker in self.workers + Resumed.made:
            worker.gate.release(100_000)
        for seat in self.seats:
            seat.end_shadow()
            assert seat.pipeline is None or seat.pipeline.stop(LONG_S)
            for thread in seat.ending:
                thread.join(LONG_S)
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith(("caller-", "shadow-", "end-"))]


@pytest.fixture
def box(monkeypatch):
    box = Box(monkeypatch)
    yield box
    box.close()


@pytest.fixture
def seat(box):
    return box.seat()


def fail(seat: Seat, worker: FakeWorker, count: int = 5) -> None:
    for _ in range(count):
        seat.failed(cast(Any, worker), "front", "output has NaN")


def active(seat: Seat) -> int:
    assert seat.active is not None
    assert seat.pipeline is not None
    assert seat.pipeline.worker is seat.active.worker, "what is told to serve serves"
    assert seat.active.worker.version == seat.active.version.number
    return seat.active.version.number


def parked(seat: Seat) -> int | None:
    return seat.parked.version.number if seat.parked else None


def previous(seat: Seat) -> int | None:
    return seat.previous.number if seat.previous else None


def ended(worker: FakeWorker) -> bool:
    return worker.ended.wait(LONG_S)


# Who sits


def test_at_first_nobody_sits(seat, box):
    assert seat.pipeline is None
    assert seat.workers == []
    assert not any([seat.is_up, seat.is_down, seat.on_probation, seat.must_stop_first(), seat.interrupted])
    assert (seat.usual_ms, seat.probation, box.judge(seat)) == (None, "", "none")
    assert not seat.go_back(failed=True)
    seat.settle()
    seat.interrupt()
    seat.resume()
    assert Resumed.made == []


def test_the_first_version_serves_for_good_at_once(seat, box):
    one = box.take(seat, 1)
    assert (active(seat), parked(seat), previous(seat)) == (1, None, None)
    assert (seat.workers, seat.is_up) == ([one], True)
    assert not seat.on_probation
    fail(seat, one)
    assert box.judge(seat) == "none"


def test_a_second_version_serves_on_probation_and_the_first_stays_at_hand(seat, box):
    one, two = box.take(seat, 1), box.take(seat, 2)
    assert (active(seat), parked(seat), previous(seat)) == (2, 1, 1)
    assert seat.workers == [two, one]
    assert seat.on_probation
    assert seat.probation.startswith("probation: 0 of 200 inferences, 0 of 120 s")
    assert not one.ended.is_set()


def test_the_next_frame_is_answered_by_the_new_version_and_none_is_lost(seat, box):
    one = box.take(seat, 1)
    versions: list[int] = []
    feed = Feed("front", lambda result: versions.append(result.version) is None, lossless=True)
    assert seat.pipeline is not None
    seat.pipeline.attach(feed)
    one.gate = threading.Semaphore(0)
    seat.pipeline.offer(feed, frame(0))
    assert one.begun.acquire(timeout=LONG_S)
    box.take(seat, 2)
    seat.pipeline.offer(feed, frame(1))
    one.gate.release(100)
    assert seat.pipeline.wait_idle(LONG_S)
    assert versions == [1, 2]
    assert feed.counts == Counter(published=2)


def test_a_version_with_a_frame_in_work_is_ended_only_after_it(seat, box):
    one = box.take(seat, 1)
    feed = Feed("front", lambda _: True, lossless=True)
    assert seat.pipeline is not None
    seat.pipeline.attach(feed)
    one.gate = threading.Semaphore(0)
    seat.pipeline.offer(feed, frame(0))
    assert one.begun.acquire(timeout=LONG_S)
    box.take(seat, 2)
    seat.settle()
    assert [thread.name for thread in seat.ending] == ["end-m-1"]
    assert not one.ended.wait(0.05), "the frame would be lost"
    one.gate.release(100)
    assert ended(one)
    assert seat.pipeline.wait_idle(LONG_S)
    assert feed.counts == Counter(published=1)


def test_a_third_version_ends_the_unproven_second_and_the_first_stays_at_hand(seat, box):
    one, two, three = box.take(seat, 1), box.take(seat, 2), box.take(seat, 3)
    assert (active(seat), parked(seat), previous(seat)) == (3, 1, 1)
    assert ended(two)
    assert not one.ended.is_set()
    assert seat.workers == [three, one]


def test_a_third_version_after_a_proven_second_has_that_one_at_hand(seat, box):
    one, two = box.take(seat, 1), box.take(seat, 2)
    seat.settle()
    assert ended(one)
    box.take(seat, 3)
    assert (active(seat), parked(seat), previous(seat)) == (3, 2, 2)
    assert not two.ended.is_set()


def test_going_back_has_the_previous_version_serve_for_good_and_ends_the_other(seat, box):
    one, two = box.take(seat, 1), box.take(seat, 2)
    assert seat.go_back(failed=True)
    assert (active(seat), parked(seat), previous(seat)) == (1, None, None)
    assert not seat.on_probation
    assert ended(two)
    assert seat.workers == [one]


def test_one_that_was_left_without_having_failed_can_be_gone_back_to(seat, box):
    box.take(seat, 1)
    box.take(seat, 2)
    assert seat.go_back(failed=False)
    assert (active(seat), previous(seat)) == (1, 2)


def test_without_one_at_hand_there_is_no_way_back_and_the_active_one_stays(seat, box):
    box.take(seat, 1)
    assert not seat.go_back(failed=True)
    assert active(seat) == 1


def test_one_at_hand_whose_process_is_gone_is_no_way_back_and_is_ended(seat, box):
    one, two = box.take(seat, 1), box.take(seat, 2)
    one.process = None
    assert not seat.go_back(failed=True)
    assert (active(seat), parked(seat)) == (2, None)
    assert not seat.on_probation
    assert ended(one)
    assert not two.ended.is_set()


def test_settling_ends_the_previous_version_but_remembers_it(seat, box):
    one, two = box.take(seat, 1), box.take(seat, 2)
    seat.settle()
    assert ended(one)
    assert (active(seat), parked(seat), previous(seat)) == (2, None, 1)
    assert not seat.on_probation
    assert seat.workers == [two]
    seat.settle()
    assert active(seat) == 2


@pytest.mark.parametrize(
    ("available", "memory", "stays"),
    [(1.6, 16, True), (1.5, 16, False), (0, 16, True), (0, 0, True)],
    ids=["a tenth is free", "less is free", "not told", "nothing told"],
)
def test_the_previous_version_stays_at_hand_where_there_is_memory_to_spare(
    seat, box, available, memory, stays
):
    one = box.take(seat, 1)
    box.available, box.memory = int(available * GIB) + 1 if available else 0, memory * GIB
    box.take(seat, 2)
    assert (parked(seat), previous(seat)) == (1 if stays else None, 1)
    assert seat.on_probation
    assert stays or ended(one)


def test_a_previous_version_without_a_process_is_not_kept_at_hand(seat, box):
    one = box.take(seat, 1)
    one.process = None
    box.take(seat, 2)
    assert (parked(seat), previous(seat)) == (None, 1)
    assert ended(one)


def test_where_one_is_to_be_stopped_before_the_next_none_stays_at_hand(box):
    seat = box.seat(swap="stop-first")
    one = box.take(seat, 1)
    box.take(seat, 2)
    assert (parked(seat), previous(seat)) == (None, 1)
    assert ended(one)


def test_where_nothing_is_replaced_nothing_is_on_probation(box):
    seat = box.seat(once=True)
    box.take(seat, 1)
    box.take(seat, 2)
    assert not seat.on_probation


@pytest.mark.parametrize(
    ("before", "after", "added", "gone"),
    [
        (("cat", "dog"), ("cat", "emu"), ["emu"], ["dog"]),
        (("cat", "dog"), ("dog", "cat"), [], []),
        (("cat",), tuple(map(str, range(99))), list(map(str, range(20))), ["cat"]),
    ],
    ids=["others", "another order", "many"],
)
def test_other_labels_are_a_line_in_the_log(seat, box, before, after, added, gone):
    box.take(seat, 1, labels=before)
    with capture_logs() as logs:
        box.take(seat, 2, labels=after)
    (line,) = logs
    assert (line["event"], line["version"], line["added"], line["gone"]) == ("labels changed", 2, added, gone)


def test_the_same_labels_are_no_news(seat, box):
    box.take(seat, 1)
    with capture_logs() as logs:
        box.take(seat, 2)
    assert logs == []


def test_files_that_stand_elsewhere_by_now_are_what_the_next_process_loads(seat, box):
    one, two = box.take(seat, 1), box.take(seat, 2)
    moved = {n: Standing(n, Path(f"kept/{n}"), (("model.onnx", n, 1, 1, 1),)) for n in (1, 2, 3)}
    moved[1] = Standing(1, Path("other/1"), version(1).standing.marks)  # not touched
    seat.touched(moved, lambda known, standing: Version(standing, known.digest, known.content))
    assert one.moved == []
    assert two.moved == [(Path("m/2"), Path("kept/2"))]
    assert seat.active.version.standing == moved[2]
    seat.touched(moved, lambda *_: pytest.fail("it is where it was"))


def test_files_that_are_another_version_by_now_are_not_loaded_for_this_one(seat, box):
    one = box.take(seat, 1)
    seat.touched({1: Standing(1, Path("x"), ())}, lambda *_: None)
    assert one.moved == []
    assert seat.active.version == version(1)


def test_it_is_down_when_starts_fail_again_and_again(seat, box):
    one = box.take(seat, 1)
    one.process, one.failing = None, 1
    assert (seat.is_up, seat.is_down) == (False, False)
    one.failing = 2
    assert seat.is_down
    seat.interrupt()
    assert not seat.is_down, "it was ended on purpose"


# Where memory does not allow two


@pytest.mark.parametrize(
    ("swap", "available", "first"),
    [
        ("auto", 1.19, True),
        ("auto", 1.21, False),
        ("auto", 0, False),
        ("overlap", 0.01, False),
        ("stop-first", 8, True),
    ],
)
def test_the_active_version_is_stopped_first_where_two_have_no_room(box, swap, available, first):
    seat = box.seat(swap=swap)
    assert not seat.must_stop_first(), "nothing serves that could be stopped"
    box.take(seat, 1)
    box.available = int(available * GIB)
    assert seat.must_stop_first() == first


def test_what_waits_at_hand_goes_before_what_serves_is_stopped(seat, box, monkeypatch):
    one, two = box.take(seat, 1), box.take(seat, 2)
    monkeypatch.setattr(module, "available_bytes", lambda: 3 * GIB if one.ended.is_set() else GIB)
    assert not seat.must_stop_first(), "there is room now"
    assert one.ended.is_set(), "its memory is needed at once"
    assert parked(seat) is None
    assert previous(seat) == 1
    assert not two.ended.is_set()


def test_what_has_no_process_needs_no_memory(seat, box):
    one = box.take(seat, 1)
    one.process, box.available = None, 1
    assert not seat.must_stop_first()


def test_while_it_is_interrupted_frames_wait_and_afterwards_the_next_version_answers_them(box):
    seat = box.seat(swap="stop-first")
    one = box.take(seat, 1)
    versions: list[int] = []
    feed = Feed("front", lambda result: versions.append(result.version) is None)
    seat.pipeline.attach(feed)
    seat.interrupt()
    assert (seat.interrupted, seat.is_up, one.ended.is_set()) == (True, False, True)
    assert seat.pipeline.worker is None
    seat.pipeline.offer(feed, frame(0))
    assert versions == []
    box.take(seat, 2)
    assert (active(seat), parked(seat), previous(seat), seat.interrupted) == (2, None, 1, False)
    assert seat.on_probation
    assert seat.pipeline.wait_idle(LONG_S)
    assert versions == [2]
    seat.resume()
    assert Resumed.made == [], "it serves already"


def test_a_frame_in_work_ends_before_the_interruption(box):
    seat = box.seat(swap="stop-first")
    one = box.take(seat, 1)
    feed = Feed("front", lambda _: True, lossless=True)
    seat.pipeline.attach(feed)
    one.gate = threading.Semaphore(0)
    seat.pipeline.offer(feed, frame(0))
    assert one.begun.acquire(timeout=LONG_S)
    interrupting = threading.Thread(target=seat.interrupt, daemon=True)
    interrupting.start()
    assert not one.ended.wait(0.05)
    one.gate.release(100)
    interrupting.join(LONG_S)
    assert one.ended.is_set()
    assert seat.pipeline.wait_idle(LONG_S)
    assert feed.counts == Counter(published=1)


def test_what_was_interrupted_is_started_again_with_what_it_loaded(box):
    seat = box.seat(swap="stop-first", timeout="3s")
    one = box.take(seat, 1)
    seat.interrupt()
    seat.resume()
    (again,) = Resumed.made
    assert again.started
    assert (again.request, again.version) == (one.request, 1)
    assert again.rest["known"], "a start that fails is tried again"
    assert again.rest["timeout_s"] == 3.0
    assert active(seat) == 1
    assert seat.active.worker is again
    assert not seat.interrupted
    again.rest["on_change"]()
    assert box.woken.is_set()
    seat.resume()
    assert len(Resumed.made) == 1


def test_what_is_tried_in_an_interruption_gets_no_shadow_run(box):
    seat = box.seat(swap="stop-first", shadow=1.0)
    box.take(seat, 1)
    seat.interrupt()
    assert not seat.shadow(cast(Any, box.worker(2)), box.clock.now_s)
    assert not seat.shadowing


def test_a_loss_of_what_was_started_again_counts_against_it(box):
    seat = box.seat(swap="stop-first")
    box.take(seat, 1)
    two = box.take(seat, 2)
    seat.interrupt()
    seat.resume()
    seat.hear_loss(cast(Any, two), "SIGSEGV")
    assert box.judge(seat) == "pending", "it was another process, ended on purpose"
    Resumed.made[0].on_lost("SIGSEGV")
    assert box.judge(seat) == "failed"


# How well it does


def test_a_version_that_does_well_passes_after_its_time_and_its_frames(seat, box):
    one = box.take(seat, 1)
    box.frames(seat, one, 100)
    two = box.take(seat, 2)
    box.frames(seat, two, 199)
    box.clock.now_s += 120
    assert box.judge(seat) == "pending"
    box.frames(seat, two, 1)
    assert box.judge(seat) == "passed"
    seat.settle()
    assert box.judge(seat) == "none"


def test_the_length_of_a_probation_is_as_configured(box):
    seat = box.seat(probation="10s")
    box.take(seat, 1)
    two = box.take(seat, 2)
    box.frames(seat, two, 199)
    assert "of 10 s" in seat.probation
    assert box.judge(seat) == "pending"
    box.frames(seat, two, 3)
    assert box.judge(seat) == "passed"


def test_a_version_that_gives_no_answers_fails_and_the_thread_is_woken(seat, box):
    box.take(seat, 1)
    two = box.take(seat, 2)
    assert not box.woken.is_set()
    fail(seat, two)
    assert box.woken.is_set()
    verdict = seat.judge(box.clock.now_s)
    assert verdict is not None
    assert verdict.state == "failed"
    assert "failed on 3 of 3 frames (output has NaN)" in verdict.evidence


def test_a_version_that_fails_no_more_than_the_one_before_stays(seat, box):
    one = box.take(seat, 1)
    for version_worker in (one, None):
        worker = version_worker or box.take(seat, 2)
        for n in range(200):
            box.frames(seat, worker, 1)
            if n % 4 == 0:
                fail(seat, worker, 1)
    box.clock.now_s += 120
    assert box.judge(seat) == "passed"


def test_a_version_that_is_slower_fails(seat, box):
    one = box.take(seat, 1)
    box.frames(seat, one, 100, ms=10.0)
    two = box.take(seat, 2)
    box.frames(seat, two, 500, ms=31.0)
    assert box.judge(seat) == "failed"


def test_a_limit_of_latency_takes_the_place_of_the_comparison(box):
    seat = box.seat(max_latency="50ms")
    box.frames(seat, box.take(seat, 1), 100, ms=10.0)
    box.frames(seat, box.take(seat, 2), 500, ms=49.0)
    assert box.judge(seat) == "pending"
    box.frames(seat, box.take(seat, 3), 500, ms=51.0)
    assert box.judge(seat) == "failed"


def test_a_version_is_compared_with_the_last_one_that_was_proven(seat, box):
    """Else each of many versions could be a little slower than the one before."""
    one = box.take(seat, 1)
    box.frames(seat, one, 100, ms=10.0)
    two = box.take(seat, 2)
    box.frames(seat, two, 100, ms=29.0)
    assert box.judge(seat) == "pending"
    three = box.take(seat, 3)
    box.frames(seat, three, 500, ms=60.0)
    assert box.judge(seat) == "failed", "three times of 10 ms is the limit, not of 29"


def test_what_a_version_did_on_probation_is_the_yardstick_once_it_has_passed(seat, box):
    one = box.take(seat, 1)
    box.frames(seat, one, 100, ms=10.0)
    two = box.take(seat, 2)
    box.frames(seat, two, 100, ms=25.0)
    seat.settle()
    three = box.take(seat, 3)
    box.frames(seat, three, 2500, ms=60.0)
    assert box.judge(seat) == "passed"


def test_frames_of_the_version_before_do_not_count_for_the_one_on_probation(seat, box):
    one = box.take(seat, 1)
    two = box.take(seat, 2)
    fail(seat, one)
    box.frames(seat, one, 300)
    box.clock.now_s += 120
    assert box.judge(seat) == "pending"
    assert seat.probation.startswith("probation: 0 of 200 inferences")
    seat.go_back(failed=True)
    fail(seat, two)
    assert seat.active.record.failures == 0


def test_a_process_that_ends_by_itself_fails_its_version(seat, box):
    box.take(seat, 1)
    two = box.take(seat, 2)
    seat.hear_loss(cast(Any, two), "SIGSEGV")
    assert box.woken.is_set()
    verdict = seat.judge(box.clock.now_s)
    assert verdict is not None
    assert verdict.evidence == "its process died 0 s after the swap (SIGSEGV)"


def test_the_death_of_another_process_says_nothing_about_the_version_on_probation(seat, box):
    one = box.take(seat, 1)
    seat.hear_loss(cast(Any, one), "SIGSEGV")
    two = box.take(seat, 2)
    seat.hear_loss(cast(Any, one), "SIGSEGV")
    seat.hear_loss(cast(Any, box.worker(3)), "SIGSEGV")
    assert box.judge(seat) == "pending"
    seat.settle()
    seat.hear_loss(cast(Any, two), "SIGSEGV")
    assert box.judge(seat) == "none"


def test_the_usual_time_is_that_of_live_frames_and_before_there_are_enough_that_of_the_warm_up(seat, box):
    one = box.take(seat, 1)
    assert seat.usual_ms == 7.0
    box.frames(seat, one, 19, ms=3.0)
    assert seat.usual_ms == 7.0
    box.frames(seat, one, 1, ms=3.0)
    assert seat.usual_ms == 3.0
    two = box.take(seat, 2)
    assert seat.usual_ms == 3.0, "what is known of the one before it"
    box.frames(seat, two, 30, ms=5.0)
    assert seat.usual_ms == 5.0
    seat.settle()
    assert seat.usual_ms == 5.0
    seat.active.record = type(seat.active.record)()
    seat.active.worker.description = None
    assert seat.usual_ms is None


# A second opinion


def silent(seat: Seat, box: Box, *, before_finds: int = 1) -> tuple[FakeWorker, FakeWorker]:
    """The version before found something in every frame; the one on probation has found nothing for seconds."""
    one = box.take(seat, 1, finds=before_finds)
    box.frames(seat, one, 100)
    two = box.take(seat, 2, finds=0)
    box.frames(seat, two, 120, found=0)
    return one, two


def heard(box: Box, seat: Seat, worker: FakeWorker, count: int) -> None:
    """So many frames in which nothing was found, each waited for until the other version has answered."""
    for _ in range(count):
        box.woken.clear()
        box.frames(seat, worker, 1, found=0)
        assert box.woken.wait(LONG_S)


def test_a_silent_version_fails_when_the_previous_one_finds_something_in_the_same_frames(seat, box):
    _, two = silent(seat, box)
    assert not seat.shadowing
    assert box.judge(seat) == "pending"
    assert seat.shadowing
    heard(box, seat, two, 5)
    verdict = seat.judge(box.clock.now_s)
    assert verdict is not None
    assert verdict.state == "failed"
    assert "found something in 5 of the 5 that it was shown" in verdict.evidence
    assert not seat.shadowing, "nobody is asked any more"
    assert seat.go_back(failed=True)
    assert active(seat) == 1


def test_a_silent_version_stays_when_the_previous_one_finds_nothing_there_either(seat, box):
    _, two = silent(seat, box, before_finds=0)
    box.judge(seat)
    heard(box, seat, two, 5)
    assert box.judge(seat) == "pending"
    assert not seat.shadowing, "the scene is empty"


def test_frames_in_which_it_found_something_need_no_opinion(seat, box):
    one, two = silent(seat, box)
    box.judge(seat)
    box.frames(seat, two, 1, found=1)
    assert not one.begun.acquire(timeout=0.05)
    box.judge(seat)
    assert not seat.shadowing, "it is silent no more"


def test_frames_of_other_cameras_need_no_opinion(seat, box):
    one, two = silent(seat, box)
    box.judge(seat)
    seat.looked(cast(Any, two), box.result(two, 0, source="back"))
    assert not one.begun.acquire(timeout=0.05)
    heard(box, seat, two, 1)
    assert one.begun.acquire(timeout=LONG_S)


def test_without_one_to_ask_a_version_that_stays_silent_fails_later(box):
    seat = box.seat(swap="overlap")
    one = box.take(seat, 1)
    box.frames(seat, one, 100)
    one.process = None
    two = box.take(seat, 2)
    assert parked(seat) is None
    box.frames(seat, two, 120, found=0)
    assert box.judge(seat) == "pending"
    assert not seat.shadowing
    box.frames(seat, two, 300, found=0)
    assert box.judge(seat) == "failed"


@pytest.mark.parametrize("leave", [Seat.settle, lambda seat: seat.go_back(failed=False)])
def test_who_is_asked_is_left_alone_before_it_is_ended_or_serves(seat, box, leave):
    silent(seat, box)
    box.judge(seat)
    assert seat.shadowing
    leave(seat)
    assert not seat.shadowing
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("shadow-")]


def test_room_for_the_next_version_is_not_made_under_one_that_is_asked(seat, box):
    one, _ = silent(seat, box)
    box.judge(seat)
    box.available = 1
    assert seat.must_stop_first()
    assert one.ended.is_set()
    assert not seat.shadowing


def test_a_candidate_beside_it_takes_the_place_of_who_is_asked(box):
    seat = box.seat(shadow=1.0)
    one, two = silent(seat, box)
    box.judge(seat)
    three = box.worker(3)
    assert seat.shadow(cast(Any, three), box.clock.now_s)
    box.judge(seat)
    box.woken.clear()
    box.frames(seat, two, 1, found=0)
    assert box.woken.wait(LONG_S)
    assert seat.agreement.frames == 1
    assert not one.begun.acquire(timeout=0.05)


# A candidate beside it


def test_without_a_share_there_is_no_shadow_run(seat, box):
    box.take(seat, 1)
    assert not seat.shadow(cast(Any, box.worker(2)), box.clock.now_s)
    assert not seat.shadowing


def test_before_anything_serves_there_is_no_shadow_run(box):
    seat = box.seat(shadow=1.0)
    assert not seat.shadow(cast(Any, box.worker(1)), box.clock.now_s)


def run_shadow(box: Box, seat: Seat, served: FakeWorker, candidate: FakeWorker, count: int) -> bool:
    """So many frames seen by both; whether the run goes on."""
    goes_on = seat.shadow(cast(Any, candidate), box.clock.now_s)
    for _ in range(count):
        box.woken.clear()
        box.frames(seat, served, 1, found=served.finds)
        assert box.woken.wait(LONG_S)
        goes_on = seat.shadow(cast(Any, candidate), box.clock.now_s)
    return goes_on


def test_a_candidate_sees_enough_live_frames_and_is_compared(box):
    seat = box.seat(shadow=1.0)
    one, two = box.take(seat, 1), box.worker(2)
    assert run_shadow(box, seat, one, two, SHADOW_FRAMES - 1)
    assert seat.shadowing
    assert not run_shadow(box, seat, one, two, 1)
    assert (seat.agreement.frames, seat.agreement.matched) == (SHADOW_FRAMES, SHADOW_FRAMES)
    assert seat.agreement.objection == ""
    assert active(seat) == 1, "it publishes nothing meanwhile"
    seat.end_shadow()
    assert not seat.shadowing
    assert seat.agreement.frames == SHADOW_FRAMES, "which is still told"
    seat.forget_agreement()
    assert seat.agreement.frames == 0


def test_a_candidate_that_finds_nothing_is_objected_to_as_soon_as_that_is_clear(box):
    seat = box.seat(shadow=1.0)
    one, two = box.take(seat, 1, finds=5), box.worker(2, finds=0)
    frames = MIN_OBJECTS // 5
    assert run_shadow(box, seat, one, two, frames - 1)
    assert not run_shadow(box, seat, one, two, 1)
    assert seat.agreement.objection.startswith(f"found none of {MIN_OBJECTS} objects")


def test_a_shadow_run_without_frames_ends_by_itself(box):
    seat = box.seat(shadow=1.0)
    box.take(seat, 1)
    two = cast(Any, box.worker(2))
    assert seat.shadow(two, box.clock.now_s)
    box.clock.now_s += SHADOW_S - 0.1
    assert seat.shadow(two, box.clock.now_s)
    box.clock.now_s += 0.1
    assert not seat.shadow(two, box.clock.now_s)
    assert seat.agreement.objection == ""


def test_another_candidate_begins_from_nothing(box):
    seat = box.seat(shadow=1.0)
    one, two, three = box.take(seat, 1), box.worker(2), box.worker(3)
    run_shadow(box, seat, one, two, 3)
    box.clock.now_s += SHADOW_S
    assert run_shadow(box, seat, one, three, 2)
    assert seat.agreement.frames == 2


def test_a_shadow_run_goes_on_when_the_active_version_passes_its_probation(box):
    seat = box.seat(shadow=1.0)
    box.take(seat, 1)
    two, three = box.take(seat, 2), box.worker(3)
    assert run_shadow(box, seat, two, three, 1)
    box.judge(seat)
    seat.settle()
    assert seat.shadowing
    assert run_shadow(box, seat, two, three, 1)
    assert seat.agreement.frames == 2


def test_frames_of_a_version_that_does_not_serve_any_more_are_not_compared(box):
    seat = box.seat(shadow=1.0)
    one, three = box.take(seat, 1), box.worker(3)
    box.take(seat, 2)
    seat.shadow(cast(Any, three), box.clock.now_s)
    box.frames(seat, one, 5)
    assert not three.begun.acquire(timeout=0.05)


def test_a_probation_without_one_to_ask_is_told_so(seat, box, monkeypatch):
    told: list[bool] = []
    verdict = Probation.verdict
    monkeypatch.setattr(
        Probation, "verdict", lambda self, now_s: told.append(self.alone) or verdict(self, now_s)
    )
    box.take(seat, 1)
    box.take(seat, 2)
    box.judge(seat)
    box.available = 1
    assert seat.must_stop_first()
    box.judge(seat)
    assert told == [False, True]
