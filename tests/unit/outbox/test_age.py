from hypothesis import given
from hypothesis import strategies as st

from edged.outbox.age import PLAUSIBLE_FROM_S, PLAUSIBLE_PAUSE_S, resumed_s

TODAY_S = 1_800_000_000.0


def test_a_pause_counts_where_both_readings_of_the_wall_clock_can_be_believed():
    assert resumed_s(50.0, TODAY_S, TODAY_S + 600.0) == 650.0


def test_a_box_that_wakes_up_in_1970_or_had_the_wrong_time_before_did_not_pause():
    assert resumed_s(50.0, TODAY_S, 60.0) == 50.0
    assert resumed_s(50.0, 60.0, TODAY_S) == 50.0
    assert resumed_s(50.0, PLAUSIBLE_FROM_S - 1, TODAY_S) == 50.0


def test_a_clock_that_went_back_or_decades_ahead_did_not_pause():
    assert resumed_s(50.0, TODAY_S, TODAY_S - 1.0) == 50.0
    assert resumed_s(50.0, TODAY_S, TODAY_S + PLAUSIBLE_PAUSE_S + 1.0) == 50.0


@given(st.floats(0, 1e9), st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_our_clock_never_goes_back_and_never_jumps(last_s: float, last_wall_s: float, wall_s: float):
    assert last_s <= resumed_s(last_s, last_wall_s, wall_s) <= last_s + PLAUSIBLE_PAUSE_S
