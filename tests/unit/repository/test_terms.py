"""How long signatures hold."""

from datetime import UTC, datetime, timedelta

import pytest

from edged.repository.terms import LIFE, ROLES, SOON, expiry, is_due, left, state

NOW = datetime(2026, 11, 22, 15, 0, 0, 123456, tzinfo=UTC)


def test_a_signature_ends_on_a_whole_second() -> None:
    assert expiry("timestamp", NOW) == datetime(2026, 11, 29, 15, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("role", ROLES)
def test_what_was_just_signed_is_not_due_and_what_ends_soon_is(role: str) -> None:
    end = expiry(role, NOW)
    assert not is_due(role, end, NOW)
    assert is_due(role, end, end - SOON[role])
    assert is_due(role, end, end + timedelta(days=1))


@pytest.mark.parametrize("role", ROLES)
def test_a_daily_timer_never_lets_a_signature_come_near_its_end(role: str) -> None:
    end = expiry(role, NOW)
    for day in range(400):
        moment = NOW + timedelta(days=day)
        if is_due(role, end, moment):
            end = expiry(role, moment)
        assert state(role, end, moment) == "good"


def test_a_state_is_a_word() -> None:
    end = NOW + LIFE["timestamp"]
    words = [state("timestamp", end, NOW + timedelta(days=days)) for days in (0, 6, 7)]
    assert words == ["good", "soon", "expired"]


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (timedelta(days=7, seconds=-3), "7 d"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=-5), "over for 5 h"),
    ],
)
def test_time_left_is_told_in_a_word(delta: timedelta, text: str) -> None:
    assert left(NOW + delta, NOW) == text
