from hypothesis import given
from hypothesis import strategies as st

from edged.errors import BrokerUnreachable, NotAllowed
from edged.mqtt.backoff import LASTING_S, RIVAL_AFTER, Backoff, delay_s
from edged.mqtt.records import ConnectionEnded, Ending

AWAY = BrokerUnreachable("mqtt://b", "nothing listens there", "start it")
REFUSED = NotAllowed("mqtt://b", "refused", "correct the password")
BROKE = ConnectionEnded("mqtt://b", "the connection broke", ending=Ending.HUNG_UP)
RIVAL = ConnectionEnded("mqtt://b", "session taken over", ending=Ending.TAKEN_OVER)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_broker_that_is_away_is_asked_again_within_three_seconds(attempt, chance):
    assert 0 < delay_s(attempt, refused=False, chance=chance) <= 3.0


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_broker_that_refuses_us_is_asked_again_within_a_minute(attempt, chance):
    assert 0 < delay_s(attempt, refused=True, chance=chance) <= 60.0


def test_delays_grow_and_spread_over_their_whole_length():
    longest = [delay_s(attempt, refused=True, chance=1.0) for attempt in range(9)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert delay_s(8, refused=True, chance=0.5) == 30.0


def test_failures_of_another_kind_or_a_lasting_connection_begin_anew():
    backoff = Backoff("c")

    def delay(error, lasted_s=0.0):
        return backoff.failed(error, lasted_s=lasted_s, chance=1.0).delay_s

    assert [delay(AWAY) for _ in range(4)] == [0.5, 1.0, 2.0, 3.0]
    assert [delay(REFUSED) for _ in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert delay(AWAY) == 0.5
    assert delay(AWAY) == 1.0
    assert delay(BROKE, LASTING_S + 1) == 0.5


def test_the_remedy_is_said_and_who_is_refused_is_known():
    setback = Backoff("c").failed(REFUSED, lasted_s=0.0, chance=0.0)
    assert setback.why == "refused; correct the password"
    assert setback.refused
    assert Backoff("c").failed(RIVAL, lasted_s=0.0, chance=0.0).refused
    assert not Backoff("c").failed(AWAY, lasted_s=0.0, chance=0.0).refused


def test_a_connection_that_breaks_again_and_again_makes_a_rival_likely():
    backoff = Backoff("edged-gate-7")
    said = [backoff.failed(BROKE, lasted_s=0.1, chance=0.0).why for _ in range(RIVAL_AFTER + 1)]
    assert said[:-1] == ["the connection broke"] * RIVAL_AFTER
    assert "'edged-gate-7'" in said[-1]
