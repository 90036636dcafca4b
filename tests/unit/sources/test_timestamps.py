from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.sources.timestamps import NoTime, RowClock, moment, time_name

MAY_1 = 1_398_902_400.0
ARRIVED = 1_800_000_000.0


@pytest.mark.parametrize(
    "value",
    [
        "2014-05-01 00:00",
        "2014-05-01",
        "2014-05-01 00:00:00",
        "2014-05-01T00:00:00Z",
        "2014-05-01T02:00:00+02:00",
        "2014-05-01T00:00:00.000000000Z",
        "20140501T000000Z",
        "2014-05-01 0:00",
        "2014-05-01 00:00:00 UTC",
        "5/1/2014 0:00",
        "05/01/2014 00:00:00",
        "5/1/2014 12:00 AM",
        "5/1/2014",
        "2014/05/01 00:00:00",
        "1.5.2014 0:00",
        " 2014-05-01 00:00 ",
        1398902400,
        1398902400.0,
        1398902400000,
        1398902400000000,
        1398902400000000000,
        "1398902400",
        "1.3989024e9",
        "1398902400000",
    ],
)
def test_one_moment_is_understood_in_every_way_it_is_written(value):
    assert moment(value) == MAY_1


def test_afternoons_and_fractions_count():
    assert moment("5/1/2014 1:30:15.5 PM") == MAY_1 + 13.5 * 3600 + 15.5
    assert moment("2013-12-02 21:15:00") == datetime(2013, 12, 2, 21, 15, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "2014-13-01",
        "13/13/2014 0:00",
        "5/1/2014 13:00 PM",
        "12:30:00",
        "1_398_902_400",
        "nan",
        "inf",
        "٢٠١٤",
        None,
        True,
        [],
        {},
        float("nan"),
        float("inf"),
        1e300,
        10**400,
    ],
)
def test_what_is_no_time_stamp_is_none(value):
    assert moment(value) is None


@given(time=st.datetimes(datetime(1970, 1, 2), datetime(5000, 1, 1)), hours=st.integers(-12, 14))
def test_iso_texts_in_any_zone_are_understood(time, hours):
    aware = time.replace(tzinfo=timezone(timedelta(hours=hours)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert moment(aware.isoformat()) == expected


@given(st.text() | st.integers() | st.floats() | st.none() | st.binary())
def test_nothing_makes_it_raise(value):
    assert moment(value) is None or abs(moment(value)) < 1e12


@given(value=st.text(st.sampled_from("0123456789-/.: TZAPM+"), max_size=24))
def test_what_looks_like_a_time_is_a_moment_of_some_year_or_rejected_in_words(value):
    try:
        at_s = RowClock(configured=True).measured_s(value, ARRIVED)
    except NoTime as error:
        reason = str(error)
    else:
        reason = ""
        assert at_s == moment(value)
    assert reason == "" or reason.startswith("its time")


def test_the_first_well_known_name_in_whatever_case_is_the_time():
    assert time_name(["value", "DateTime", "TS"]) == "DateTime"
    assert time_name(["ts", "Timestamp"]) == "Timestamp"
    assert time_name(["value", "uptime"]) is None
    assert time_name(["Time", "V1"], but=("Time", "V1")) is None


@pytest.mark.parametrize("configured", [True, False])
def test_a_clock_that_is_not_set_rejects_the_row(configured):
    clock = RowClock(configured=configured)
    reason = "its time stamp is 1970-01-01T00:00:00Z: the sensor's clock is not set"
    with pytest.raises(NoTime, match=reason):
        clock.measured_s("1970-01-01T00:00:00Z", ARRIVED)
    clock.measured_s(MAY_1, ARRIVED)
    with pytest.raises(NoTime, match=reason):
        clock.measured_s(0, ARRIVED)


def test_a_configured_time_must_be_one():
    clock = RowClock(configured=True)
    for value in ("soon", "", None, 0.02, [1], True):
        with pytest.raises(NoTime, match="its time"):
            clock.measured_s(value, ARRIVED)


def test_a_field_that_is_merely_called_time_may_say_something_else():
    clock = RowClock(configured=False)
    assert clock.measured_s("soon", ARRIVED) == ARRIVED
    assert clock.measured_s(None, ARRIVED) == ARRIVED
    assert clock.measured_s(0.01, ARRIVED) == ARRIVED
    assert clock.measured_s("0.02", ARRIVED) == ARRIVED
    assert clock.measured_s(MAY_1, ARRIVED) == MAY_1


def test_milliseconds_since_power_up_stay_a_counter_when_days_have_passed():
    clock = RowClock(configured=False)
    for milliseconds in range(1000, 2**32, 50_000_000):
        assert clock.measured_s(milliseconds, ARRIVED) == ARRIVED
    assert clock.measured_s(5, ARRIVED) == ARRIVED


def test_many_at_once_are_as_one_by_one_or_change_nothing():
    clock = RowClock(configured=False)
    assert clock.all_measured_s(["1", "2"], ARRIVED).tolist() == [ARRIVED, ARRIVED]
    with pytest.raises(NoTime):
        clock.all_measured_s([MAY_1, 3], ARRIVED)
    assert clock.all_measured_s([3, MAY_1], ARRIVED).tolist() == [ARRIVED, MAY_1]
    assert clock.all_measured_s([], ARRIVED).tolist() == []
