import os

from edged.sources.waker import Waker


def test_it_tells_readable_from_woken_from_late():
    reader, writer = os.pipe()
    waker = Waker()
    assert not waker.wait(reader, 0)
    os.write(writer, b"x")
    assert waker.wait(reader, 10)
    assert waker.wait(reader, 10)
    os.read(reader, 1)
    waker.wake()
    assert not waker.wait(reader, 10)
    assert not waker.wait(reader, 0)
    os.close(writer)
    assert waker.wait(reader, 10)  # its end can be read
    waker.close()
    os.close(reader)


def test_any_number_of_calls_is_one_and_none_is_needed_when_it_is_closed():
    waker = Waker()
    for _ in range(100_000):
        waker.wake()
    waker.close()
    waker.close()
    waker.wake()
