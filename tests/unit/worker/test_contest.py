import itertools
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import InferenceFailed
from edged.worker.contest import FEWEST_ROUNDS, MARGIN, ROUNDS, Figures, Stopwatch, duel


class Scripted(Stopwatch):
    """Takes down milliseconds and milliseconds of processor time as each side is said to take."""

    def __init__(self, **sides: list[tuple[float, float]]) -> None:
        self._sides = {name: itertools.cycle(times) for name, times in sides.items()}
        self.order: list[str] = []

    def slice(self, run, callers: int, figures: Figures) -> None:
        name = run()
        self.order.append(name)
        wall_ms, cpu_ms = next(self._sides[name])
        figures.wall_ms.append(wall_ms)
        figures.cpu_ms.append(cpu_ms)


def wins(old: tuple[float, float], new: tuple[float, float], *, throughput: bool = False) -> bool:
    won, _, _ = duel(
        lambda: "old",
        lambda: "new",
        callers=1,
        throughput=throughput,
        budget_s=60,
        stopwatch=Scripted(old=[old], new=[new]),
    )
    return won


def test_what_is_a_little_faster_is_not_worth_a_change():
    assert not wins((20, 20), (19.6, 19.6))
    assert wins((20, 20), (18, 18))


def test_of_two_that_take_the_same_time_the_one_with_less_work_wins():
    assert wins((20, 40), (20, 20))
    assert not wins((20, 20), (20, 40))


def test_a_second_thread_wins_for_latency_and_only_if_it_shortens_the_wait_enough():
    one, two = (15.7, 15.7), (12.1, 19.3)  # measured, docs/adr/0005
    assert wins(one, two)
    assert not wins(one, two, throughput=True)
    wasteful = (15.7 / 1.2, 15.7 * 1.7)
    assert not wins(one, wasteful)
    assert not wins(one, wasteful, throughput=True)


def test_the_sides_take_turns_at_being_first_and_a_slice_that_was_disturbed_counts_for_nothing():
    stopwatch = Scripted(old=[(20, 20)] * 6 + [(900, 20)], new=[(15, 15)] * 6 + [(900, 15)])
    won, old, new = duel(
        lambda: "old", lambda: "new", callers=1, throughput=False, budget_s=60, stopwatch=stopwatch
    )
    assert won
    assert (old.ms, old.cpu, new.ms, new.cpu) == (20, 20, 15, 15)
    assert stopwatch.order[:4] == ["old", "new", "new", "old"]
    assert len(stopwatch.order) == 2 * ROUNDS


@pytest.mark.parametrize(("budget_s", "new"), [(0, 19), (60, 5), (60, 300)], ids=["no time", "won", "lost"])
def test_a_duel_ends_early_without_time_or_when_it_is_clear(budget_s, new):
    stopwatch = Scripted(old=[(20, 20)], new=[(new, new)])
    duel(lambda: "old", lambda: "new", callers=1, throughput=False, budget_s=budget_s, stopwatch=stopwatch)
    assert len(stopwatch.order) == 2 * FEWEST_ROUNDS


times = st.floats(0.01, 10_000)


@settings(max_examples=50)
@given(times, times, times, times, st.booleans())
def test_no_two_ways_beat_each_other(a, b, c, d, throughput):
    assert not (wins((a, b), (c, d), throughput=throughput) and wins((c, d), (a, b), throughput=throughput))


@settings(max_examples=50)
@given(times, times, st.booleans())
def test_a_cost_of_one_way_scales_with_its_times(ms, cpu, throughput):
    once, twice = Figures([ms], [cpu]), Figures([2 * ms], [2 * cpu])
    assert twice.cost(throughput=throughput) == pytest.approx(2 * once.cost(throughput=throughput))
    assert wins((ms, cpu), (ms * (1 - 2 * MARGIN), cpu * (1 - 2 * MARGIN)), throughput=throughput)


def test_threads_that_did_not_get_their_cores_had_to_wait():
    assert not Figures([20], [19]).waited(1)
    assert Figures([30], [19]).waited(1)
    assert not Figures([10], [19]).waited(2)
    assert Figures([20], [19]).waited(2)


@pytest.mark.parametrize("callers", [1, 3])
def test_as_many_inferences_run_at_once_as_there_are_callers(callers):
    together, seen, figures = threading.Barrier(callers), set(), Figures()

    def run() -> None:
        if threading.current_thread() not in seen:
            seen.add(threading.current_thread())
            together.wait(5)  # passed only by all of them

    Stopwatch().slice(run, callers, figures)
    assert len(seen) == callers
    assert len(figures.wall_ms) == len(figures.cpu_ms) == 1
    assert 0 < figures.ms < 1000


@pytest.mark.parametrize("callers", [1, 2])
def test_an_inference_that_fails_ends_the_duel(callers):
    def broken() -> None:
        raise InferenceFailed("m.onnx", "inference failed", "")

    with pytest.raises(InferenceFailed):
        duel(lambda: None, broken, callers=callers, throughput=callers > 1, budget_s=1)


def test_beside_a_version_that_serves_each_slice_is_followed_by_a_longer_pause(monkeypatch):
    pauses = []
    monkeypatch.setattr("edged.worker.contest.time.sleep", pauses.append)

    class Slow(Scripted):
        def slice(self, run, callers: int, figures: Figures) -> None:
            until_s = time.monotonic() + 0.002
            while time.monotonic() < until_s:
                pass
            super().slice(run, callers, figures)

    duel(
        lambda: "old",
        lambda: "new",
        callers=1,
        throughput=False,
        budget_s=0.0,
        beside=True,
        stopwatch=Slow(old=[(20, 20)], new=[(20, 20)]),
    )
    assert len(pauses) == 2 * FEWEST_ROUNDS
    assert min(pauses) >= 2 * 0.002
