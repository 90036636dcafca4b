import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.outbox.keyed_queue import KeyedQueue
from edged.outbox.records import Entry, Rank


def entry(key: int, size: int = 10, rank: Rank = Rank.RESULT) -> Entry:
    return Entry(key, "t", b"x" * (size - 1), 1, 0.0, rank)


def keys(line: KeyedQueue, beyond: int = 0) -> list[int]:
    return [one.key for one in line.beyond(beyond)]


def test_an_empty_line_has_no_first_and_nothing_beyond():
    line = KeyedQueue()
    assert (line.first(), keys(line), list(line), len(line), bool(line), line.pop(1)) == (
        None,
        [],
        [],
        0,
        False,
        None,
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=300))
def test_it_holds_what_was_put_in_and_not_taken_out_in_the_order_of_the_keys(steps: list[tuple[bool, int]]):
    line, model, last = KeyedQueue(), {}, 0
    for put, number in steps:
        if put:
            last += number + 1
            model[last] = entry(last, 1 + number % 7, Rank(number % 3))
            line.put(model[last])
        else:
            key = sorted(model)[number % len(model)] if model else number
            assert line.pop(key) == model.pop(key, None)
        assert [one.key for one in line] == sorted(model) == keys(line)
        assert len(line) == len(model)
        assert line.first() == (model[min(model)] if model else None)
        assert keys(line, number) == [key for key in sorted(model) if key > number]
        assert line.bytes == {
            rank: sum(one.size_bytes for one in model.values() if one.rank is rank) for rank in Rank
        }


@pytest.mark.parametrize("stays", [[1], [1, 100_000], [50_000]])
def test_holes_cost_nothing(stays: list[int]):
    line = KeyedQueue(entry(key) for key in range(1, 100_001))
    for key in range(1, 100_001):
        if key not in stays:
            line.pop(key)
    began_s = time.perf_counter()
    for _ in range(1000):
        assert keys(line, stays[0]) == stays[1:]
        assert line.first() == entry(stays[0])
    assert time.perf_counter() - began_s < 0.5
