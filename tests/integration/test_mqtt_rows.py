"""Rows from a real mosquitto: what waits, what comes again, what does not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import paho.mqtt.client as paho
import pytest
from mosquitto_broker import Mosquitto, until
from paho.mqtt.enums import CallbackAPIVersion

from edged.errors import BrokerUnreachable, EdgedError, NotAllowed
from edged.mqtt.inbox import Inbox
from edged.mqtt.records import LinkOptions
from edged.mqtt.rows import MqttRows
from edged.mqtt.topics import Topics
from edged.rows import Delivery
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
TOPIC = "factory/pump-3/vibration"
Version = Literal["5", "3.1.1"]

protocols = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


def options(broker: Mosquitto, protocol: Version = "5") -> LinkOptions:
    return LinkOptions(broker_address(broker.url), client_id="edged-gate-7", protocol=protocol)


@contextmanager
def sensor(
    broker: Mosquitto, protocol: Version = "5", topic_filter: str = "factory/+/vibration"
) -> Iterator[MqttRows]:
    rows = MqttRows("pump", topic_filter, options(broker, protocol), topics=TOPICS)
    rows.open()
    try:
        yield rows
    finally:
        rows.close()


class Publisher:
    """Publishes and waits until the broker has it."""

    def __init__(self, broker: Mosquitto) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, *payloads: bytes, topic: str = TOPIC, qos: int = 1, retain: bool = False) -> None:
        sent = [self._client.publish(topic, payload, qos=qos, retain=retain) for payload in payloads]
        for each in sent:
            each.wait_for_publish(10)
            assert each.is_published()


def numbered(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


def read(rows: MqttRows, count: int, within_s: float = 10.0) -> list[Delivery]:
    found: list[Delivery] = []

    def enough() -> bool:
        found.extend(rows.read(0.1))
        return len(found) >= count

    assert until(enough, within_s), len(found)
    return found


def payloads(deliveries: list[Delivery]) -> list[bytes]:
    return [each.payload for each in deliveries]


def settle(deliveries: list[Delivery]) -> None:
    for each in deliveries:
        assert each.receipt is not None
        each.receipt.let_go()


def acknowledged(broker: Mosquitto) -> int:
    """Acknowledgements that the broker has taken."""
    return sum("Received PUBACK from edged-gate-7-sensor-pump" in line for line in list(broker.log))


def nothing_more(rows: MqttRows) -> bool:
    return rows.read(0.5) == []


def broken(rows: MqttRows) -> BrokerUnreachable:
    """Read until the connection is over."""
    errors: list[BrokerUnreachable] = []

    def over() -> bool:
        try:
            rows.read(0.1)
        except BrokerUnreachable as error:
            errors.append(error)
        return bool(errors)

    assert until(over, 10)
    return errors[0]


def reopen(rows: MqttRows) -> None:
    def is_open() -> bool:
        try:
            rows.open()
        except EdgedError:
            return False
        return True

    assert until(is_open, 10)


@protocols
def test_rows_arrive_in_order_with_what_the_wildcard_stood_for(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto()
    with sensor(broker, protocol) as rows, Publisher(broker) as publisher:
        publisher.publish(*numbered(*range(300)))
        publisher.publish(b"other", topic="factory/pump-4/vibration")
        publisher.publish(b"none of it", topic="factory/pump-4/temperature")
        found: list[Delivery] = []
        while len(found) < 301:
            some = read(rows, 1)
            settle(some)
            found += some
        publisher.publish(b"without acknowledgement", qos=0)
        found += read(rows, 1)
    assert payloads(found) == [*numbered(*range(300)), b"other", b"without acknowledgement"]
    assert [each.origin for each in found] == ["pump-3"] * 300 + ["pump-4", "pump-3"]
    assert found[-1].receipt is None


@protocols
def test_rows_that_are_published_while_we_are_away_wait_at_the_broker(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto()
    with Publisher(broker) as publisher:
        with sensor(broker, protocol) as rows:
            publisher.publish(*numbered(0, 1, 2))
            settle(read(rows, 3))
        publisher.publish(*numbered(*range(3, 100)))
        with sensor(broker, protocol) as rows:
            publisher.publish(b"live")
            found: list[Delivery] = []
            while len(found) < 98:
                some = read(rows, 1)
                settle(some)
                found += some
            assert payloads(found) == [*numbered(*range(3, 100)), b"live"]
            assert nothing_more(rows)


_CHILD = """
import sys, threading
from edged.mqtt.records import LinkOptions
from edged.mqtt.rows import MqttRows
from edged.mqtt.topics import Topics
from edged.urls import broker_address
url, protocol, settled = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = LinkOptions(broker_address(url), client_id="edged-gate-7", protocol=protocol)
rows = MqttRows("pump", "factory/+/vibration", options, topics=Topics("edged", "gate-7"))
rows.open()
print("open", flush=True)
found = []
while len(found) < 10:
    found += rows.read(1.0)
for each in found[:settled] + found[settled + 1:]:  # all but one, so that what is behind it is not acknowledged
    each.receipt.let_go()
while rows.unacknowledged > 10 - settled:
    rows.read(0.01)
print("read", flush=True)
threading.Event().wait()
"""


@protocols
def test_what_a_killed_process_did_not_acknowledge_comes_again_and_nothing_else(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto()
    command = [sys.executable, "-c", _CHILD, broker.url, protocol, "4"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child,
        Publisher(broker) as publisher,
    ):
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        publisher.publish(*numbered(*range(10)))
        assert child.stdout.readline() == "read\n"
        assert until(lambda: acknowledged(broker) == 4, 5)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
        publisher.publish(b"10")
    with sensor(broker, protocol) as rows:
        found = read(rows, 7)
        assert payloads(found) == numbered(*range(4, 11))
        settle(found)
        assert nothing_more(rows)
    with sensor(broker, protocol) as rows:
        assert nothing_more(rows)


@protocols
def test_what_is_on_its_way_when_the_broker_restarts_is_read_once_and_acknowledged_afterwards(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto(persistence=True)
    with sensor(broker, protocol) as rows:
        with Publisher(broker) as publisher:
            publisher.publish(*numbered(*range(10)))
            found = read(rows, 10)
        settle(found[:5])
        assert until(lambda: acknowledged(broker) == 5, 5)
        broker.stop()
        assert "connection" in str(broken(rows))
        settle(found[5:7])
        broker.start()
        reopen(rows)
        with Publisher(broker) as publisher:
            publisher.publish(b"new")
            new = read(rows, 1)
            assert payloads(new) == [b"new"]
            assert nothing_more(rows)
        settle(found[7:] + new)
        assert until(lambda: rows.unacknowledged == 0, 5)
    with sensor(broker, protocol) as rows:
        assert nothing_more(rows)


@protocols
def test_a_row_of_a_megabyte_arrives(mosquitto: Callable[..., Mosquitto], protocol: Version) -> None:
    broker = mosquitto()
    with sensor(broker, protocol) as rows, Publisher(broker) as publisher:
        publisher.publish(b"x" * (1 << 20), b"small")
        found = read(rows, 2)
        settle(found)
    assert [len(each.payload) for each in found] == [1 << 20, 5]


def test_what_is_larger_than_we_announced_is_dropped_by_the_broker_and_costs_nobody_else(
    mosquitto: Callable[..., Mosquitto],
) -> None:
    broker = mosquitto()
    with sensor(broker) as rows, Publisher(broker) as publisher:
        publisher.publish(b"x" * (3 << 20), b"small")
        assert payloads(read(rows, 1)) == [b"small"]
        assert nothing_more(rows)


@protocols
def test_retained_messages_are_no_rows(mosquitto: Callable[..., Mosquitto], protocol: Version) -> None:
    broker = mosquitto()
    with Publisher(broker) as publisher:
        publisher.publish(b"old", retain=True)
        for _ in range(2):
            with sensor(broker, protocol) as rows:
                assert nothing_more(rows)
                publisher.publish(b"new", retain=True)
                found = read(rows, 1)
                settle(found)
                assert payloads(found) == [b"new"]


@protocols
def test_another_client_of_our_name_ends_the_connection(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto()
    with sensor(broker, protocol) as rows, sensor(broker, protocol) as rival:
        assert "the connection broke" in str(broken(rows))  # mosquitto 2.0.11 does not say why
        with Publisher(broker) as publisher:
            publisher.publish(b"row")
            assert payloads(read(rival, 1)) == [b"row"]


def test_a_connection_outlives_its_keep_alive_while_nobody_reads(
    mosquitto: Callable[..., Mosquitto],
) -> None:
    broker = mosquitto()
    quick = LinkOptions(broker_address(broker.url), client_id="edged-gate-7", keepalive_s=5.0)
    rows = MqttRows("pump", "factory/#", quick, topics=TOPICS)
    rows.open()
    assert until(lambda: sum("PINGRESP to edged-gate-7-sensor-pump" in line for line in broker.log) >= 2, 20)
    with Publisher(broker) as publisher:
        publisher.publish(b"row")
    assert payloads(read(rows, 1)) == [b"row"]
    rows.close()


@protocols
def test_more_than_the_window_waits_until_it_is_acknowledged(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto("max_queued_messages 0")
    with sensor(broker, protocol) as rows, Publisher(broker) as publisher:
        publisher.publish(*numbered(*range(1500)))
        found = read(rows, 20)
        assert not until(lambda: len(found.__iadd__(rows.read(0.05))) >= 1001, 1)
        settle(found)
        while len(found) < 1500:
            some = read(rows, 1)
            settle(some)
            found += some
    assert payloads(found) == numbered(*range(1500))


@protocols
def test_what_does_not_fit_into_the_inbox_waits_in_the_socket(
    mosquitto: Callable[..., Mosquitto], protocol: Version
) -> None:
    broker = mosquitto()
    rows = MqttRows("pump", "factory/#", options(broker, protocol), topics=TOPICS)
    rows._inbox = Inbox(max_deliveries=7)
    rows.open()
    with Publisher(broker) as publisher:
        publisher.publish(*numbered(*range(15)))
        assert not until(lambda: len(rows._inbox) > 7, 0.3)
        found = read(rows, 15)
    assert payloads(found) == numbered(*range(15))
    settle(found)
    rows.close()


def test_a_broker_that_is_away_is_said(mosquitto: Callable[..., Mosquitto]) -> None:
    broker = mosquitto()
    rows = MqttRows("pump", "factory/#", options(broker), topics=TOPICS)
    broker.stop()
    with pytest.raises(BrokerUnreachable, match="nothing listens there"):
        rows.open()


def test_a_broker_that_wants_a_password_is_said(mosquitto: Callable[..., Mosquitto]) -> None:
    broker = mosquitto("allow_anonymous false")
    rows = MqttRows("pump", "factory/#", options(broker), topics=TOPICS)
    with pytest.raises(NotAllowed, match="bad user name or password"):
        rows.open()
