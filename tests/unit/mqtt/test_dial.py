import select
import socket
import ssl
import time

import pytest

from edged.errors import BrokerUnreachable
from edged.mqtt.dial import Patience, Waker, dial, tls_failure
from edged.urls import BrokerAddress


def address(port: int, host: str = "127.0.0.1") -> BrokerAddress:
    return BrokerAddress(host, port, tls=False)


def patience(seconds: float, *, cancelled: bool = False) -> Patience:
    return Patience(time.monotonic() + seconds, lambda: cancelled)


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_socket_is_connected_does_not_block_and_sends_small_messages_at_once(listening):
    with dial(address(listening), context=None, patience=patience(5)) as sock:
        assert sock.getpeername() == ("127.0.0.1", listening)
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_another_address_of_the_same_name_is_tried(listening, monkeypatch):
    def two(host, port, **_):
        family = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        return [(*family, ("127.0.0.1", 1)), (*family, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    dial(address(listening, "broker.lan"), context=None, patience=patience(5)).close()


def test_nothing_listening_is_said(listening):
    with pytest.raises(BrokerUnreachable, match="nothing listens there"):
        dial(address(1), context=None, patience=patience(5))


def test_a_peer_that_does_not_answer_tls_is_left_when_the_time_is_over(listening):
    began = time.monotonic()
    with pytest.raises(BrokerUnreachable, match="no answer to the greeting"):
        dial(address(listening), context=ssl.create_default_context(), patience=patience(0.3))
    assert time.monotonic() - began < 2


def test_a_dialling_that_nobody_wants_any_more_ends_early(listening):
    began = time.monotonic()
    with pytest.raises(BrokerUnreachable, match="stopped"):
        dial(address(listening), context=ssl.create_default_context(), patience=patience(30, cancelled=True))
    assert time.monotonic() - began < 2


def test_a_waker_wakes_once_for_many_calls_and_may_be_called_after_its_end():
    waker = Waker()
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    assert poll.poll(0) == []
    for _ in range(100_000):
        waker.wake()
    assert poll.poll(0)
    waker.clear()
    assert poll.poll(0) == []
    waker.close()
    waker.wake()


def test_an_unknown_failure_of_tls_still_says_what_to_try():
    assert "TLS port" in str(tls_failure(address(1), ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")))


def test_a_broker_that_hangs_up_once_tls_stands_may_want_a_certificate_and_nobody_is_sent_to_plain_mqtt():
    said = str(
        tls_failure(address(1), ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), agreed=True)
    )
    assert "wants a client certificate; set mqtt.cert_file and mqtt.key_file" in said
    assert "mqtt://" not in said.partition(": TLS")[2]
