"""Which version is to serve: one that is there and not rejected, and what a person pinned before anything newer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.lifecycle.choice import choose

NUMBERS = st.integers(1, 8)
SETS = st.sets(NUMBERS)
MAYBE = st.none() | NUMBERS


@pytest.mark.parametrize(
    ("arrived", "what", "chosen"),
    [
        (set(), {}, None),
        ({1}, {"rejected": {1}}, None),
        ({1, 2, 10}, {}, 10),
        ({1, 2, 3}, {"rejected": {3}, "active": 1}, 2),
        ({1, 2}, {"active": 2}, 2),
        ({1, 2}, {"active": 3}, 2),
        ({1, 2, 3}, {"pinned": 1, "active": 3}, 1),
        ({1, 2, 3}, {"pinned": 1}, 1),
        ({1, 2, 3}, {"pinned": 9, "active": 2}, None),
        ({1, 2, 3}, {"pinned": 3, "rejected": {3}, "active": 2}, None),
        ({1, 2, 3}, {"pinned": 3, "rejected": {3}}, 2),
        ({1, 2, 3}, {"trusted": 1}, 1),
        ({1, 2, 3}, {"trusted": 1, "pinned": 2}, 1),
        ({1, 2, 3}, {"trusted": 1, "active": 1}, 3),
        ({1, 2, 3}, {"trusted": 1, "rejected": {1}}, 3),
        ({2, 3}, {"trusted": 1, "pinned": 2}, 2),
    ],
    ids=[
        "nothing there",
        "nothing acceptable",
        "the greatest",
        "the greatest that is not rejected",
        "the one that serves",
        "an older one when the newest is gone",
        "a pinned one though a newer one serves",
        "a pinned one at the start",
        "a pin to nothing changes nothing",
        "a pin to what was rejected changes nothing",
        "a pin to what was rejected, and nothing serves",
        "what served well comes first",
        "even before a pin",
        "and then the newest",
        "but not when it was rejected",
        "or is gone",
    ],
)
def test_which_version_is_to_serve(arrived, what, chosen):
    assert choose(arrived, **what) == chosen


@given(arrived=SETS, rejected=SETS, pinned=MAYBE, active=MAYBE, trusted=MAYBE)
def test_what_is_not_there_or_was_rejected_never_serves(arrived, rejected, pinned, active, trusted):
    chosen = choose(arrived, rejected=rejected, pinned=pinned, active=active, trusted=trusted)
    assert chosen is None or chosen in arrived - rejected


@given(arrived=SETS, rejected=SETS, pinned=MAYBE, trusted=MAYBE)
def test_where_nothing_serves_something_is_chosen_if_anything_is_acceptable(
    arrived, rejected, pinned, trusted
):
    chosen = choose(arrived, rejected=rejected, pinned=pinned, trusted=trusted)
    assert (chosen is None) == (not arrived - rejected)


@given(arrived=SETS, rejected=SETS, pinned=NUMBERS, active=NUMBERS, trusted=MAYBE)
def test_a_pin_wins_or_leaves_everything_as_it_is(arrived, rejected, pinned, active, trusted):
    chosen = choose(arrived, rejected=rejected, pinned=pinned, active=active, trusted=trusted)
    assert chosen == (pinned if pinned in arrived - rejected else None)


@given(arrived=SETS, rejected=SETS, pinned=NUMBERS)
def test_a_pin_wins_at_the_start_where_nothing_served_before(arrived, rejected, pinned):
    chosen = choose(arrived, rejected=rejected, pinned=pinned)
    assert chosen == pinned or pinned not in arrived - rejected


@given(arrived=SETS, rejected=SETS, active=MAYBE)
def test_without_a_pin_it_is_the_newest_acceptable_one(arrived, rejected, active):
    chosen = choose(arrived, rejected=rejected, active=active)
    assert all(chosen is not None and chosen >= one for one in arrived - rejected)


@given(arrived=SETS, rejected=SETS, pinned=MAYBE, trusted=NUMBERS)
def test_what_served_well_before_the_restart_is_served_first(arrived, rejected, pinned, trusted):
    chosen = choose(arrived, rejected=rejected, pinned=pinned, trusted=trusted)
    assert chosen == trusted or trusted not in arrived - rejected
