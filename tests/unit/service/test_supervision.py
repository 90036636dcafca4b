import sys
import threading

import pytest
import structlog

from edged.heartbeat import Heartbeat
from edged.service.supervision import MAX_STACK, Supervision, Troubles, findings, stack_of


class Manager:
    """Counts what the watchdog is fed."""

    def __init__(self, watchdog_s: float = 3.0) -> None:
        self.watchdog_s, self.fed = watchdog_s, 0

    def alive(self) -> None:
        self.fed += 1


class Bench:
    """A supervision with a clock of its own and hearts that are set by hand."""

    def __init__(self, *hearts: Heartbeat) -> None:
        self.now_s, self.hearts, self.hung, self.deaths = 1000.0, list(hearts), [], []
        self.manager = Manager()
        self.supervision = Supervision(
            self.manager,
            on_death=self.deaths.append,
            on_hang=self.hung.append,
            all_hearts=lambda: self.hearts,
            monotonic=lambda: self.now_s,
        )

    def check(self, after_s: float = 1.0) -> None:
        self.now_s += after_s
        self.supervision.check()


def heart(
    name: str = "t", *, due_s: float = float("inf"), bound_s: float = 2.0, patience_s: float = 0.0
) -> Heartbeat:
    one = Heartbeat(bound_s, patience_s=patience_s)
    one.name, one.due_s, one.thread_id = name, due_s, threading.get_ident()
    return one


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lines


def test_who_is_in_time_is_not_found():
    assert findings([heart(due_s=11.0)], 10.0) == []


def test_who_is_late_is_found_with_the_time_that_nothing_was_heard():
    (found,) = findings([heart("outbox", due_s=10.0)], 13.0)
    assert found.text == "thread outbox has not gone on for 5 s"
    assert found.fatal


def test_a_thread_that_may_be_missed_for_a_while_is_fatal_only_after_it():
    camera = heart("camera-front", due_s=10.0, patience_s=900.0)
    assert [one.fatal for one in findings([camera], 20.0)] == [False]
    assert [one.fatal for one in findings([camera], 911.0)] == [True]


def test_who_died_is_found_whatever_is_due():
    dead = heart("model-m")
    dead.error = "KeyError: 'x'"
    (found,) = findings([dead], 0.0)
    assert found.fatal
    assert "model-m died (KeyError: 'x')" in found.text


def test_the_watchdog_is_fed_at_a_third_of_its_time_while_all_go_on():
    bench = Bench(heart())
    for _ in range(9):
        bench.check(0.5)
    assert bench.manager.fed == 4


def test_one_that_hangs_is_said_once_and_starves_the_watchdog_until_it_goes_on(logged):
    hung = heart("outbox", due_s=1003.0)
    bench = Bench(hung, heart("mqtt-link"))
    for _ in range(8):
        bench.check()
    assert bench.manager.fed == 3
    assert bench.supervision.reasons() == ["thread outbox has not gone on for 7 s"]
    lines = [line["event"] for line in logged]
    assert lines.count("a thread hangs") == lines.count("edged does not work") == 1
    said = next(line for line in logged if line["event"] == "a thread hangs")
    assert said["thread"] == "outbox"
    assert "test_supervision.py" in said["stack"]
    assert "has not gone on" in bench.hung[0]
    assert "test_supervision.py" in bench.hung[0]
    hung.due_s = 1e9
    bench.check()
    assert (bench.manager.fed, bench.supervision.reasons(), bench.hung[1:]) == (4, [], [""])
    assert [line["event"] for line in logged].count("a thread goes on again") == 1
    assert bench.supervision.troubles == Troubles(hangs=1)
    hung.due_s = 0.0
    bench.check()
    assert bench.supervision.troubles == Troubles(hangs=2)


def test_a_camera_that_hangs_is_said_and_starves_nobody(logged):
    camera = heart("camera-front", due_s=1000.0, patience_s=900.0)
    bench = Bench(camera)
    for _ in range(6):
        bench.check()
    assert bench.manager.fed == 6
    assert camera.late
    assert [line["event"] for line in logged] == ["a thread hangs"]
    assert bench.supervision.reasons() == []


def test_after_the_process_stood_still_every_thread_has_its_bound_anew(logged):
    bench = Bench(heart(due_s=1002.0))
    bench.check()
    bench.now_s += 30.0
    assert bench.supervision.reasons() == ["thread supervision has not gone on for 30 s"]
    bench.check(0.0)
    assert bench.supervision.reasons() == []
    bench.check()
    assert [line["event"] for line in logged] == []
    bench.check(1.5)
    assert [line["event"] for line in logged][:1] == ["a thread hangs"]


def test_a_thread_that_dies_is_logged_counted_and_told_of(logged):
    bench = Bench()
    with bench.supervision:
        victim = threading.Thread(target=lambda: 1 / 0, name="victim")
        victim.start()
        victim.join()
    assert bench.deaths == ["thread victim died (ZeroDivisionError: division by zero)"]
    died = [line for line in logged if line["event"] == "a thread died"]
    assert [(line["thread"], line["deaths"]) for line in died] == [("victim", 1)]
    assert bench.supervision.troubles == Troubles(deaths=1)
    assert threading.excepthook is not bench.supervision._died


def test_an_error_that_nobody_could_be_told_of_is_logged(logged):
    class Odd:
        def __del__(self) -> None:
            raise ValueError("nobody hears this")

    with Bench().supervision:
        odd = Odd()
        del odd
    assert any("nobody hears this" in line.get("error", "") for line in logged)
    assert sys.unraisablehook is not None


def test_a_stack_names_the_innermost_frame_first_and_is_bounded():
    def deep(levels: int) -> str:
        return deep(levels - 1) if levels else stack_of(threading.get_ident())

    stack = deep(200)
    assert stack.startswith("edged/service/supervision.py")
    assert " < unit/service/test_supervision.py" in stack
    assert len(stack) <= MAX_STACK
    assert stack_of(-1) == "gone"
