"""What every outbox does, whichever it is."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mosquitto_broker import until

from edged.outbox import DiskOutbox, Gap, MemoryOutbox, Outbox, Rank

OutboxFactory = Callable[[int, float], Outbox]


def told(gap: Gap) -> tuple[str, bytes]:
    return "gap", f"{gap.topic} {gap.reason} {gap.count} {gap.first_id} {gap.last_id}".encode()


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, clock: "Clock", tmp_path: Path) -> Iterator[OutboxFactory]:
    made: list[Outbox] = []

    def memory(max_bytes: int, max_age_s: float) -> Outbox:
        return MemoryOutbox(max_bytes, max_age_s, gap_message=told, clock=clock)

    def disk(max_bytes: int, max_age_s: float) -> Outbox:
        outbox = DiskOutbox(
            tmp_path / "outbox", max_bytes, max_age_s, gap_message=told, monotonic=clock, wall=clock
        )
        outbox.start()
        made.append(outbox)
        return outbox

    yield {"memory": memory, "disk": disk}[request.param]
    for outbox in made:
        outbox.close(10)


def appended(outbox: Outbox, count: int) -> None:
    """So many were appended in all, and are seen."""
    assert until(lambda: outbox.last_key >= count, 10)


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
    appended(outbox, 5)
    entries = outbox.after(0, 10)
    assert [entry.payload for entry in entries] == [b"0", b"1", b"2", b"3", b"4"]
    keys = [entry.key for entry in entries]
    assert keys == sorted(set(keys))
    assert keys[0] > 0
    assert payloads(outbox, keys[1], 2) == [b"2", b"3"]
    assert [entry.key for entry in outbox.after(keys[0], 10, up_to=keys[2])] == keys[1:3]
    assert payloads(outbox, keys[-1]) == []
    assert outbox.last_key == keys[-1]


def test_an_entry_keeps_what_it_was_appended_with(make, clock):
    outbox = make(1000, 10.0)
    clock.now_s = 1003.5
    outbox.append("a/b", b"\x00\xff", qos=2, rank=Rank.EVENT)
    appended(outbox, 1)
    (entry,) = outbox.after(0, 1)
    assert (entry.topic, entry.payload, entry.qos, entry.rank) == ("a/b", b"\x00\xff", 2, Rank.EVENT)
    assert entry.appended_monotonic_s == pytest.approx(1003.5)


def test_a_removed_entry_is_gone_and_removing_it_again_is_no_error(make):
    outbox = make(1000, 10.0)
    for number in range(3):
        outbox.append("t", b"%d" % number, qos=1)
    appended(outbox, 3)
    middle = outbox.after(0, 3)[1].key
    outbox.remove(middle)
    outbox.remove(middle)
    outbox.remove(10_000)
    assert payloads(outbox) == [b"0", b"2"]
    assert len(outbox) == 2
    assert outbox.depth_bytes == 4
    assert outbox.dropped == 0


def test_the_bound_on_bytes_is_kept_by_dropping_the_oldest(make):
    outbox = make(100, 10.0)
    for number in range(10):
        outbox.append("t", b"%019d" % number, qos=1)  # 20 bytes each with the topic
    appended(outbox, 10)
    assert outbox.depth_bytes <= 100
    assert outbox.dropped == 5
    assert payloads(outbox) == [b"%019d" % number for number in range(5, 10)]


def test_an_entry_larger_than_the_bound_is_dropped_and_counted(make):
    outbox = make(100, 10.0)
    outbox.append("t", b"x" * 200, qos=1)
    appended(outbox, 1)
    assert (len(outbox), outbox.depth_bytes, outbox.dropped) == (0, 0, 1)


def test_what_is_too_old_is_dropped_and_counted(make, clock):
    outbox = make(1000, 10.0)
    outbox.append("t", b"old", qos=1)
    appended(outbox, 1)
    clock.now_s += 6
    outbox.append("t", b"young", qos=1)
    appended(outbox, 2)
    clock.now_s += 6
    outbox.append("t", b"new", qos=1)
    assert until(lambda: outbox.dropped == 1, 10)
    appended(outbox, 3)
    assert payloads(outbox) == [b"young", b"new"]


def test_dropped_and_kept_are_together_all_that_was_appended(make):
    outbox = make(500, 10.0)
    for number in range(200):
        outbox.append("t", b"x" * (number % 37), qos=1)
    appended(outbox, 200)
    assert len(outbox) + outbox.dropped == 200


def test_telemetry_goes_before_results_and_results_before_events(make):
    outbox = make(160, 10.0)
    for number in range(4):
        outbox.append("e", b"event %d" % number, qos=1, rank=Rank.EVENT)  # 8 bytes with the topic
        outbox.append("h", b"health %d" % number, qos=0, rank=Rank.TELEMETRY)  # 9
        outbox.append("t", b"result %d" % number, qos=1)  # 9
    appended(outbox, 12)
    for number in range(14):
        outbox.append("t", b"more %04d" % number, qos=1)  # 10
    appended(outbox, 26)
    assert outbox.depth_bytes <= 160
    entries = outbox.after(0, 100)
    assert [entry.payload for entry in entries if entry.rank is Rank.EVENT] == [
        b"event %d" % number for number in range(4)
    ]
    assert not [entry for entry in entries if entry.rank is Rank.TELEMETRY]
    results = [entry.payload for entry in entries if entry.rank is Rank.RESULT]
    assert results == [b"more %04d" % number for number in range(2, 14)]


def test_what_was_given_out_may_be_on_its_way_and_is_not_dropped(make, clock):
    outbox = make(100, 10.0)
    for number in range(3):
        outbox.append("t", b"%019d" % number, qos=1)
    appended(outbox, 3)
    assert len(outbox.after(0, 2)) == 2
    for number in range(3, 9):
        outbox.append("t", b"%019d" % number, qos=1)
    appended(outbox, 9)
    assert outbox.dropped == 4
    assert payloads(outbox) == [b"%019d" % number for number in (0, 1, 6, 7, 8)]


def test_what_was_dropped_is_told_by_topic_and_reason(make):
    results = [b'{"id":"%02d","x":"%0100d"}' % (number, number) for number in range(8)]
    outbox = make(4 * (len(results[0]) + 1) + 80, 10.0)
    for number, result in enumerate(results):
        outbox.append("a" if number % 2 else "b", result, qos=1)
    appended(outbox, 8)
    assert outbox.dropped == 4
    outbox.report_gaps()
    assert until(lambda: outbox.last_key >= 10, 10)
    gaps = [entry for entry in outbox.after(0, 100) if entry.topic == "gap"]
    assert {entry.payload for entry in gaps} == {b"b full 2 00 02", b"a full 2 01 03"}
    assert {entry.rank for entry in gaps} == {Rank.EVENT}
    for entry in gaps:
        outbox.remove(entry.key)
    outbox.report_gaps()
    outbox.append("t", b"x", qos=1)
    assert until(lambda: outbox.last_key >= 11, 10)
    assert [entry.topic for entry in outbox.after(10, 10)] == ["t"]


def test_an_entry_that_is_set_aside_is_gone_counted_and_told(make):
    outbox = make(1000, 10.0)
    outbox.append("t", b'{"id":"01"}', qos=1)
    appended(outbox, 1)
    (entry,) = outbox.after(0, 1)
    outbox.set_aside(entry, "the broker does not take it")
    outbox.set_aside(entry, "the broker does not take it")
    assert (len(outbox), outbox.dropped) == (0, 1)
    outbox.report_gaps()
    assert until(lambda: outbox.last_key >= 2, 10)
    assert payloads(outbox) == [b"t refused 1 01 01"]


def test_other_bounds_count_from_then_on(make):
    outbox = make(1000, 10.0)
    for number in range(10):
        outbox.append("t", b"%019d" % number, qos=1)
    appended(outbox, 10)
    outbox.rebound(100, 10.0)
    outbox.append("t", b"%019d" % 10, qos=1)
    appended(outbox, 11)
    assert outbox.depth_bytes <= 100


def test_whoever_asked_is_woken_when_there_is_something_new(make):
    outbox, woken = make(1000, 10.0), []
    end = outbox.subscribe(lambda: woken.append(outbox.last_key))
    outbox.append("t", b"1", qos=1)
    assert until(lambda: 1 in woken, 10)
    outbox.append("t", b"2", qos=1)
    assert until(lambda: 2 in woken, 10)
    end()
    outbox.append("t", b"3", qos=1)
    appended(outbox, 3)
    assert 3 not in woken


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


def test_a_delivered_message_is_settled_once(make):
    outbox, settled = make(1000, 10.0), []
    for number in range(3):
        outbox.append("t", b"%d" % number, qos=1, settled=lambda number=number: settled.append(number))
    appended(outbox, 3)
    for entry in outbox.after(0, 10):
        outbox.remove(entry.key)
        outbox.remove(entry.key)
    assert until(lambda: len(settled) >= 3, 10)
    assert sorted(settled) == [0, 1, 2]


def test_whoever_waits_until_messages_are_saved_does_not_wait_for_their_delivery(make):
    outbox = make(1000, 10.0)
    for number in range(5):
        outbox.append("t", b"%d" % number, qos=1)
    assert outbox.wait_saved(10)
    assert [entry.payload for entry in outbox.after(0, 10)] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_message_that_is_set_aside_is_settled_once(make):
    outbox, settled = make(1000, 10.0), []
    outbox.append("t", b"x", qos=1, settled=lambda: settled.append("x"))
    appended(outbox, 1)
    (entry,) = outbox.after(0, 1)
    outbox.set_aside(entry, "the broker does not take it")
    outbox.set_aside(entry, "the broker does not take it")
    assert until(lambda: settled == ["x"], 10)


def test_messages_that_are_dropped_are_settled_once_each(make, clock):
    outbox, settled = make(100, 10.0), []
    for number in range(10):
        outbox.append("t", b"%019d" % number, qos=1, settled=lambda number=number: settled.append(number))
    outbox.append("t", b"x" * 200, qos=1, settled=lambda: settled.append("too large"))
    appended(outbox, 11)
    assert until(lambda: {*range(5), "too large"} <= set(settled), 10)
    clock.now_s += 20
    outbox.append("t", b"new", qos=1)
    assert until(lambda: outbox.dropped == 11, 10)
    assert until(lambda: len(settled) == 11, 10)
    assert set(settled) == {*range(10), "too large"}


def test_whoever_is_told_that_a_message_is_settled_may_use_the_outbox(make):
    outbox, seen = make(1000, 10.0), []

    def again() -> None:
        outbox.append("t", b"more", qos=1)
        seen.append(len(outbox))

    outbox.append("t", b"x", qos=1, settled=again)
    appended(outbox, 1)
    for entry in outbox.after(0, 1):
        outbox.remove(entry.key)
    assert until(lambda: bool(seen), 10)
    appended(outbox, 2)


def test_what_several_threads_append_and_deliver_is_settled_once_each(make):
    outbox, settled, done = make(100_000, 1000.0), [], threading.Event()

    def append(name: int) -> None:
        for number in range(1000):
            mark = (name, number)
            outbox.append("t", b"%d-%d" % mark, qos=1, settled=lambda mark=mark: settled.append(mark))

    def deliver() -> None:
        while not (done.is_set() and len(outbox) == 0):
            for entry in outbox.after(0, 64):
                outbox.remove(entry.key)

    producers = [threading.Thread(target=append, args=(name,)) for name in range(3)]
    consumer = threading.Thread(target=deliver)
    for thread in (*producers, consumer):
        thread.start()
    for thread in producers:
        thread.join()
    done.set()
    consumer.join()
    assert until(lambda: len(settled) >= 3000, 10)
    assert len(settled) == len(set(settled)) == 3000


def test_it_knows_the_newest_event_of_each_topic(make: OutboxFactory) -> None:
    outbox = make(1 << 20, 60.0)
    for topic, rank in (("a", Rank.EVENT), ("b", Rank.EVENT), ("a", Rank.EVENT), ("a", Rank.RESULT)):
        outbox.append(topic, b"1", qos=1, rank=rank)
    appended(outbox, 4)
    assert outbox.event_keys() == {"a": 3, "b": 2}
