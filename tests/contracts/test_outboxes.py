"""What every outbox does, whichever it is: the disk one joins the list when it comes."""

import threading
from collections.abc import Callable

import pytest

from edged.outbox import MemoryOutbox, Outbox

OutboxFactory = Callable[[int, float], Outbox]


@pytest.fixture(params=["memory"])
def make(request, clock) -> OutboxFactory:
    return {"memory": lambda max_bytes, max_age_s: MemoryOutbox(max_bytes, max_age_s, clock=clock)}[
        request.param
    ]


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def payloads(outbox: Outbox, key: int = 0, limit: int = 1000) -> list[bytes]:
    return [entry.payload for entry in outbox.after(key, limit)]


def test_an_empty_outbox_is_empty(make):
    outbox = make(100, 10.0)
    assert (outbox.after(0, 10), len(outbox), outbox.depth_bytes, outbox.dropped) == ([], 0, 0, 0)


def test_entries_come_oldest_first_with_growing_keys(make):
    outbox = make(1000, 10.0)
    for number in range(5):
        outbox.append("t", b"%d" % number, qos=1)
    entries = outbox.after(0, 10)
    assert [entry.payload for entry in entries] == [b"0", b"1", b"2", b"3", b"4"]
    keys = [entry.key for entry in entries]
    assert keys == sorted(set(keys))
    assert keys[0] > 0
    assert payloads(outbox, keys[1], 2) == [b"2", b"3"]
    assert payloads(outbox, keys[-1]) == []


def test_an_entry_keeps_what_it_was_appended_with(make, clock):
    outbox = make(1000, 10.0)
    clock.now_s = 1003.5
    outbox.append("a/b", b"\x00\xff", qos=2)
    (entry,) = outbox.after(0, 1)
    assert (entry.topic, entry.payload, entry.qos, entry.appended_monotonic_s) == (
        "a/b",
        b"\x00\xff",
        2,
        1003.5,
    )


def test_a_removed_entry_is_gone_and_removing_it_again_is_no_error(make):
    outbox = make(1000, 10.0)
    for number in range(3):
        outbox.append("t", b"%d" % number, qos=1)
    middle = outbox.after(0, 3)[1].key
    outbox.remove(middle)
    outbox.remove(middle)
    outbox.remove(10_000)
    assert payloads(outbox) == [b"0", b"2"]
    assert len(outbox) == 2
    assert outbox.dropped == 0


def test_the_bound_on_bytes_is_kept_by_dropping_the_oldest(make):
    outbox = make(100, 10.0)
    for number in range(10):
        outbox.append("t", b"%019d" % number, qos=1)  # 20 bytes each with the topic
    assert outbox.depth_bytes <= 100
    assert payloads(outbox) == [b"%019d" % number for number in range(5, 10)]
    assert outbox.dropped == 5


def test_an_entry_larger_than_the_bound_is_dropped_and_counted(make):
    outbox = make(100, 10.0)
    outbox.append("t", b"x" * 200, qos=1)
    assert (len(outbox), outbox.depth_bytes, outbox.dropped) == (0, 0, 1)


def test_what_is_too_old_is_dropped_and_counted(make, clock):
    outbox = make(1000, 10.0)
    outbox.append("t", b"old", qos=1)
    clock.now_s += 6
    outbox.append("t", b"young", qos=1)
    clock.now_s += 6
    assert payloads(outbox) == [b"young"]
    assert outbox.dropped == 1


def test_dropped_and_kept_are_together_all_that_was_appended(make):
    outbox = make(500, 10.0)
    for number in range(200):
        outbox.append("t", b"x" * (number % 37), qos=1)
    assert len(outbox) + outbox.dropped == 200


def test_every_append_wakes_whoever_asked(make):
    outbox, woken = make(1000, 10.0), []
    outbox.subscribe(lambda: woken.append(len(outbox)))
    outbox.append("t", b"1", qos=1)
    outbox.append("t", b"2", qos=1)
    assert woken == [1, 2]


def test_appending_and_delivering_from_several_threads_loses_nothing(make):
    outbox, delivered, done = make(10_000_000, 1000.0), [], threading.Event()

    def append(name: int) -> None:
        for number in range(1000):
            outbox.append("t", b"%d-%d" % (name, number), qos=1)

    def deliver() -> None:
        while not (done.is_set() and len(outbox) == 0):
            for entry in outbox.after(0, 64):
                delivered.append(entry.payload)
                outbox.remove(entry.key)

    producers = [threading.Thread(target=append, args=(name,)) for name in range(3)]
    consumer = threading.Thread(target=deliver)
    for thread in (*producers, consumer):
        thread.start()
    for thread in producers:
        thread.join()
    done.set()
    consumer.join()
    assert len(delivered) == 3000
    assert len(set(delivered)) == 3000
    assert outbox.depth_bytes == 0
