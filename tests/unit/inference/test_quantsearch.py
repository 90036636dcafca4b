from hypothesis import given, settings
from hypothesis import strategies as st

from edged.inference.quantsearch import Attempt, ordered, search, worst


def test_parts_are_ordered_by_what_they_change():
    assert ordered([("a",), ("b",), ("c",)], [0.1, 0.3, 0.2]) == [("b",), ("c",), ("a",)]


def test_parts_that_were_not_measured_in_time_are_not_in_the_order():
    assert ordered([("a",), ("b",), ("c",)], [0.1, 0.3]) == [("b",), ("a",)]


def test_the_worst_parts_make_up_the_share():
    assert worst([0.0, 0.6, 0.1, 0.3], 0.9) == [1, 3]
    assert worst([0.0, 0.0], 0.9) == []


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(0, 60))
def test_the_fewest_parts_are_found_in_few_attempts(most, needed):
    """Where the loss falls within the limit with ``needed`` parts in float."""
    tried = []

    def attempt(count: int) -> float:
        tried.append(count)
        return 0.0 if count >= needed else 0.5

    found = search(most, attempt, max_loss=0.01, first=attempt(0), in_time=lambda: True)
    assert len(tried) <= 14
    assert max(tried) <= most
    if needed <= most:
        assert found == Attempt(needed, 0.0)
    else:
        assert found.loss == 0.5


def test_without_time_the_first_attempt_stands():
    assert search(5, lambda _: 0.0, max_loss=0.01, first=0.4, in_time=lambda: False) == Attempt(0, 0.4)


def test_where_nothing_suffices_the_least_loss_is_kept():
    losses = {1: 0.3, 2: 0.1, 4: 0.2}
    assert search(4, losses.__getitem__, max_loss=0.01, first=0.5, in_time=lambda: True) == Attempt(2, 0.1)
