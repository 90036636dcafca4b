"""How fast bytes may come, and how slowly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.updates.rate import Bucket, Limits, Pace


@given(st.floats(1_000, 1e8), st.lists(st.integers(1, 100_000), min_size=1, max_size=50))
@settings(max_examples=50)
def test_never_more_than_the_rate_and_a_burst(rate, pieces):
    bucket, now_s = Bucket(rate), 1000.0
    for piece in pieces:
        now_s += bucket.spend(piece, now_s)
    assert sum(pieces) <= rate * (now_s - 1000.0 + Bucket.BURST_S) + 1


def test_a_pause_saves_up_no_more_than_a_burst():
    bucket = Bucket(1000)
    bucket.spend(250, 0.0)
    assert bucket.spend(250, 1_000_000.0) == 0
    assert bucket.spend(1000, 1_000_000.0) == pytest.approx(1.0)


def test_without_a_bound_nobody_waits():
    assert Bucket(None).spend(10**12, 0.0) == 0


@pytest.mark.parametrize(("rate", "piece"), [(None, 65536), (1e9, 65536), (100_000, 25_000), (10, 1024)])
def test_pieces_are_small_where_little_may_come(rate, piece):
    assert Bucket(rate).piece_bytes == piece


def test_too_little_in_a_window_is_seen_at_its_end():
    pace = Pace(1000, 10, now_s=0)
    assert pace.enough(1, 9.9)
    assert not pace.enough(1, 10)
    assert pace.enough(1, 19)  # a new window
    assert pace.enough(10_000, 20)


def test_a_file_has_the_time_that_its_length_allows():
    limits = Limits(min_rate_bytes_s=1000, grace_s=60)
    assert limits.total_s(0, None) == 60
    assert limits.total_s(100_000, None) == 160


def test_who_lets_little_through_himself_does_not_call_that_slow():
    limits = Limits(min_rate_bytes_s=8192)
    assert limits.least(None) == limits.least(1e6) == 8192
    assert limits.least(4000) == 2000
    assert limits.total_s(1_000_000, 4000) > 1_000_000 / 4000
