from hypothesis import given
from hypothesis import strategies as st

from edged.publisher.alarm import Alarm

COUNTS = st.integers(1, 4)


def reference(anomalies: list[bool], raise_after: int, clear_after: int) -> list[bool]:
    """Whether the alarm is up after each window, from the whole past each time."""
    ups: list[bool] = []
    since = 0  # the windows before this one were counted for an earlier turn
    for n in range(len(anomalies)):
        up = ups[-1] if ups else False
        wanted = clear_after if up else raise_after
        last = anomalies[max(since, n + 1 - wanted) : n + 1]
        if len(last) == wanted and all(anomaly != up for anomaly in last):
            up, since = not up, n + 1
        ups.append(up)
    return ups


@given(st.lists(st.booleans()), COUNTS, COUNTS)
def test_so_many_anomalies_in_a_row_raise_it_and_so_many_windows_without_clear_it(
    anomalies, raise_after, clear_after
):
    alarm = Alarm(raise_after, clear_after)
    ups, turned = [], []
    for anomaly in anomalies:
        turned.append(alarm.saw(anomaly=anomaly))
        ups.append(alarm.up)
    assert ups == reference(anomalies, raise_after, clear_after)
    assert turned == [up != before for before, up in zip([False, *ups], ups, strict=False)]


def test_it_begins_lowered_and_by_default_follows_each_window():
    alarm = Alarm()
    assert not alarm.up
    assert [alarm.saw(anomaly=anomaly) for anomaly in (False, True, True, False)] == [
        False,
        True,
        False,
        True,
    ]


def test_a_single_window_in_between_begins_the_count_anew():
    alarm = Alarm(raise_after=3, clear_after=2)
    for anomaly in (True, True, False, True, True):
        assert not alarm.saw(anomaly=anomaly)
    assert alarm.saw(anomaly=True)
    for anomaly in (False, True, False):
        assert not alarm.saw(anomaly=anomaly)
    assert alarm.saw(anomaly=False)
