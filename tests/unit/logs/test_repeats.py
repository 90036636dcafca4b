from hypothesis import given
from hypothesis import strategies as st

from edged.logs.repeats import AT_ONCE, AT_ONCE_OF_EVENT, EVERY_S, MAX_REMEMBERED, Repeats


def admitted(repeats: Repeats, times: int, at_s: float, **values: object) -> int:
    return sum(repeats.admit("error", "e", values, at_s) for _ in range(times))


def test_the_first_are_written_at_once_and_the_others_are_summed_up_after_a_minute():
    repeats = Repeats()
    assert admitted(repeats, 20, 100.0, camera="front") == AT_ONCE
    assert repeats.due(100.0 + EVERY_S - 1) == []
    (summary,) = repeats.due(100.0 + EVERY_S)
    assert (summary.level, summary.event, summary.values) == ("error", "e", {"camera": "front"})
    assert summary.repeated == 20 - AT_ONCE
    assert repeats.due(1e9) == []


def test_who_goes_on_like_that_is_heard_once_a_minute():
    repeats, sums = Repeats(), 0
    written = admitted(repeats, 10, 0.0)
    for second in range(1, 301):
        written += admitted(repeats, 10, float(second))
        sums += len(repeats.due(float(second)))
    assert written == AT_ONCE
    assert sums == 5


def test_who_was_silent_for_a_minute_is_heard_at_once_again():
    repeats = Repeats()
    admitted(repeats, AT_ONCE, 0.0)
    assert admitted(repeats, 1, EVERY_S - 1) == 0
    assert admitted(repeats, 1, 3 * EVERY_S) == 1
    assert [summary.repeated for summary in repeats.due(3 * EVERY_S)] == [1]


def test_lines_that_differ_in_anything_but_measured_numbers_are_not_the_same():
    repeats = Repeats()
    admitted(repeats, 9, 0.0, camera="front", pid=1, seconds=0.5)
    assert admitted(repeats, 1, 0.0, camera="front", pid=1, seconds=0.7) == 0
    assert admitted(repeats, 1, 0.0, camera="back", pid=1, seconds=0.5) == 1
    assert admitted(repeats, 1, 0.0, camera="front", pid=2, seconds=0.5) == 1
    assert repeats.admit("warning", "e", {"camera": "front", "pid": 1, "seconds": 0.5}, 0.0)


def test_a_flood_of_lines_that_differ_is_bounded_and_other_events_go_on():
    repeats = Repeats()
    assert sum(repeats.admit("error", "e", {"n": n}, 0.0) for n in range(1000)) == AT_ONCE_OF_EVENT
    assert repeats.admit("error", "another", {}, 0.0)
    assert sum(summary.repeated for summary in repeats.due(EVERY_S)) == 1000 - AT_ONCE_OF_EVENT


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_summed_up():
    repeats = Repeats()
    admitted(repeats, 9, 0.0)
    for number in range(3 * MAX_REMEMBERED):
        repeats.admit("info", f"event {number}", {}, 1.0)
    assert len(repeats._same) <= MAX_REMEMBERED
    assert len(repeats._of_event) <= MAX_REMEMBERED
    assert [summary.repeated for summary in repeats.due(1.0)] == [9 - AT_ONCE]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 400), st.floats(0, 40)), min_size=1, max_size=200
    )
)
def test_every_line_is_written_or_in_a_sum(lines):
    repeats, now_s, written, summed = Repeats(), 0.0, 0, 0
    for event, value, pause_s in lines:
        now_s += pause_s
        for _ in range(7):
            written += repeats.admit("info", event, {"n": value % 3}, now_s)
        summed += sum(summary.repeated for summary in repeats.due(now_s))
    summed += sum(summary.repeated for summary in repeats.due(now_s, all_of_them=True))
    assert written + summed == 7 * len(lines)
