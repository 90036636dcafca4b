import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.ids import AHEAD_BYTES, MessageIds, ReadAhead

ALPHABET = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@given(
    st.lists(st.floats(-1e9, 1e12, allow_nan=False), min_size=2, max_size=30),
    st.binary(min_size=10, max_size=10),
)
def test_ids_grow_whatever_the_clock_does(clock, noise):
    readings = iter(clock)
    ids = MessageIds(clock=lambda: next(readings), randomness=lambda count: noise[:count])
    made = [ids() for _ in clock]
    assert all(before < after for before, after in pairwise(made))
    assert all(len(one) == 26 and set(one) <= ALPHABET for one in made)


def test_the_time_stands_in_front_as_the_specification_has_it():
    # The example of https://github.com/ulid/spec: 1469918176385 ms is 01ARYZ6S41.
    ids = MessageIds(clock=lambda: 1469918176.385, randomness=lambda count: b"\0" * count)
    assert ids() == "01ARYZ6S41" + "0" * 16


def test_two_processes_at_the_same_moment_make_different_ids():
    one = MessageIds(clock=lambda: 1.0, randomness=lambda count: b"\1" * count)
    other = MessageIds(clock=lambda: 1.0, randomness=lambda count: b"\2" * count)
    assert {one() for _ in range(100)}.isdisjoint({other() for _ in range(100)})


def test_threads_never_get_the_same_id():
    ids = MessageIds(clock=lambda: 1.0, randomness=lambda count: b"\0" * count)
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend([ids() for _ in range(2000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000


@given(st.lists(st.integers(1, AHEAD_BYTES), max_size=20))
def test_random_bytes_that_are_read_ahead_are_given_once(counts):
    asked: list[int] = []

    def numbered(count: int) -> bytes:
        asked.append(count)
        return bytes(count - 1) + bytes([len(asked)])

    ahead, given_bytes = ReadAhead(numbered), b""
    for count in counts:
        found = ahead(count)
        assert len(found) == count
        given_bytes += found
    assert [byte for byte in given_bytes if byte] == sorted({byte for byte in given_bytes if byte})
    assert set(asked) <= {AHEAD_BYTES}
    assert len(asked) <= 1 + 2 * sum(counts) // AHEAD_BYTES
