"""What every source of rows promises, whichever it is."""

import threading
import time

import pytest
from row_sources import IDLE, STREAMS, collected, idle_source, text

from edged.sources.rowvalues import MAX_ROW_BYTES

LINES = b"".join(b"%d,%d.5\n" % (number, number * 7) for number in range(400))


@pytest.fixture(params=STREAMS)
def stream(request, tmp_path):
    stream = STREAMS[request.param](tmp_path)
    yield stream
    stream.source.close()
    stream.end()


@pytest.fixture(params=IDLE)
def idle(request, tmp_path):
    source = idle_source(request.param, tmp_path)
    yield source
    source.close()


@pytest.mark.parametrize("piece_bytes", [1, 7, 1000])
def test_lines_come_whole_and_in_order_in_whatever_pieces_they_were_written(stream, piece_bytes):
    writer = stream.write_in_pieces(LINES, piece_bytes)
    deliveries = collected(stream.source, 400)
    writer.join(5)
    assert text(deliveries) == LINES
    assert all(delivery.payload.endswith(b"\n") for delivery in deliveries)


def test_a_line_is_held_until_it_is_complete(stream):
    stream.write(b"1,2\n3,")
    assert text(collected(stream.source, 1)) == b"1,2\n"
    assert stream.source.read(0.1) == []
    stream.write(b"4\n")
    assert text(collected(stream.source, 1)) == b"3,4\n"


def test_a_delivery_says_when_it_came(stream):
    stream.write(b"1\n")
    delivery = collected(stream.source, 1)[0]
    assert abs(delivery.at_s - time.time()) < 5
    assert 0 <= time.monotonic() - delivery.at_monotonic_s < 5


def test_of_a_line_without_end_only_the_beginning_comes_and_the_next_is_read(stream):
    writer = stream.write_in_pieces(b"x" * (3 * MAX_ROW_BYTES) + b"\n1,2\n", 60_000)
    deliveries = collected(stream.source, 2)
    writer.join(5)
    assert text(deliveries) == b"x" * (MAX_ROW_BYTES + 1) + b"\n1,2\n"


def test_it_is_no_end_when_nothing_comes(idle):
    idle.open()
    began_s = time.monotonic()
    assert idle.read(0.1) == []
    assert 0.08 < time.monotonic() - began_s < 2
    assert not idle.ended


def test_a_call_ends_the_read_that_waits_and_no_other(idle):
    idle.open()
    caller = threading.Timer(0.1, idle.wake)
    caller.start()
    began_s = time.monotonic()
    assert idle.read(20) == []
    assert time.monotonic() - began_s < 5
    caller.join(5)
    began_s = time.monotonic()
    assert idle.read(0.1) == []
    assert time.monotonic() - began_s > 0.08


def test_a_call_before_the_read_is_not_lost(idle):
    idle.open()
    idle.wake()
    began_s = time.monotonic()
    assert idle.read(20) == []
    assert time.monotonic() - began_s < 5


def test_it_can_be_closed_twice_called_when_closed_and_opened_again(idle):
    idle.close()
    idle.wake()
    idle.open()
    idle.close()
    idle.close()
    idle.wake()
    idle.open()
    idle.read(0)
    assert idle.read(0) == []


def test_a_source_that_waits_costs_no_time_of_the_processor(idle):
    idle.open()
    before_s = time.thread_time()
    idle.read(1.0)
    assert time.thread_time() - before_s < 0.1
