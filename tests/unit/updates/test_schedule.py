"""A fleet does not ask at once, weather is waited out, and a window opens when the clock on the wall says so."""

import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.updates.schedule import HORIZON_S, RETRY_S, Window, first_s, next_s, opens_in_s, spread_s

Local = Callable[[float], time.struct_time]
CHANCE = st.floats(0, 1, exclude_max=True)
INTERVAL = st.floats(1, 7 * 86400)


def local_in(zone: str) -> Local:
    return lambda moment_s: datetime.fromtimestamp(moment_s, ZoneInfo(zone)).timetuple()


BERLIN = local_in("Europe/Berlin")


def berlin(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold).timestamp()


def window(text: str) -> Window:
    found = Window.read(text)
    assert found
    return found


@settings(max_examples=30)
@given(INTERVAL, CHANCE)
def test_the_first_question_comes_anywhere_in_the_interval(interval_s: float, chance: float) -> None:
    assert 0 <= first_s(interval_s, chance, urgent=False) < interval_s
    assert first_s(interval_s, chance, urgent=True) <= min(interval_s, 10.0)


def test_a_fleet_that_starts_at_once_is_spread_evenly() -> None:
    moments = sorted(first_s(900.0, n / 1000, urgent=False) for n in range(1000))
    assert max(after - before for before, after in pairwise(moments)) < 1.0


@settings(max_examples=30)
@given(INTERVAL, CHANCE)
def test_questions_drift_apart_by_a_tenth_at_most(interval_s: float, chance: float) -> None:
    assert 0.9 * interval_s <= next_s(interval_s, chance, failures=0) <= 1.1 * interval_s


@settings(max_examples=30)
@given(INTERVAL, CHANCE, st.integers(1, 10**6))
def test_after_failures_it_asks_sooner_at_first_and_never_seldomer_than_usual(
    interval_s: float, chance: float, failures: int
) -> None:
    pause_s = next_s(interval_s, chance, failures=failures)
    assert min(interval_s, RETRY_S) / 2 <= pause_s <= interval_s
    assert pause_s <= next_s(interval_s, chance, failures=failures + 1)


def test_the_pause_doubles_until_the_interval_is_reached() -> None:
    assert [next_s(900.0, 1 - 1e-9, failures=n) for n in range(1, 9)] == pytest.approx(
        [15, 30, 60, 120, 240, 480, 900, 900], rel=1e-6
    )


@pytest.mark.parametrize(
    ("text", "hour", "minute", "is_open"),
    [
        ("01:00-05:00", 0, 59, False),
        ("01:00-05:00", 1, 0, True),
        ("01:00-05:00", 4, 59, True),
        ("01:00-05:00", 5, 0, False),
        ("22:30-04:00", 22, 29, False),
        ("22:30-04:00", 22, 30, True),
        ("22:30-04:00", 0, 0, True),
        ("22:30-04:00", 3, 59, True),
        ("22:30-04:00", 4, 0, False),
        ("00:00-23:59", 23, 58, True),
        ("00:00-23:59", 23, 59, False),
    ],
)
def test_a_window_is_open_from_its_start_to_before_its_end(
    text: str, hour: int, minute: int, is_open: bool
) -> None:
    assert window(text).is_open(time.struct_time((2026, 6, 1, hour, minute, 30, 0, 152, 0))) is is_open


def test_without_a_window_it_is_always_open() -> None:
    assert Window.read("") is None
    assert opens_in_s(None, berlin("2026-06-01T12:00"), BERLIN) == 0


def test_it_opens_at_its_start_by_the_clock_on_the_wall() -> None:
    assert opens_in_s(window("01:00-05:00"), berlin("2026-06-01T12:00:30"), BERLIN) == 13 * 3600 - 30
    assert opens_in_s(window("22:30-04:00"), berlin("2026-06-01T04:00"), BERLIN) == 18.5 * 3600


def test_the_night_in_which_an_hour_is_skipped_is_an_hour_shorter() -> None:
    evening = berlin("2026-03-28T23:00")  # at 02:00 it is 03:00
    assert opens_in_s(window("04:00-05:00"), evening, BERLIN) == 4 * 3600
    assert opens_in_s(window("02:30-03:30"), evening, BERLIN) == 3 * 3600, "what is left of it"


def test_a_window_in_the_skipped_hour_opens_a_day_later() -> None:
    assert opens_in_s(window("02:00-03:00"), berlin("2026-03-28T23:00"), BERLIN) == (3 + 23) * 3600


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    found = window("02:00-03:00")
    for fold in (0, 1):
        assert opens_in_s(found, berlin("2026-10-25T02:30", fold), BERLIN) == 0
    assert opens_in_s(found, berlin("2026-10-25T01:00"), BERLIN) == 3600


@settings(max_examples=8, deadline=None)
@given(
    st.floats(0, 4e9),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC", "America/St_Johns"]),
)
def test_when_it_says_that_it_opens_it_is_open_and_was_shut_before(
    now_s: float, start: int, length: int, zone: str
) -> None:
    found, local = Window(start, (start + length) % 1440), local_in(zone)
    wait_s = opens_in_s(found, now_s, local)
    assert 0 <= wait_s <= HORIZON_S
    if wait_s == 0:
        assert found.is_open(local(now_s))
    else:
        assert not found.is_open(local(now_s))
        assert wait_s == HORIZON_S or found.is_open(local(now_s + wait_s + 0.001))
        assert not found.is_open(local(now_s + wait_s - 1))


@settings(max_examples=30)
@given(INTERVAL, CHANCE)
def test_a_fleet_does_not_begin_when_the_window_opens_but_in_its_first_half(
    interval_s: float, chance: float
) -> None:
    assert 0 <= spread_s(window("22:00-02:00"), interval_s, chance) <= min(interval_s, 2 * 3600)
