"""One version on trial: the step it is at, what is answered about it, and whether it is quick enough to serve."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edged.detection import Detections
from edged.errors import InferenceFailed, ModelRejected, WorkerLost
from edged.lifecycle import trial as module
from edged.lifecycle.ledger import Version
from edged.lifecycle.trial import TIMED, Trial, slower
from edged.manifest import InputRecipe, RowRecipe
from edged.modelstore.digests import sha256_of
from edged.modelstore.survey import stand
from edged.sections import ModelSettings
from edged.worker.answer import Answer
from edged.worker.description import LoadRequest
from edged.worker.gate import IN_WORKER, STEPS
from edged.worker.journal import Progress

KNOWN = {
    "opsets": {"ai.onnx": 17},
    "node_count": 9,
    "task": "detect",
    "family": "yolox",
    "input": {"width": 4, "height": 4},
    "provider_refused": [],
    "provider": "cpu",
    "threads": 1,
    "latency_ms": 2.0,
}


class FakeProcess:
    """Comes to the step it is told to, and then answers as slowly as it is told to."""

    def __init__(self, path: str = "", digest: str = "", answers: tuple[float | Exception, ...] = ()) -> None:
        self.progress = Progress()
        self.timeout_s = 9.0
        self.fails_at, self.problem = "", "outputs are not finite"
        self.at_step = lambda _: None
        self._path, self._digest, self._answers = path, digest, list(answers)
        self.asked = 0

    def load(self) -> Any:
        self.progress.take({"known": KNOWN})
        for step in IN_WORKER:
            self.progress.take({"begun": step})
            self.at_step(step)
            if step == self.fails_at:
                raise ModelRejected(self._path, self.problem, "")
            self.progress.take({"passed": step, "ms": 1.5})
        return SimpleNamespace(
            digest=self._digest, path=self._path, task="detect", labels=("cat",), input=None, picture=None
        )

    def answer(self, lane: int) -> Answer:
        assert lane == 0, "others belong to callers"
        self.asked += 1
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(Detections.empty(), answer, 0.0)


class FakeWorker:
    """Does in the test's thread what a worker does in its own, when `go` is called."""

    def __init__(self, name: str, request: LoadRequest, *, prove: Any, on_lost: Any, **rest: Any) -> None:
        self.name, self.request, self.rest = name, request, rest
        self.started = False
        self.error: Exception | None = None
        self.description: Any = None
        self.process: FakeProcess | None = None
        self.lose = on_lost
        self._prove = prove

    def start(self) -> None:
        self.started = True

    def settled(self, timeout_s: float) -> bool:
        assert timeout_s == 0, "the model's thread must not wait"
        return self.description is not None or self.error is not None

    def current(self, timeout_s: float) -> FakeProcess | None:
        assert timeout_s == 0
        return self.process

    def go(self, process: FakeProcess) -> None:
        try:
            self.description = self._prove(process)
            self.process = process
        except ModelRejected as error:
            self.error = error


@pytest.fixture
def version(tmp_path):
    folder = tmp_path / "m" / "3"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"xyz")
    standing = stand(folder, 3)
    assert standing is not None
    return Version(standing, f"sha256:{sha256_of(folder / 'model.onnx')}", "sha256:c")


@pytest.fixture
def begin(version, monkeypatch):
    monkeypatch.setattr(module, "Worker", FakeWorker)

    def begin(section: ModelSettings | None = None, **changes: Any) -> Trial:
        request = LoadRequest(str(version.standing.path))
        what = {"on_change": lambda: None, "on_lost": lambda *_: None} | changes
        return Trial("m", version, request, section or ModelSettings(), **what)

    return begin


@pytest.fixture
def process(version):
    return FakeProcess(str(version.standing.path / "model.onnx"), version.digest)


def worker_of(trial: Trial) -> FakeWorker:
    return cast(FakeWorker, trial.worker)


# The step


def test_it_begins_at_once_with_the_first_step(begin):
    trial = begin()
    assert worker_of(trial).started
    assert trial.step == "complete"
    assert not trial.settled
    assert trial.error is None


def test_the_step_follows_what_the_process_tells_until_the_swap_is_next(begin, process):
    trial, steps = begin(), []
    process.at_step = lambda _: steps.append(trial.step)
    worker_of(trial).go(process)
    assert steps == list(IN_WORKER)
    assert trial.step == "swap"
    assert trial.settled
    assert [(one.name, one.verdict) for one in trial.steps] == [
        (name, "none" if name == "golden" else "passed") for name in STEPS
    ]


@pytest.mark.parametrize("step", IN_WORKER)
def test_the_step_that_failed_stays(begin, process, step):
    trial = begin()
    process.fails_at = step
    worker_of(trial).go(process)
    assert trial.step == step
    assert trial.settled
    assert trial.error is not None
    assert trial.error.problem == "outputs are not finite"


def test_a_file_that_became_another_one_fails_at_its_digest_and_is_not_loaded(begin, process, version):
    trial = begin()
    (version.standing.path / "model.onnx").write_bytes(b"another")
    process.at_step = lambda _: pytest.fail("it was loaded")
    worker_of(trial).go(process)
    assert trial.step == "digest"
    assert "expected " + version.digest in str(trial.error)


def test_a_file_that_is_gone_fails_at_the_first_step(begin, process, version):
    trial = begin()
    (version.standing.path / "model.onnx").unlink()
    worker_of(trial).go(process)
    assert trial.step == "complete"


def test_what_fails_its_golden_picture_fails_there(begin, process, version):
    (version.standing.path / "model.toml").write_text(
        '[[golden]]\ninput = "a.jpg"\nexpect = [{ label = "emu", box = [0, 0, 1, 1] }]\n'
    )
    trial = begin()
    with pytest.MonkeyPatch.context() as replaced:
        replaced.setattr("edged.worker.gate.Look", lambda *_: None)
        worker_of(trial).go(process)
    assert trial.step == "golden"
    assert "'a.jpg' expects emu" in str(trial.error)


def test_a_step_is_told_once(begin, process):
    trial, told = begin(), []
    told += [trial.tell_step(), trial.tell_step()]
    process.at_step = lambda _: told.extend([trial.tell_step(), trial.tell_step()])
    worker_of(trial).go(process)
    assert told == [True, False] * 5
    assert [trial.tell_step("shadow"), trial.tell_step("shadow"), trial.tell_step()] == [True, False, True]


@pytest.mark.parametrize(("timeout", "expected"), [(None, 9.0), ("2s", 2.0)])
def test_a_timeout_of_the_configuration_takes_the_place_of_what_was_learned(
    begin, process, timeout, expected
):
    trial = begin(ModelSettings.model_validate({"timeout": timeout}))
    worker_of(trial).go(process)
    assert process.timeout_s == expected


def test_a_process_that_is_lost_is_told_with_its_worker(begin):
    heard: list[Any] = []
    trial = begin(on_lost=lambda *what: heard.append(what))
    worker_of(trial).lose("SIGSEGV")
    assert heard == [(trial.worker, "SIGSEGV")]


# The answer


def test_one_that_passed_is_answered_with_each_step(begin, process):
    trial = begin()
    worker_of(trial).go(process)
    answer = trial.answer()
    steps = answer.pop("steps")
    assert answer == {"ok": True, "version": 3}
    assert [one["step"] for one in steps] == list(STEPS)
    assert steps[2] == {"step": "readable", "verdict": "passed", "ms": 1.5, "note": "opset 17, 9 nodes"}
    assert steps[-1]["verdict"] == "none"


def test_one_that_failed_is_answered_with_the_error_and_what_was_not_run(begin, process):
    trial = begin()
    process.fails_at = "shapes"
    worker_of(trial).go(process)
    answer = trial.answer()
    verdicts = [one["verdict"] for one in answer.pop("steps")]
    assert verdicts == ["passed", "passed", "passed", "failed", "not run", "not run", "not run"]
    assert answer == {"ok": False, "version": 3, "error": str(trial.error)}
    assert "outputs are not finite" in answer["error"]


def test_one_that_was_ended_before_is_no_success(begin):
    answer = begin().answer()
    assert answer["ok"] is False
    assert answer["error"] == "it was not tried to the end"
    assert {one["verdict"] for one in answer["steps"]} == {"not run"}


def test_who_asked_is_told_once(begin):
    told: list[Trial] = []
    trial = begin(reply=told.append)
    trial.answer_asker()
    trial.answer_asker()
    assert told == [trial]
    begin().answer_asker()  # nobody asked


# How quick it is


def tried(latency_ms: float, *answers: float | Exception) -> Any:
    process = FakeProcess(answers=answers)
    worker = SimpleNamespace(
        current=lambda _: process, description=SimpleNamespace(latency_ms=latency_ms, input=InputRecipe(8, 8))
    )
    return SimpleNamespace(worker=worker)


def asked(trial: Any) -> int:
    return trial.worker.current(0.0).asked


LIMITED = ModelSettings.model_validate({"max_latency": "50ms"})


@pytest.mark.parametrize(
    ("latency_ms", "usual_ms", "section"),
    [
        (10_000.0, None, ModelSettings()),
        (30.0, 10.0, ModelSettings()),
        (11.0, 1.0, ModelSettings()),
        (50.0, 0.1, LIMITED),
        (50.0, None, LIMITED),
    ],
    ids=[
        "nothing to compare with",
        "three times",
        "ten milliseconds more",
        "within the limit",
        "the first one",
    ],
)
def test_one_that_was_quick_enough_while_warming_up_is_not_timed_again(latency_ms, usual_ms, section):
    trial = tried(latency_ms)
    assert slower(trial, usual_ms, section) == ""
    assert asked(trial) == 0


def test_one_that_was_slow_once_passes_if_one_of_a_few_is_quick():
    trial = tried(900.0, 800.0, 99.0, 30.0, 500.0, 31.0)
    assert slower(trial, 10.0, ModelSettings()) == ""
    assert asked(trial) == TIMED


def test_one_that_is_slow_every_time_is_told_with_its_best(begin):
    trial = tried(900.0, 800.0, 99.0, 30.26, 500.0, 31.0)
    assert slower(trial, 10.0, ModelSettings()) == ("takes 30.3 ms an inference, the serving version 10.0 ms")


def test_a_few_milliseconds_are_no_reason():
    assert slower(tried(900.0, *[11.0] * TIMED), 1.0, ModelSettings()) == ""
    assert slower(tried(900.0, *[11.1] * TIMED), 1.0, ModelSettings()) != ""


def test_a_limit_of_the_configuration_takes_the_place_of_the_comparison():
    assert slower(tried(900.0, *[50.0] * TIMED), 0.1, LIMITED) == ""
    error = slower(tried(900.0, *[51.0] * TIMED), 1000.0, LIMITED)
    assert error == "takes 51.0 ms an inference, max_latency is 50 ms"
    assert slower(tried(900.0, *[51.0] * TIMED), None, LIMITED) == error


def test_a_model_of_rows_that_gives_no_answer_to_a_row_of_zeros_is_not_slow_for_that():
    trial = tried(900.0)
    trial.worker.description.input = RowRecipe(features=2)

    def refuses(*_: object) -> None:
        raise InferenceFailed("model m", "output has NaN", "")

    trial.worker.current(0.0).score = refuses
    assert slower(trial, 10.0, ModelSettings()) == ""


def test_one_that_gives_no_answer_now_is_no_good():
    trial = tried(900.0, 5.0, InferenceFailed("model m", "output has NaN", ""))
    assert slower(trial, 10.0, ModelSettings()) == "output has NaN"


def test_a_process_that_is_lost_says_nothing_about_how_quick_it_is():
    trial = tried(900.0, 800.0, WorkerLost("model m", "its process 7 died", ""))
    assert slower(trial, 10.0, ModelSettings()) == ""


def test_without_a_process_or_a_description_nothing_is_said():
    gone = tried(900.0)
    gone.worker.current = lambda _: None
    assert slower(gone, 1.0, ModelSettings()) == ""
    unknown = tried(900.0)
    unknown.worker.description = None
    assert slower(unknown, 1.0, ModelSettings()) == ""
