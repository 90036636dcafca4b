"""A state is as old as its first telling, and a download is told of in steps that a broker can bear."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edged.metrics.catalog import UPDATE_STATES
from edged.updates.progress import STATES, Progress, Steps


def test_the_same_state_keeps_its_age_and_another_one_has_its_own() -> None:
    first = Progress("offered", 3, reason="waits for 01:00-05:00, local time", at_s=10.0)
    again = Progress("offered", 3, reason="waits for 01:00-05:00, local time", at_s=20.0)
    assert again.since(first) == first
    assert again.since(None) == again
    for other in (
        Progress("downloading", 3, reason=first.reason, at_s=5.0),
        Progress("offered", 4, reason=first.reason, at_s=5.0),
        Progress("offered", 3, at_s=5.0),
    ):
        assert again.since(other) == again


def test_the_bytes_of_a_download_go_on_without_making_it_younger() -> None:
    before = Progress("downloading", 3, done_bytes=0, of_bytes=9, at_s=10.0)
    assert Progress("downloading", 3, done_bytes=5, of_bytes=9, at_s=20.0).since(before) == Progress(
        "downloading", 3, done_bytes=5, of_bytes=9, at_s=10.0
    )


def test_only_what_comes_is_counted() -> None:
    steps = Steps()
    assert steps.arrived(500, 1000) == 0, "of an earlier attempt"
    assert steps.arrived(700, 1000) == 200
    assert steps.arrived(100, 1000) == 0, "it begins anew"
    assert steps.arrived(150, 1000) == 50
    assert steps.arrived(900, 4000) == 0, "another file, as when a delta does not fit"
    assert steps.arrived(901, 4000) == 1


def test_it_tells_at_most_once_a_second_and_at_least_every_ten() -> None:
    steps = Steps()
    assert steps.tells(0, 100, 0.0)
    assert not steps.tells(50, 100, 0.9)
    assert steps.tells(50, 100, 1.0)
    assert not steps.tells(51, 100, 10.9)
    assert steps.tells(51, 100, 11.0)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 10**9)), st.integers(0, 10**9))
def test_a_whole_download_is_told_of_a_few_times(arrived: list[int], length: int) -> None:
    steps, now_s = Steps(), 0.0
    told = 0
    for count in arrived:
        now_s += 0.01
        told += steps.tells(count, length, now_s)
    assert told <= 1 + now_s


def test_every_state_has_its_figure() -> None:
    assert STATES == UPDATE_STATES
