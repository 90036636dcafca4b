import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.sources.clock import WINDOW_S, Pace, StreamClock

delays = st.lists(st.floats(0, 0.5), min_size=2, max_size=200)


@given(delays=delays, start=st.floats(-1e6, 1e6))
def test_a_frame_is_never_captured_after_it_arrived(delays, start):
    clock = StreamClock()
    for n, delay in enumerate(delays):
        arrival_s = 1000 + n / 25 + delay
        assert clock.captured_s(start + n / 25, arrival_s) <= arrival_s


@given(delays=delays)
def test_what_the_network_added_is_taken_off_once_it_was_quick_once(delays):
    clock = StreamClock()
    clock.captured_s(0.0, 1000.0)
    for n, delay in enumerate(delays, start=1):
        assert clock.captured_s(n / 25, 1000 + n / 25 + delay) == pytest.approx(1000 + n / 25, abs=1e-6)


def test_a_clock_that_drifts_is_followed():
    clock = StreamClock()
    for n in range(25 * 600):
        captured_s = clock.captured_s(n / 25, 1000 + n / 25 * 1.0005)
    assert 1000 + n / 25 * 1.0005 - captured_s <= WINDOW_S * 0.0005 + 1e-6


@pytest.mark.parametrize("jump", [-3600.0, -5.0, 5.0, 3600.0])
def test_time_stamps_that_jump_begin_a_new_zero(jump):
    clock = StreamClock()
    for n in range(50):
        clock.captured_s(n / 25, 1000 + n / 25)
    assert clock.captured_s(2 + jump, 1002.0) == 1002.0


def test_a_burst_after_a_stall_keeps_its_age():
    clock = StreamClock()
    for n in range(50):
        clock.captured_s(n / 25, 1000 + n / 25)
    assert clock.captured_s(2.0, 1003.5) == pytest.approx(1002.0)
    assert clock.captured_s(3.5, 1003.5) == pytest.approx(1003.5)


def test_lateness_that_stays_begins_a_new_zero():
    clock = StreamClock()
    clock.captured_s(0.0, 1000.0)
    ages = []
    for n in range(1, 200):
        arrival_s = 1010 + n / 25
        ages.append(arrival_s - clock.captured_s(n / 25, arrival_s))
    assert ages[0] > 5 or ages[0] == 0
    assert ages[-1] == pytest.approx(0, abs=1e-6)


def test_a_frame_without_a_time_stamp_was_captured_when_it_arrived():
    assert StreamClock().captured_s(None, 77.0) == 77.0


@given(steps=st.lists(st.floats(0.001, 1.5), min_size=1, max_size=100), start=st.floats(0, 1e5))
def test_a_recording_is_due_at_its_own_speed(steps, start):
    pace, pts_s, now_s = Pace(), start, 500.0
    first_s = pace.due_s(pts_s, now_s)
    for step in steps:
        pts_s += step
        now_s = pace.due_s(pts_s, now_s)
    assert now_s - first_s == pytest.approx(sum(steps), rel=1e-6, abs=1e-6)


def test_a_recording_that_begins_again_goes_on_in_its_rhythm():
    pace = Pace()
    pace.restart(0.04)
    assert pace.due_s(0.0, 100.0) == 100.0
    assert pace.due_s(0.1, 100.0) == pytest.approx(100.1)
    pace.restart(0.04)
    assert pace.due_s(0.0, 100.1) == pytest.approx(100.2)


def test_a_recording_of_one_frame_is_not_played_without_a_pause():
    pace = Pace()
    dues = []
    for _ in range(3):
        pace.restart(0.04)
        dues.append(pace.due_s(0.0, 100.0))
    assert dues == pytest.approx([100.0, 100.04, 100.08])


def test_a_recording_that_fell_behind_does_not_hurry():
    pace = Pace()
    pace.due_s(0.0, 100.0)
    assert pace.due_s(0.1, 105.0) == 105.0
    assert pace.due_s(0.2, 105.0) == pytest.approx(105.1)


def test_a_gap_in_a_recording_is_not_waited_for():
    pace = Pace()
    pace.due_s(0.0, 100.0)
    pace.due_s(0.1, 100.0)
    assert pace.due_s(7200.0, 100.1) == pytest.approx(100.2)
