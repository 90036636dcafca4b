"""The demo's broker as its clients meet it."""

import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from mosquitto_broker import Listener
from real_parts import unavailable

from edged.errors import BrokerUnreachable
from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.subscriber import Subscriber
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.urls import broker_address

TOPICS = Topics("edged", "demo")


class Broker:
    """A running broker; `port` is what it prints."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "edged.demo.broker"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def options(self, name: str, **more: str) -> LinkOptions:
        return LinkOptions(broker_address(f"mqtt://127.0.0.1:{self.port}"), client_id=name, **more)

    def end(self) -> tuple[str, str]:
        """What else it wrote."""
        self.process.terminate()
        return self.process.communicate(timeout=10)


@pytest.fixture
def broker():
    if find_spec("amqtt") is None:
        unavailable("amqtt is not installed (pip install 'edged[demo]')")
    running = Broker()
    yield running
    running.end()


def test_auto_finds_at_once_that_it_speaks_3_1_1_and_results_arrive(broker):
    began_s = time.monotonic()
    box = MemoryOutbox(1 << 20, 60.0)
    with (
        Listener(broker, "edged/#") as listener,
        Link(broker.options("box"), topics=TOPICS, outbox=box) as link,
    ):
        for number in range(200):
            box.append(TOPICS.detections("front"), b'{"id":"%d"}' % number, qos=1)
        assert link.drain(10)
        assert link.state.protocol == "3.1.1"
        assert time.monotonic() - began_s < 4, "it waited for an answer that does not come"
        assert listener.wait_for(lambda: len(listener.objects(TOPICS.detections("front"))) >= 200)
        assert [found["id"] for found in listener.objects(TOPICS.detections("front"))] == [
            str(number) for number in range(200)
        ]


def test_mqtt_5_is_refused_in_words(broker):
    with pytest.raises(BrokerUnreachable, match="the broker refuses MQTT 5"):
        Subscriber(broker.options("five", protocol="5"), "edged/#")


def test_who_comes_later_hears_the_states_that_were_retained(broker):
    with Link(broker.options("box"), topics=TOPICS, outbox=MemoryOutbox(1 << 20, 60.0)) as link:
        assert link.drain(10)
        with Subscriber(broker.options("late"), "edged/#") as subscriber:
            (status,) = subscriber.receive(5)
    assert (status.topic, status.payload, status.retained) == (TOPICS.status, b"online", True)


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", bytes(64)]
)
def test_who_speaks_no_mqtt_is_turned_away_and_the_others_stay(broker, said):
    with Subscriber(broker.options("stays"), "edged/#") as subscriber:
        with socket.create_connection(("127.0.0.1", broker.port), 5) as stranger:
            stranger.sendall(said)
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(64) in {b"", b"\x20\x02\x00\x01"}
        assert subscriber.receive(0.1) == []
        assert subscriber.why == ""


def test_it_says_nothing_but_its_port(broker):
    with Subscriber(broker.options("five"), "edged/#"):
        pass
    assert broker.end() == ("", "")
