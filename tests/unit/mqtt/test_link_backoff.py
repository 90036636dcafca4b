from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.link import backoff_s


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_broker_that_is_away_is_asked_again_within_three_seconds(attempt, chance):
    assert 0 < backoff_s(attempt, refused=False, chance=chance) <= 3.0


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_broker_that_refuses_us_is_asked_again_within_a_minute(attempt, chance):
    assert 0 < backoff_s(attempt, refused=True, chance=chance) <= 60.0


def test_delays_grow_and_spread_over_their_whole_length():
    longest = [backoff_s(attempt, refused=True, chance=1.0) for attempt in range(9)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert backoff_s(8, refused=True, chance=0.5) == 30.0
