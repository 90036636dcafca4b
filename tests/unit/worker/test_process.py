"""What comes over a lane is taken in whole, in however many pieces it comes."""

import socket
import struct
import threading

import pytest

from edged.worker.client import _bound_waits
from edged.worker.process import READ_BYTES, REPLY, REQUEST, receive_message


@pytest.fixture
def lane():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("size", [0, 1, READ_BYTES - REQUEST.size, READ_BYTES, 300_000])
def test_head_and_body_of_any_size(lane, size):
    ours, theirs = lane
    body = bytes(range(256)) * (size // 256 + 1)
    message = REQUEST.pack(7, size) + body[:size]
    sender = threading.Thread(target=theirs.sendall, args=(message,))
    sender.start()
    assert receive_message(ours, REQUEST) == ((7, size), body[:size])
    sender.join()


@pytest.mark.parametrize("cut", [1, REPLY.size - 1, REPLY.size, REPLY.size + 1])
def test_pieces_are_put_together(lane, cut):
    ours, theirs = lane
    message = REPLY.pack(1, 0, 2.0, 3.0, 5) + b"boxes"
    theirs.sendall(message[:cut])
    later = threading.Timer(0.02, theirs.sendall, (message[cut:],))
    later.start()
    assert receive_message(ours, REPLY) == ((1, 0, 2.0, 3.0, 5), b"boxes")
    later.join()


@pytest.mark.parametrize("sent", [0, 1, REPLY.size, REPLY.size + 4])
def test_an_end_in_the_middle_is_the_end(lane, sent):
    ours, theirs = lane
    theirs.sendall((REPLY.pack(1, 0, 2.0, 3.0, 5) + b"boxes")[:sent])
    theirs.close()
    assert receive_message(ours, REPLY) is None


@pytest.mark.parametrize("sent", [b"", b"half"])
def test_a_bounded_wait_ends(lane, sent):
    ours, theirs = lane
    _bound_waits(ours, 0.03)
    theirs.sendall(sent)
    with pytest.raises(BlockingIOError):
        receive_message(ours, REPLY)


@pytest.mark.parametrize(
    ("timeout_s", "kept"), [(0.0, (0, False)), (2.0, (2, False)), (0.5, (0, True)), (29.5, (29, True))]
)
def test_no_bound_is_for_ever(lane, timeout_s, kept):
    ours, _ = lane
    _bound_waits(ours, timeout_s)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        seconds, rest = struct.unpack("@ll", ours.getsockopt(socket.SOL_SOCKET, option, 16))
        assert (seconds, rest > 100_000) == kept
        assert seconds or rest
