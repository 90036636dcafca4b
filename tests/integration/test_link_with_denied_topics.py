"""The link against brokers that hang up on what their ACL denies: that topic is left out, everything else goes on."""

import json
import threading
from collections.abc import Callable
from itertools import count
from typing import Any, Literal

import pytest
from mosquitto_broker import until
from outboxes import outbox
from scripted_broker import Published, Script, ScriptedBroker

from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.topics import Topics
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
FRONT, BACK = TOPICS.detections("front"), TOPICS.detections("back")
STATES = [TOPICS.camera_state(f"camera{number}") for number in range(30)]
HOWS = ["at once", "after a word", "after an acknowledgement"]


def script(denied: Callable[[str], bool], how: str) -> Script:
    """As cloud brokers do; as mosquitto with ``max_queued_messages 0`` does in MQTT 5; as that does in 3.1.1."""

    def puback(message: Published) -> int:
        if not denied(message.topic):
            return 0
        if how == "at once":
            raise ConnectionError
        return 0x87 if how == "after a word" else 0

    return Script(puback=puback, ends=lambda message: denied(message.topic))


def link_to(broker: ScriptedBroker, box: Any, how: str, **more: Any) -> Link:
    protocol: Literal["5", "3.1.1"] = "3.1.1" if how == "after an acknowledgement" else "5"
    options = LinkOptions(broker_address(broker.url), client_id="edged-gate-7", protocol=protocol)
    link = Link(options, topics=TOPICS, outbox=box, on_command=lambda command: None, **more)
    for topic in STATES:
        link.set_state(topic, b"{}")
    return link


def result(number: int) -> bytes:
    return json.dumps({"id": f"m{number}", "number": number}).encode()


def numbers(broker: ScriptedBroker, topic: str = FRONT) -> list[int]:
    return [json.loads(payload)["number"] for payload in broker.payloads(topic)]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    "denied", [[STATES[0]], [STATES[17]], [STATES[-1]], [TOPICS.status], [STATES[3], STATES[4], STATES[20]]]
)
def test_a_state_that_the_broker_hangs_up_on_is_left_out(how, denied):
    box = outbox()
    for number in range(20):
        box.append(FRONT, result(number), qos=1)
    with (
        ScriptedBroker(script(denied.__contains__, how)) as broker,
        link_to(broker, box, how) as link,
    ):
        assert link.drain(30)
        assert list(dict.fromkeys(numbers(broker))) == list(range(20))
        last = max(message.connection for message in broker.published)
        told = [
            message.topic for message in broker.published if message.connection == last and message.retain
        ]
        assert sorted(told) == sorted({TOPICS.status, *STATES} - {*denied})
        connections = link.connections
        for topic in denied:
            link.set_state(topic, b"{}\n")
            link.repeat_state(topic)
        box.append(FRONT, result(20), qos=1)
        assert link.drain(10)
        assert link.connections == connections


@pytest.mark.parametrize("how", ["at once", "after a word"])
def test_results_of_a_topic_that_the_broker_hangs_up_on_do_not_hold_the_others_up(how):
    box = outbox()
    with (
        ScriptedBroker(script(lambda topic: topic == BACK, how)) as broker,
        link_to(broker, box, how) as link,
    ):
        for number in range(200):
            box.append(FRONT, result(number), qos=1)
            box.append(BACK, result(number), qos=1)
        assert link.drain(30)
        assert list(dict.fromkeys(numbers(broker))) == list(range(200))
        assert link.set_aside == 200
        connections = link.connections
        for number in range(200, 220):
            box.append(FRONT, result(number), qos=1)
            box.append(BACK, result(number), qos=1)
        assert link.drain(10)
        assert (link.connections, link.set_aside) == (connections, 220)
    assert len(set(numbers(broker, BACK))) <= 2


def test_what_was_left_out_is_tried_again_and_told_as_it_is_by_then(monkeypatch):
    monkeypatch.setattr("edged.mqtt.barred.FIRST_S", 2.0)
    denies = [STATES[5], BACK]
    with (
        ScriptedBroker(script(lambda topic: topic in denies, "after a word")) as broker,
        link_to(broker, box := outbox(), "after a word") as link,
    ):
        box.append(BACK, result(0), qos=1)
        assert link.drain(10)
        link.set_state(STATES[5], b"news")
        denies.clear()
        assert broker.wait_for(lambda: b"news" in broker.payloads(STATES[5]))
        assert until(lambda: _arrives(box, broker), 10)


_numbers = count(100)


def _arrives(box: Any, broker: ScriptedBroker) -> bool:
    number = next(_numbers)
    box.append(BACK, result(number), qos=1)
    return until(lambda: number in numbers(broker, BACK), 1)


def test_a_broker_that_is_killed_again_and_again_has_nothing_left_out(caplog):
    """Ends without a cause, some of them while states are told."""
    tick = count()
    box = outbox()
    unsteady = Script(ends=lambda message: message.topic in STATES and next(tick) % 47 == 20)
    with ScriptedBroker(unsteady) as broker, link_to(broker, box, "at once") as link:
        for number in range(10):
            box.append(FRONT, result(number), qos=1)
            assert link.drain(20)
            broker.hang_up()
            assert until(lambda: not link.connected, 5)
            assert until(lambda: link.connected, 10)
        assert link.drain(20)
        unsteady.ends = lambda message: False
        broker.hang_up()
        assert until(lambda: not link.connected, 5)
        assert until(lambda: link.connected, 10)
        assert link.drain(10)
        last = max(message.connection for message in broker.published)
        told = [
            message.topic for message in broker.published if message.connection == last and message.retain
        ]
    assert {*STATES} <= {*told}


def test_a_state_that_changes_all_the_time_does_not_keep_results_from_a_link_that_was_broken_twice():
    box, ends = outbox(), [12, 30]
    seen = count()

    def ends_now(message: Published) -> bool:
        return message.retain and next(seen) in ends

    stop = threading.Event()
    with ScriptedBroker(Script(ends=ends_now)) as broker, link_to(broker, box, "at once") as link:

        def change() -> None:
            for number in count():
                if stop.wait(0.03):
                    return
                link.set_state(TOPICS.count("front", "car"), str(number).encode())

        changing = threading.Thread(target=change)
        changing.start()
        try:
            for number in range(20):
                box.append(FRONT, result(number), qos=1)
            assert until(lambda: {*numbers(broker)} == {*range(20)}, 15)
        finally:
            stop.set()
            changing.join(5)


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x95, 0x99])
def test_one_message_that_is_refused_for_itself_costs_no_other_of_its_topic(reason):
    """Too large, say: the connection breaks by chance a moment later."""
    box = outbox()

    def puback(message: Published) -> int:
        return reason if b'"m1"' in message.payload else 0

    with (
        ScriptedBroker(Script(puback=puback, ends=lambda message: b'"m1"' in message.payload)) as broker,
        link_to(broker, box, "at once") as link,
    ):
        for number in range(300):
            box.append(FRONT, result(number), qos=1)
        assert link.drain(20)
        assert link.set_aside == 1
        assert {*numbers(broker)} == {*range(300)}


def test_what_waits_for_no_answer_is_left_out_too():
    denied = TOPICS.health
    box = outbox()
    with (
        ScriptedBroker(Script(ends=lambda message: message.topic == denied)) as broker,
        link_to(broker, box, "at once") as link,
    ):
        for _ in range(3):
            assert until(lambda: link.connected, 10)
            assert link.drain(10)
            before = link.connections
            link.publish(denied, b"{}")
            assert until(lambda before=before: link.connections > before, 10)
        assert link.drain(10)
        connections = link.connections
        link.publish(denied, b"{}")
        box.append(FRONT, result(0), qos=1)
        assert link.drain(10)
        assert link.connections == connections
        assert len(broker.payloads(denied)) == 3


def test_a_broker_that_takes_no_state_at_all_gets_results(monkeypatch):
    monkeypatch.setattr("edged.mqtt.blame.HOLD_AFTER", 3)

    def puback(message: Published) -> int:
        if message.retain:
            raise ConnectionError
        return 0

    box = outbox()
    with ScriptedBroker(Script(puback=puback)) as broker, link_to(broker, box, "at once") as link:
        for number in range(20):
            box.append(FRONT, result(number), qos=1)
        assert link.drain(20)
        assert {*numbers(broker)} == {*range(20)}
