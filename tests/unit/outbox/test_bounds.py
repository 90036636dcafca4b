import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.outbox.bounds import excess_bytes, share_bytes
from edged.outbox.records import SHARES, Rank

HELD = st.fixed_dictionaries({rank: st.integers(0, 10_000) for rank in Rank})


def held(telemetry: int = 0, result: int = 0, event: int = 0) -> dict[Rank, int]:
    return {Rank.TELEMETRY: telemetry, Rank.RESULT: result, Rank.EVENT: event}


@pytest.mark.parametrize(
    ("there", "over"),
    [
        (held(), {}),
        (held(result=100), {}),
        (held(result=101), {Rank.RESULT: 1}),
        (held(telemetry=7), {Rank.TELEMETRY: 1}),
        (held(event=80), {Rank.EVENT: 5}),
        (held(telemetry=5, result=97), {Rank.TELEMETRY: 2}),
        (held(telemetry=5, result=30, event=75), {Rank.TELEMETRY: 5, Rank.RESULT: 5}),
        (held(result=50, event=90), {Rank.RESULT: 25, Rank.EVENT: 15}),
    ],
)
def test_what_is_over_its_share_goes_then_the_lowest_rank(there: dict[Rank, int], over: dict[Rank, int]):
    assert excess_bytes(there, 100) == over


@given(HELD, st.integers(0, 20_000))
def test_what_stays_is_within_all_bounds_and_nothing_goes_without_need(there: dict[Rank, int], bound: int):
    over = excess_bytes(there, bound)
    left = {rank: there[rank] - over.get(rank, 0) for rank in Rank}
    assert all(0 <= size <= share_bytes(rank, bound) for rank, size in left.items())
    assert sum(left.values()) <= bound
    assert all(over.values())
    for rank in Rank:  # one byte more of it would be over a bound, or of a rank that gives way to others
        if over.get(rank):
            full = left[rank] == share_bytes(rank, bound) or sum(left.values()) == bound
            assert full
            lower = [other for other in Rank if other < rank]
            beyond_share = there[rank] - share_bytes(rank, bound)
            assert over[rank] <= max(0, beyond_share) or not any(left[other] for other in lower)


@given(HELD, st.integers(0, 20_000))
def test_what_was_cut_needs_no_second_cut(there: dict[Rank, int], bound: int):
    over = excess_bytes(there, bound)
    assert excess_bytes({rank: there[rank] - over.get(rank, 0) for rank in Rank}, bound) == {}


def test_results_may_fill_all_of_it():
    assert SHARES[Rank.RESULT] == 1.0
    assert share_bytes(Rank.RESULT, 100) == 100
