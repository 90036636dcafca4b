import threading
from collections import Counter

from structlog.testing import capture_logs

from edged.outbox.settling import Settling


def test_what_is_settled_is_told_once_and_only_then():
    settling, told = Settling(), []
    settling.expect(1, lambda: told.append(1))
    settling.expect(2, lambda: told.append(2))
    settling.tell()
    assert told == []
    settling.settle([1])
    settling.settle([1])
    assert told == []
    settling.tell()
    settling.tell()
    assert told == [1]


def test_a_message_without_a_listener_costs_nothing():
    settling = Settling()
    settling.expect(1, None)
    settling.settle([1, 2, 3])
    settling.settle_keyless(None)
    settling.tell()
    assert not settling._due
    assert not settling._waiting


def test_a_message_may_be_given_up_before_it_has_a_key():
    settling, told = Settling(), []
    settling.settle_keyless(lambda: told.append("early"))
    settling.tell()
    assert told == ["early"]


def test_a_listener_that_fails_costs_the_others_nothing():
    settling, told = Settling(), []
    settling.expect(1, lambda: 1 / 0)
    settling.expect(2, lambda: told.append(2))
    settling.settle([1, 2])
    with capture_logs() as lines:
        settling.tell()
    assert told == [2]
    assert [line["event"] for line in lines] == ["a listener of the outbox failed"]


def test_several_threads_may_tell_and_nobody_is_told_twice():
    settling, told, start = Settling(), [], threading.Barrier(4)
    for key in range(10_000):
        settling.expect(key, lambda key=key: told.append(key))
    settling.settle(range(10_000))

    def tell():
        start.wait()
        settling.tell()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Counter(told).values()) == {1}
    assert len(told) == 10_000
