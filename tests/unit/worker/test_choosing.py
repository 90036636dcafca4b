"""What ``auto`` comes to, in a real runtime; OpenVINO's double is the CPU provider inside."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import toy_models
import toy_tabular

from edged.errors import InferenceFailed
from edged.inference import providers, session
from edged.inference.providers import CPU, Attempt
from edged.inference.session import Session
from edged.inference.tuning import Tuning
from edged.worker import auto, choosing, contest, opening
from edged.worker.contest import Figures
from edged.worker.description import LoadRequest
from edged.worker.loading import load_model

OPENVINO = "openvino:CPU"


class Machine:
    """Two cores and OpenVINO; what it does to a model is for the test to say.

    Attributes:
        made: Tunings of the sessions that were made, in order.
        ran: Tuning of the last inference.
        callers: Seen while timing.
        speed: Milliseconds of an inference and of its processor time, by tuning; 20 where nothing is said.
        wrong: Names of tunings that answer wrongly.
        failing: Names of tunings that cannot be made.
        failure: What then is raised.
        broken: Names of tunings that fail at an inference.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.ran = ""
        self.callers: set[int] = set()
        self.speed: dict[str, tuple[float, float]] = {}
        self.wrong: set[str] = set()
        self.failing: set[str] = set()
        self.failure: Exception = RuntimeError("the graph is not acyclic")
        self.broken: set[str] = set()


@pytest.fixture
def machine(monkeypatch, tmp_path) -> Machine:
    here = Machine()

    class Watched(Session):
        def __init__(self, path: Path, **how: Any) -> None:
            super().__init__(path, **how)
            here.made.append(self.tuning.name)

        def run(self, feeds: Any) -> list[Any]:
            here.ran = self.tuning.name
            if self.tuning.name in here.broken:
                raise InferenceFailed("m.onnx", "inference failed (broken)", "")
            factor = 3 if self.tuning.name in here.wrong else 1
            return [output * factor for output in super().run(feeds)]

    real, create = providers._attempt, session._create

    def attempt(name: str, how: Tuning) -> Attempt:
        found = real(name, how)
        if found.name != OPENVINO:
            return found
        return Attempt(found.tuning, CPU, lambda _options: [(CPU, {})])

    def made(path: Path, attempt: Attempt) -> Any:
        if attempt.tuning.name in here.failing:
            raise here.failure
        return create(path, attempt)

    class Scripted:
        def slice(self, run: Any, callers: int, figures: Figures) -> None:
            run()
            here.callers.add(callers)
            wall_ms, cpu_ms = here.speed.get(here.ran, (20.0, 20.0))
            figures.wall_ms.append(wall_ms)
            figures.cpu_ms.append(cpu_ms)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(providers, "_attempt", attempt)
    monkeypatch.setattr(session, "_create", made)
    monkeypatch.setattr(auto, "automatic", lambda: [OPENVINO, "cpu"])
    monkeypatch.setattr(auto, "cores", lambda: 2)
    monkeypatch.setattr(contest, "Stopwatch", Scripted)
    monkeypatch.setattr(choosing, "TRYING_CPU_S", math.inf)  # of this process, which ran other tests before
    monkeypatch.setattr(opening, "Session", Watched)
    return here


PLAIN, SHARE = "cpu, 1 thread", "cpu, 2 threads"
OV, OV_SHARE = "openvino:CPU f32, 1 thread", "openvino:CPU f32, 2 threads"


@pytest.fixture
def model(tmp_path) -> Path:
    return toy_models.toy_detector(tmp_path / "m.onnx")


def load(path: Path, *names: str, **how: Any) -> Any:
    return load_model(LoadRequest(path=str(path), providers=names or ("auto",), **how)).description


def verdicts(description: Any) -> dict[str, str]:
    tried = description.choice.tried
    return {one.name: one.problem or (f"{one.ms:g} ms" if one.ms else "not measured") for one in tried}


def test_the_fastest_that_agrees_serves_and_the_description_says_by_how_much(machine, model):
    machine.speed = {OV: (10, 10), OV_SHARE: (9.9, 15)}
    found = load(model)
    assert (found.provider, found.threads, found.provider_refused) == (OPENVINO, 1, ())
    assert found.choice.text.startswith(f"{OV}: 2.00 × {PLAIN} (10.0 ms, CPU 10.0 against 20.0 ms, CPU 20.0)")
    assert list(verdicts(found)) == [PLAIN, SHARE, OV, OV_SHARE]
    assert machine.made == [PLAIN, SHARE, OV, OV_SHARE]
    assert not found.choice.recalled


def test_the_next_start_makes_only_the_session_that_was_chosen(machine, model):
    machine.speed = {OV: (10, 10)}
    first = load(model)
    machine.made.clear()
    again = load(model)
    assert machine.made == [OV]
    assert again.choice.recalled
    assert again.choice.tried == first.choice.tried
    assert (again.provider, again.labels, again.trial) == (first.provider, first.labels, first.trial)


def test_figures_are_those_of_one_duel_beside_the_other(machine, model):
    """The machine is three times as busy in the second duel: that is no fault of who is timed in it."""
    machine.speed = {SHARE: (30, 30), OV: (10, 10)}
    slow = {PLAIN: (60, 60), OV: (30, 30)}
    real = choosing.duel

    def duel(*sides: Any, **how: Any) -> Any:
        result = real(*sides, **how)
        machine.speed |= slow
        return result

    with pytest.MonkeyPatch.context() as here:
        here.setattr(choosing, "duel", duel)
        found = load(model)
    assert verdicts(found)[PLAIN] == "20 ms"
    assert verdicts(found)[OV] == "10 ms"


@pytest.mark.parametrize("how", ["wrong", "failing", "broken"])
def test_what_fails_or_answers_wrongly_is_passed_over_and_its_kind_not_made_again(machine, model, how):
    setattr(machine, how, {OV, OV_SHARE})
    machine.speed = {OV: (1, 1), OV_SHARE: (1, 1)}
    found = load(model)
    assert found.provider == "cpu"
    assert OV_SHARE not in machine.made
    (reason,) = found.provider_refused
    said = {"wrong": "answers otherwise than the CPU provider", "failing": "not acyclic", "broken": "broken"}
    assert reason.startswith(OPENVINO)
    assert said[how] in reason
    assert said[how] in verdicts(found)[OV]
    machine.made.clear()
    assert load(model).provider_refused == found.provider_refused  # from the cache too
    assert machine.made == [PLAIN]


def test_a_quantised_model_that_integers_get_wrong_is_tried_without_them(machine, model, monkeypatch):
    monkeypatch.setattr(auto, "QUANTISED", ("ReduceMean",))
    exact = "openvino:CPU f32 without int8, 1 thread"
    machine.wrong, machine.speed = {OV, OV_SHARE}, {exact: (10, 10)}
    found = load(model)
    assert found.choice.name == exact
    assert found.provider_refused == ()
    assert "answers otherwise" in verdicts(found)[OV]
    assert machine.made == [PLAIN, SHARE, OV, exact, "openvino:CPU f32 without int8, 2 threads"]


@pytest.mark.parametrize("how", ["wrong", "failing", "broken"])
def test_what_was_chosen_and_is_no_good_any_more_is_measured_again(machine, model, how):
    machine.speed = {OV: (10, 10)}
    assert load(model).choice.name == OV
    setattr(machine, how, {OV, OV_SHARE})
    found = load(model)
    assert (found.choice.name, found.choice.recalled) == (PLAIN, False)
    assert load(model).choice.recalled


def test_a_machine_of_one_core_without_other_providers_has_no_choice_and_measures_nothing(
    machine, model, monkeypatch
):
    monkeypatch.setattr(auto, "automatic", lambda: ["cpu"])
    monkeypatch.setattr(auto, "cores", lambda: 1)
    found = load(model)
    assert found.choice is None
    assert machine.made == [PLAIN]


def test_providers_that_are_named_are_not_measured(machine, model):
    assert load(model, "cpu").choice is None
    assert load(model, "cpu", "auto").choice is None
    named = load(model, "openvino", "auto")
    assert (named.choice, named.provider) == (None, OPENVINO)
    assert SHARE not in machine.made


def test_a_named_provider_that_does_not_work_leaves_it_to_auto(machine, model):
    found = load(model, "cuda", "auto")
    assert found.choice.name == PLAIN
    assert any(reason.startswith("cuda") for reason in found.provider_refused)


def test_a_required_provider_may_be_any_that_auto_stands_for(machine, model):
    machine.speed = {OV: (10, 10)}
    assert load(model, require_provider=True).provider == OPENVINO
    assert load(model, require_provider=True).choice.recalled


def test_with_several_callers_all_are_busy_while_it_is_timed_and_each_gets_its_share(machine, model):
    found = load(model, callers=2)
    assert machine.callers == {2}
    assert (found.choice.measure, found.choice.callers) == ("throughput", 2)
    assert list(verdicts(found)) == [PLAIN, OV]


@pytest.mark.parametrize(
    ("how", "measure", "callers"),
    [({"callers": 2, "optimize": "latency"}, "latency", 1), ({"optimize": "throughput"}, "throughput", 1)],
)
def test_the_user_says_what_it_is_tuned_for(machine, model, how, measure, callers):
    assert load(model, **how).choice.measure == measure
    assert machine.callers == {callers}


def test_threads_that_were_given_are_not_tried_otherwise(machine, model):
    assert list(verdicts(load(model, threads=2))) == [SHARE, OV_SHARE]


def test_a_precision_that_was_asked_for_is_tried_and_said_to_be_without_effect_where_it_is(machine, model):
    bf16 = "openvino:CPU bf16, 1 thread"
    machine.speed = {bf16: (10, 10)}
    found = load(model, precision="bf16")
    assert found.choice.name == bf16
    assert not any("precision" in note for note in found.notes)
    plain = load(model, "cpu", precision="bf16")
    assert "precision = 'bf16' has no effect on the CPU provider" in plain.notes


def test_when_trying_takes_too_long_the_best_until_then_serves(machine, model, monkeypatch):
    monkeypatch.setattr(choosing, "TRYING_S", 0.0)
    found = load(model)
    assert found.choice.name == PLAIN
    assert set(list(verdicts(found).values())[1:]) == {choosing.LATE}
    assert found.provider_refused == (f"{OPENVINO}: {choosing.LATE}",)


def test_a_cache_that_cannot_be_written_is_said_and_measured_each_time(machine, model, tmp_path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    for _ in range(2):
        found = load(model)
        assert not found.choice.recalled
        (note,) = [note for note in found.notes if "measured at each start" in note]
        assert "cannot be written" in note


@pytest.mark.parametrize("short", ["cores", "memory"])
def test_what_was_measured_while_cores_or_memory_were_short_is_kept_as_such(
    machine, model, tmp_path, monkeypatch, short
):
    load(model)
    (file,) = (tmp_path / "cache" / "edged" / "choices").iterdir()
    assert json.loads(file.read_bytes())["hampered"] is False
    file.unlink()
    if short == "cores":
        machine.speed = {PLAIN: (50, 20)}
    else:
        machine.failing, machine.failure = {OV}, MemoryError()
    load(model)
    assert json.loads(file.read_bytes())["hampered"] is True


def test_a_model_of_rows_is_measured_and_remembered_too(machine, tmp_path):
    path = toy_tabular.save_rows(
        tmp_path / "rows.onnx",
        [toy_models.node("ReduceSum", ["x"], ["y"], keepdims=1)],
        [toy_tabular.tensor("y", toy_tabular.FLOAT, [None, 1])],
    )
    machine.speed = {OV: (10, 10)}
    assert load(path, serves="rows").choice.name == OV
    machine.made.clear()
    assert load(path, serves="rows").choice.recalled
    assert machine.made == [OV, "cpu"]  # of several rows at once, which it gets wrong, nothing is remembered
    machine.wrong = {OV}
    assert load(path, serves="rows").provider == "cpu"


def test_trees_and_their_like_run_on_the_cpu_provider_and_nothing_is_measured(machine, tmp_path):
    outputs = [
        toy_tabular.tensor("label", toy_tabular.STRING, [None]),
        toy_tabular.tensor("scores", toy_tabular.FLOAT, [None, 3]),
    ]
    path = toy_tabular.save_rows(tmp_path / "m.onnx", [toy_tabular.linear(["a", "b", "c"])], outputs)
    found = load(path, serves="rows")
    assert (found.choice, found.provider) == (None, "cpu")
