import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.sequences import Sequences


def fed(*events: "int | str", connected: bool = True) -> Sequences:
    """``7`` is a live number, ``"r7"`` a replayed one, ``"on"`` a connect, ``"new"`` a start of the daemon."""
    sequences = Sequences(connected=connected)
    for event in events:
        if isinstance(event, int):
            sequences.live(event)
        elif event == "on":
            sequences.connected()
        elif event == "new":
            sequences.restarted()
        else:
            sequences.replayed(int(event[1:]))
    return sequences


def replayed(first: int, last: int) -> list[str]:
    return [f"r{number}" for number in range(first, last + 1)]


def test_nothing_is_missing_of_what_never_began():
    sequences = fed()
    assert (sequences.missing, sequences.coming) == (0, 0)


def test_numbers_between_two_live_ones_are_missing():
    assert fed(10, 11, 15, 16, 18).missing == 4


def test_what_the_backlog_brings_after_it_was_overtaken_is_not_missing():
    events = [8, 9, "on", *replayed(10, 12), 20, "r13", "r14", 21, *replayed(15, 19), 22]
    assert fed(*events).missing == 0


def test_the_same_holds_where_no_connect_was_seen():
    events = [8, 9, *replayed(10, 12), 20, "r13", "r14", 21, *replayed(15, 19), 22]
    assert fed(*events, connected=False).missing == 0


def test_what_the_backlog_has_not_reached_is_told_apart_while_it_comes():
    sequences = fed(8, 9, "on", *replayed(10, 12), 20, 21)
    assert (sequences.missing, sequences.coming) == (7, 7)
    sequences.replayed(15)
    assert (sequences.missing, sequences.coming) == (6, 4)
    for number in range(16, 20):
        sequences.replayed(number)
    assert (sequences.missing, sequences.coming) == (2, 0)


def test_what_was_dropped_from_the_backlog_is_missing():
    assert fed(8, 9, "on", "r12", 20, *replayed(13, 16), "r18", 21).missing == 4  # 10, 11, 17 and 19


@pytest.mark.parametrize("told", [[], ["on"], ["on", "new"]], ids=["nothing", "connect", "start"])
def test_a_daemon_that_begins_again_is_no_gap(told):
    assert fed(1000, 1001, *told, 0, 1, 2).missing == 0
    assert fed(1000, 1001, *told, "r0", "r1", 2, 3).missing == 0
    assert fed(1000, 1001, *told, "r1002", "r1003", "r0", "r1", 2, 3).missing == 0


def test_a_backlog_of_the_run_before_that_is_overtaken_is_no_gap():
    old, new = replayed(101, 500), replayed(0, 50)
    events = [99, 100, "on", *old[:100], 51, *old[100:200], 52, *old[200:], *new[:20], 53, *new[20:], 54]
    assert fed(*events).missing == 0


def test_a_run_that_has_counted_further_than_the_one_before_is_no_gap_where_its_start_is_known():
    old, new = replayed(11, 20), replayed(0, 50)
    assert fed(9, 10, "on", "new", *old[:4], 51, *old[4:], *new, 52, 53).missing == 0


def test_several_runs_in_one_backlog_are_no_gap():
    runs = [*replayed(101, 500), *replayed(0, 300), *replayed(0, 50)]
    assert fed(99, 100, "on", "new", *runs[:50], 51, *runs[50:600], 52, *runs[600:], 53).missing == 0


def test_a_watcher_that_comes_while_the_backlog_does_counts_from_what_it_sees():
    assert fed(200, "r151", "r152", 201, *replayed(153, 199), 202).missing == 0
    assert fed(5, "r300", "r301", 6, "r302", 7).missing == 0


def test_a_second_outage_is_as_the_first():
    first = [100, "on", *replayed(101, 150), 201, *replayed(151, 200), 202]
    second = ["on", *replayed(203, 210), 230, *replayed(211, 229), 231]
    assert fed(*first, *second).missing == 0


def overtaken(draw: st.DrawFn, events: "list[int | str]", backlog: list[int], number: int) -> int:
    """Appends the backlog with live ones between, from ``number`` on; returns the next live number."""
    for waited, news in zip(backlog, draw(st.lists(st.integers(0, 2), min_size=len(backlog))), strict=False):
        events += [*range(number, number + news), f"r{waited}"]
        number += news
    return number


@st.composite
def outages(draw: st.DrawFn) -> tuple[list["int | str"], int]:
    """What a broker that goes and comes lets one see of one run, and how many numbers were dropped."""
    events: list[int | str] = ["on", 0]
    number, dropped = 1, 0
    for _ in range(draw(st.integers(0, 3))):
        for _ in range(draw(st.integers(0, 5))):
            events.append(number)
            number += 1
        backlog = list(range(number, number + draw(st.integers(0, 8))))
        number += len(backlog)
        kept = [one for one in backlog if draw(st.integers(0, 4))]
        dropped += len(backlog) - len(kept)
        events.append("on")
        number = overtaken(draw, events, kept, number)
    return [*events, number], dropped


@given(outages())
def test_exactly_what_was_dropped_is_missing_however_the_lanes_overtake(seen):
    events, dropped = seen
    assert fed(*events).missing == dropped


@st.composite
def lives(draw: st.DrawFn) -> list["int | str"]:
    """What one sees of runs one after the other, each with a backlog of its own and of the one before."""
    events: list[int | str] = []
    backlog: list[int] = []
    for _ in range(draw(st.integers(1, 4))):
        before = draw(st.integers(0, 6))
        backlog += list(range(before))
        number = before
        events += ["on", "new"]
        number = overtaken(draw, events, backlog, number)
        events += list(range(number, number + 3))
        backlog = list(range(number + 3, number + 3 + draw(st.integers(0, 5))))
    return events


@given(lives())
def test_starts_and_outages_without_a_drop_are_no_gap(events):
    assert fed(*events).missing == 0


@given(st.lists(st.integers(0, 30) | st.integers(0, 30).map("r{}".format) | st.sampled_from(["on", "new"])))
def test_any_order_at_all_gives_a_count(events):
    sequences = fed(*events)
    assert 0 <= sequences.coming <= sequences.missing
