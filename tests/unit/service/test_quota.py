"""How many messages a camera may send."""

import pytest

from edged.service.quota import Quota


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_limit_there_is_none(clock: Clock) -> None:
    quota = Quota(clock)
    assert all(quota.detections() and quota.update(first=True) for _ in range(1000))
    assert not quota.withheld


def test_detections_and_updates_share_it(clock: Clock) -> None:
    quota = Quota(clock)
    quota.under(1.0)
    assert quota.detections()
    assert quota.update(first=True)
    assert not quota.detections()
    assert not quota.update(first=True)
    assert quota.withheld == {"detections": 1, "updates": 1}


def test_an_update_that_is_asked_for_again_is_withheld_once(clock: Clock) -> None:
    quota = Quota(clock)
    quota.under(0.5)
    assert quota.update(first=True)
    assert [quota.update(first=first) for first in (True, False, False)] == [False] * 3
    clock.now_s += 2.0
    assert quota.update(first=False)
    assert quota.withheld == {"updates": 1}


def test_in_the_long_run_it_is_what_was_asked_for(clock: Clock) -> None:
    quota = Quota(clock)
    quota.under(1.0)  # 60/m
    sent = 0
    for _ in range(6000):
        clock.now_s += 0.1
        sent += quota.detections()
    assert 600 <= sent <= 602
    assert quota.withheld["detections"] == 6000 - sent


def test_another_limit_is_in_force_at_once_and_the_same_one_changes_nothing(clock: Clock) -> None:
    quota = Quota(clock)
    quota.under(0.1)
    assert quota.detections()
    quota.under(0.1)
    assert not quota.detections()
    quota.under(None)
    assert quota.detections()
