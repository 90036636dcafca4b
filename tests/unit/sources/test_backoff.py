import random

from hypothesis import given
from hypothesis import strategies as st

from edged.sources.backoff import PATIENT_S, Backoff


@given(failures=st.integers(1, 200), seed=st.integers())
def test_a_source_that_is_away_is_tried_at_least_every_three_seconds_for_ever(failures, seed):
    backoff = Backoff(random.Random(seed))
    waits = [backoff.failed(patient=False) for _ in range(failures)]
    assert all(0.3 < wait <= 3 for wait in waits)


def test_one_that_refuses_us_is_tried_ever_more_slowly_but_never_given_up():
    backoff = Backoff(random.Random(1))
    waits = [backoff.failed(patient=True) for _ in range(50)]
    assert waits[0] <= 1
    assert 48 <= min(waits[-30:]) <= max(waits) <= PATIENT_S[-1]


def test_after_a_success_it_begins_again_with_a_short_wait():
    backoff = Backoff(random.Random(1))
    for _ in range(20):
        backoff.failed(patient=True)
    backoff.worked()
    assert backoff.failed(patient=False) <= 0.5


def test_the_waits_of_many_boxes_differ():
    assert len({Backoff(random.Random(seed)).failed(patient=False) for seed in range(20)}) == 20
