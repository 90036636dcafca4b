"""Worker processes with real models: what they answer, and what becomes of them when they die, hang or grow."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy_models

from edged.errors import EdgedError, InferenceFailed, ModelRejected, WorkerLost
from edged.worker import client, keeper
from edged.worker.client import WorkerProcess
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.keeper import Worker

BRIGHT, DARK, BLACK = 1.0, 0.5, 0.0


def asked(path: Path, **changes: object) -> LoadRequest:
    return LoadRequest(path=str(path), **({"providers": ("cpu",)} | changes))  # type: ignore[arg-type]


def soon(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether a condition of another process comes true in time: looked at often, as nothing announces it."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


def state_of(pid: int) -> str:
    """R, S, T, Z …, or empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def children() -> list[str]:
    """States of the processes that this one started and has not reaped."""
    task = Path(f"/proc/{os.getpid()}/task")
    pids = [pid for thread in task.iterdir() for pid in (thread / "children").read_text().split()]
    return [state_of(int(pid)) for pid in pids]


def ask(process: WorkerProcess, light: float, lane: int = 0) -> int:
    """How many objects it finds in a picture of this brightness."""
    process.tensor(lane)[:] = light
    return len(process.answer(lane).detections)


def ask_until_lost(process: WorkerProcess) -> None:
    """A signal takes effect a moment after kill has returned."""
    while True:
        ask(process, BRIGHT)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers of toy models, ready; ends those that are left."""
    started: list[Worker] = []

    def start(make: Callable[..., Path] = toy_models.light_detector, **changes: object) -> Worker:
        timeout_s = changes.pop("timeout_s", None)
        worker = Worker("toy", asked(make(tmp_path / "toy.onnx"), **changes), timeout_s=timeout_s)  # type: ignore[arg-type]
        worker.start()
        started.append(worker)
        ready(worker)
        return worker

    yield start
    for worker in started:
        assert worker.stop()


def ready(worker: Worker, within_s: float = 70.0) -> ModelDescription:
    """Wait for the first process; raises why there is none."""
    assert worker.settled(within_s)
    if worker.error:
        raise worker.error
    assert worker.description
    return worker.description


def serving(worker: Worker, timeout_s: float = 3.0) -> WorkerProcess:
    process = worker.current(timeout_s)
    assert process is not None, "no process serves"
    return process


def test_a_worker_answers_what_the_model_sees(serve):
    process = serving(serve())
    assert ask(process, BRIGHT) == 1
    assert ask(process, DARK) == 0
    process.tensor(0)[:] = BRIGHT
    found = process.answer(0).detections
    assert found.xyxy.tolist() == [[8, 8, 24, 24]]
    assert found.score.tolist() == pytest.approx([0.9])
    assert found.class_id.tolist() == [0]


def test_two_lanes_at_once_each_get_their_own_answers(serve):
    process = serving(serve(callers=2))
    wrong: list[int] = []

    def call(lane: int, light: float, expected: int) -> None:
        wrong.extend(found for _ in range(200) if (found := ask(process, light, lane)) != expected)

    threads = [threading.Thread(target=call, args=arguments) for arguments in ((0, BRIGHT, 1), (1, DARK, 0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "SIGKILL"), (signal.SIGSTOP, "stopped by a signal")],
)
def test_a_signal_to_the_process_is_named_and_a_successor_serves_within_three_seconds(serve, number, cause):
    worker = serve(timeout_s=0.5)
    process = serving(worker)
    os.kill(process.pid, number)
    began = time.monotonic()
    with pytest.raises(WorkerLost, match=cause) as lost:
        ask_until_lost(process)
    worker.discard(process)
    successor = serving(worker, 3.0)
    assert ask(successor, BRIGHT) == 1
    assert time.monotonic() - began < 3.5  # of which 0.5 s are the deadline of an inference
    assert successor.pid != process.pid
    assert "\n" not in str(lost.value)
    assert f"{process.pid}" in str(lost.value)
    assert state_of(process.pid) == ""  # reaped: no zombie
    assert worker.restarts == 1


def test_a_model_that_hangs_on_one_picture_is_ended_at_the_deadline_and_the_next_one_serves(serve):
    worker = serve(toy_models.endless_detector, timeout_s=0.5)
    process = serving(worker)
    assert ask(process, BRIGHT) == 1
    began = time.monotonic()
    with pytest.raises(WorkerLost, match=r"no answer within 0\.5 s"):
        ask(process, BLACK)
    assert time.monotonic() - began < 1.5
    worker.discard(process)
    assert ask(serving(worker), BRIGHT) == 1
    assert state_of(process.pid) == ""


def test_who_was_too_slow_gets_longer_the_next_time_and_who_was_stopped_does_not(serve):
    worker = serve(toy_models.endless_detector)
    process = serving(worker)
    learned_s = process.timeout_s
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerLost, match="stopped by a signal"):
        ask_until_lost(process)
    worker.discard(process)
    process = serving(worker)
    assert process.timeout_s < 2 * learned_s
    with pytest.raises(WorkerLost, match="no answer within"):
        ask(process, BLACK)
    worker.discard(process)
    assert serving(worker).timeout_s == pytest.approx(2 * process.timeout_s)


def test_a_caller_in_another_lane_is_told_the_same_cause(serve):
    worker = serve(toy_models.endless_detector, callers=2, timeout_s=0.5)
    process = serving(worker)
    causes: list[str] = []

    def call(lane: int) -> None:
        with pytest.raises(WorkerLost) as lost:
            ask(process, BLACK, lane)
        causes.append(str(lost.value))

    threads = [threading.Thread(target=call, args=(lane,)) for lane in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(causes) == 2
    assert all("no answer within 0.5 s" in cause for cause in causes)


def test_ten_restarts_leak_no_descriptor_and_no_process(serve, monkeypatch):
    monkeypatch.setattr(keeper, "RESTART_DELAYS_S", (0.0,))
    worker = serve()
    assert ask(serving(worker), BRIGHT) == 1
    before = descriptors()
    for _ in range(10):
        process = serving(worker, 10)
        process.kill()
        worker.discard(process)
    del process  # whose mapping of the shared memory holds a descriptor
    assert ask(serving(worker, 10), BRIGHT) == 1
    assert soon(lambda: descriptors() <= before, 2), f"{before} descriptors became {descriptors()}"
    assert len(children()) == 1
    assert worker.restarts == 10


def test_the_memory_it_shares_has_no_name_that_could_stay_behind(serve):
    process = serving(serve())
    assert ask(process, BRIGHT) == 1
    for pid in (os.getpid(), process.pid):
        rings = [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "edged-ring" in line]
        assert rings
        assert all("/memfd:" in line for line in rings)


DAEMON = """
import sys
from edged.worker.client import WorkerProcess
from edged.worker.description import LoadRequest, ModelDescription

process = WorkerProcess("toy", LoadRequest(path=sys.argv[1], providers=("cpu",)))
process.load()
print(process.pid, flush=True)
process.tensor(0)[:] = 1
process.answer(0)
print("answered", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("stopped", [False, True], ids=["idle", "stopped"])
def test_a_daemon_that_is_killed_leaves_no_worker_behind(tmp_path, stopped):
    model = toy_models.toy_detector(tmp_path / "toy.onnx")
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        assert daemon.stdout.readline() == "answered\n"
        if stopped:
            os.kill(pid, signal.SIGSTOP)
            assert soon(lambda: state_of(pid) == "T", 2)
        watched = os.pidfd_open(pid)
        try:
            daemon.kill()
            ended, _, _ = select.select([watched], [], [], 2.0)
        finally:
            os.close(watched)
    assert ended, f"the worker outlives its daemon (state {state_of(pid)})"


def test_a_model_that_needs_more_memory_than_allowed_is_rejected(tmp_path):
    model = toy_models.hungry_detector(tmp_path / "hungry.onnx", mebibytes=1500)
    with pytest.raises(ModelRejected) as rejected:
        load(asked(model, max_memory_bytes=600 * 1024**2))
    assert str(model) in str(rejected.value)
    assert "\n" not in str(rejected.value)


def test_the_same_model_is_served_where_there_is_room(tmp_path):
    model = toy_models.hungry_detector(tmp_path / "hungry.onnx", mebibytes=20)
    assert load(asked(model, max_memory_bytes=600 * 1024**2)) == "yolov8"


def load(request: LoadRequest) -> str:
    process = WorkerProcess("toy", request)
    try:
        return process.load().family
    finally:
        process.close(0)


def test_a_model_that_never_finishes_loading_is_rejected_at_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "LOAD_TIMEOUT_S", 2.0)
    model = toy_models.slow_detector(tmp_path / "endless.onnx", rounds=2**60)
    began = time.monotonic()
    with pytest.raises(ModelRejected, match="did not load within 2 s"):
        load(asked(model))
    assert time.monotonic() - began < 4


def test_stopping_a_worker_that_is_still_loading_takes_no_longer_than_it_is_given(tmp_path):
    model = toy_models.slow_detector(tmp_path / "endless.onnx", rounds=2**60)
    worker = Worker("toy", asked(model))
    worker.start()
    assert soon(lambda: worker._starting is not None, 5)
    began = time.monotonic()
    assert worker.stop(1.0)
    assert time.monotonic() - began < 2
    assert children() == []


def test_a_worker_that_is_told_to_stop_before_its_process_is_known_leaves_none(tmp_path, monkeypatch):
    """The process is made outside the lock, so `stop` can come between its start and its being known."""
    model = toy_models.slow_detector(tmp_path / "endless.onnx", rounds=2**60)
    worker = Worker("toy", asked(model))
    made = threading.Event()

    class LateProcess(WorkerProcess):
        def __init__(self, name: str, request: LoadRequest) -> None:
            super().__init__(name, request)
            made.set()
            assert worker._stopping.wait(5)

    monkeypatch.setattr(keeper, "WorkerProcess", LateProcess)
    worker.start()
    assert made.wait(5)
    assert worker.stop(2.0)
    assert children() == []


def test_a_process_that_cannot_be_started_is_an_error_and_not_a_dead_thread(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    before = descriptors()
    monkeypatch.setattr(client.subprocess, "Popen", refuse)
    with (
        Worker("toy", asked(toy_models.toy_detector(tmp_path / "toy.onnx"))) as worker,
        pytest.raises(WorkerLost, match="Resource temporarily unavailable"),
    ):
        ready(worker, 5)
    assert descriptors() == before


def test_a_picture_whose_answer_is_not_a_number_fails_alone_and_the_process_lives_on(serve):
    process = serving(serve(lambda path: toy_models.nan_detector(path, always=False)))
    with pytest.raises(InferenceFailed, match="NaN"):
        ask(process, BLACK)
    assert ask(process, BRIGHT) == 1
    assert state_of(process.pid) in {"S", "R"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: toy_models.nan_detector(path, always=True), "NaN"),
        (toy_models.classifier, "is no detector"),
        (lambda path: path, "no such model"),
    ],
    ids=["NaN", "classifier", "missing"],
)
def test_a_model_that_cannot_be_served_is_an_error_that_says_why_and_leaves_no_process(tmp_path, make, said):
    with Worker("toy", asked(make(tmp_path / "model.onnx"))) as worker:
        with pytest.raises(EdgedError, match=said):
            ready(worker)
        assert worker.current(0) is None
    assert children() == []


def test_whoever_serves_is_told_of_each_change(tmp_path):
    changes = threading.Semaphore(0)
    model = toy_models.light_detector(tmp_path / "toy.onnx")
    with Worker("toy", asked(model), on_change=changes.release) as worker:
        ready(worker)
        assert changes.acquire(timeout=2)
        process = serving(worker)
        process.kill()
        worker.discard(process)
        assert changes.acquire(timeout=3)  # lost
        assert "SIGKILL" in worker.last_end
        assert changes.acquire(timeout=3)  # serves again
        assert worker.current(0) is not None


def test_only_the_labels_that_were_asked_for_come_back(tmp_path: Path) -> None:
    objects = [toy_models.CAT, (1, 0.8, 40, 40, 60, 60)]
    path = toy_models.toy_detector(tmp_path / "toy.onnx", objects=objects)
    for labels, found in (((), [0, 1]), ((toy_models.NAMES[1],), [1])):
        process = WorkerProcess("toy", asked(path, labels=labels))
        try:
            process.load()
            assert sorted(process.answer(0).detections.class_id.tolist()) == found
        finally:
            process.close()


def test_a_label_that_the_model_does_not_know_is_named_with_the_nearest_it_knows(tmp_path: Path) -> None:
    process = WorkerProcess("toy", asked(toy_models.toy_detector(tmp_path / "toy.onnx"), labels=("cot",)))
    try:
        with pytest.raises(ModelRejected, match=r"'cot'.*did you mean 'cat'"):
            process.load()
    finally:
        process.close()


def test_nothing_is_imported_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    process = WorkerProcess("toy", asked(toy_models.toy_detector(tmp_path / "toy.onnx")))
    try:
        assert process.load().family == "yolov8"
    finally:
        process.close()
