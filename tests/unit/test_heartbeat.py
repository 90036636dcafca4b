import math
import threading

import pytest

from edged.heartbeat import HANG, Heartbeat, hearts


def ours(heart: Heartbeat) -> bool:
    return any(one is heart for one in hearts())


def test_a_thread_is_known_from_its_first_mark_until_it_leaves():
    heart = Heartbeat(2.0)
    assert not ours(heart)
    assert heart.late_s(1e9) == -math.inf
    with heart:
        assert ours(heart)
        assert heart.name == threading.current_thread().name
        assert heart.thread_id == threading.get_ident()
    assert not ours(heart)


def test_a_mark_is_due_after_the_bound_and_what_is_waited_for():
    with Heartbeat(2.0) as heart:
        heart._clock = lambda: 100.0
        heart.mark()
        assert heart.late_s(101.5) < 0 < heart.late_s(102.5)
        heart.mark(wait_s=10.0)
        assert heart.late_s(111.5) < 0 < heart.late_s(112.5)


def test_a_thread_that_rests_is_never_late_and_one_that_marks_again_may_be():
    with Heartbeat(2.0) as heart:
        heart._clock = lambda: 100.0
        heart.rest()
        assert heart.late_s(1e12) < 0
        heart.mark()
        assert heart.late_s(200.0) > 0


def test_time_in_which_the_whole_process_stood_still_is_nobodys_fault():
    with Heartbeat(2.0) as heart:
        heart._clock = lambda: 100.0
        heart.mark()
        assert heart.late_s(131.0, awake_since_s=130.0) < 0
        assert heart.late_s(132.5, awake_since_s=130.0) == pytest.approx(0.5)


def test_what_was_waited_for_may_begin_anew_after_the_process_stood_still():
    with Heartbeat(2.0) as heart:
        heart._clock = lambda: 100.0
        heart.mark(wait_s=30.0)
        assert heart.late_s(161.0, awake_since_s=130.0) < 0
        assert heart.late_s(162.5, awake_since_s=130.0) == pytest.approx(0.5)


def test_what_ended_a_thread_that_was_to_go_on_is_kept():
    heart = Heartbeat(2.0)
    with pytest.raises(ZeroDivisionError), heart:
        _ = 1 / 0
    assert ours(heart)
    assert heart.error == "ZeroDivisionError: division by zero"
    with heart:  # for the tests that follow
        assert heart.error == ""


@pytest.mark.parametrize("wanted", ["worker:0:1", "one,worker:0:1"])
def test_a_thread_named_in_the_environment_hangs_at_its_next_mark_and_no_other_does(monkeypatch, wanted):
    monkeypatch.setenv(HANG, wanted)
    heart, marked = Heartbeat(50.0), threading.Event()

    def hang() -> None:
        with heart:
            marked.set()

    threading.Thread(target=hang, name="worker", daemon=True).start()
    with Heartbeat(50.0) as other:
        other.mark()
    assert not marked.wait(0.05)
    assert heart.bound_s == 1.0
    assert heart.due_s < math.inf
