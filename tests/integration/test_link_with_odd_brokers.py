"""The link against a broker that misbehaves: nothing is lost, one bad message does not hold the others up."""

import json
import threading
import time

import pytest
from mosquitto_broker import until
from outboxes import outbox
from scripted_broker import Published, Script, ScriptedBroker

from edged.mqtt.link import Link, LinkOptions, LinkState
from edged.mqtt.topics import Topics
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
FRONT = TOPICS.detections("front")


def options(url: str, **more) -> LinkOptions:
    return LinkOptions(broker_address(url), client_id="edged-gate-7", **more)


def result(number: int) -> bytes:
    return json.dumps({"id": f"m{number}", "number": number}).encode()


def accepts(level: int) -> bytes:
    return b"\x20\x03\x00\x00\x00" if level == 5 else b"\x20\x02\x00\x00"


def numbers(broker: ScriptedBroker) -> list[int]:
    return [json.loads(payload)["number"] for payload in broker.payloads(FRONT)]


def test_a_broker_killed_again_and_again_has_recorded_everything_in_order():
    box, made = outbox(), 0
    end = threading.Event()

    def produce() -> None:
        nonlocal made
        while not end.wait(0.002):
            box.append(FRONT, result(made), qos=1)
            made += 1

    with ScriptedBroker() as broker, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        producer = threading.Thread(target=produce)
        producer.start()
        for _ in range(5):
            seen = len(broker.published)
            assert broker.wait_for(lambda seen=seen: len(broker.published) > seen + 100)
            broker.vanish()
            assert until(lambda: not link.connected, 5)
            broker.listen()
        end.set()
        producer.join(5)
        assert link.drain(20)
        assert link.set_aside == 0
    assert list(dict.fromkeys(numbers(broker))) == list(range(made))
    identities = {json.loads(payload)["id"] for payload in broker.payloads(FRONT)}
    assert identities == {f"m{number}" for number in range(made)}


@pytest.mark.parametrize(
    ("refusal", "remembered"),
    [(b"\x20\x02\x00\x01", True), (b"\x20\x03\x00\x84\x00", True), (None, False), (b"", False)],
    ids=["as 3.1.1 does", "as 5 does", "by hanging up", "by saying nothing"],
)
def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1(refusal, remembered, monkeypatch):
    monkeypatch.setattr("edged.mqtt.connection.CONNECT_TIMEOUT_S", 1.0)
    script = Script(connack=lambda level: refusal if level == 5 else b"\x20\x02\x00\x00")
    box = outbox()
    with ScriptedBroker(script) as broker, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        box.append(FRONT, result(0), qos=1)
        assert link.drain(10)
        assert link.state.protocol == "3.1.1"
        first = [5, 4, 5, 4] if refusal is None else [5, 4]  # it may have hung up for another reason
        assert [greeting.level for greeting in broker.greetings] == first
        broker.hang_up()
        assert broker.wait_for(lambda: len(broker.greetings) > len(first))
        assert until(lambda: link.connected, 5)
        levels = [greeting.level for greeting in broker.greetings]
        assert levels == first + ([4] if remembered else [5, 4])
        assert numbers(broker) == [0]


@pytest.mark.parametrize("momentary", [None, b""], ids=["hanging up", "saying nothing"])
@pytest.mark.parametrize("protocol", ["auto", "5"])
def test_a_broker_that_spoke_mqtt_5_before_is_asked_for_it_until_it_does_again(
    momentary, protocol, monkeypatch
):
    monkeypatch.setattr("edged.mqtt.connection.CONNECT_TIMEOUT_S", 0.5)
    script, states = Script(), []
    with (
        ScriptedBroker(script) as broker,
        Link(
            options(broker.url, protocol=protocol),
            topics=TOPICS,
            outbox=outbox(),
            on_change=lambda state: states.append(state.why),
        ) as link,
    ):
        assert until(lambda: link.connected, 5)
        script.connack = lambda level: momentary
        broker.hang_up()
        assert broker.wait_for(lambda: len(broker.greetings) == 3)
        script.connack = None
        assert until(lambda: link.connected, 10)
        assert link.state.protocol == "5"
        assert {greeting.level for greeting in broker.greetings} == {5}
    assert any("the greeting; look at the broker if it goes on" in why for why in states)


def test_a_broker_that_was_replaced_by_one_without_mqtt_5_is_spoken_to_in_3_1_1_in_the_end(monkeypatch):
    monkeypatch.setattr("edged.mqtt.connector.PATIENCE", 3)
    script = Script()
    with (
        ScriptedBroker(script) as broker,
        Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link,
    ):
        assert until(lambda: link.state.protocol == "5", 5)
        script.connack = lambda level: None if level == 5 else b"\x20\x02\x00\x00"
        broker.hang_up()
        assert until(lambda: link.state.protocol == "3.1.1", 10)
        levels = [greeting.level for greeting in broker.greetings]
        assert levels[1:5] == [5, 5, 5, 4]


def test_a_broker_that_hangs_up_once_as_the_box_starts_is_spoken_to_in_mqtt_5():
    answers = iter([None])
    script = Script(connack=lambda level: next(answers, accepts(level)))
    with (
        ScriptedBroker(script) as broker,
        Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link,
    ):
        assert until(lambda: link.connected, 5)
        assert link.state.protocol == "5"
        assert [greeting.level for greeting in broker.greetings] == [5, 4, 5]


def test_mqtt_5_alone_is_not_given_up_for_3_1_1_when_demanded():
    script = Script(connack=lambda level: b"\x20\x02\x00\x01")
    with ScriptedBroker(script) as broker:
        with Link(options(broker.url, protocol="5"), topics=TOPICS, outbox=outbox()) as link:
            assert until(lambda: "refuses MQTT 5" in link.state.why, 5)
        assert {greeting.level for greeting in broker.greetings} == {5}


def test_a_broker_that_acknowledges_nothing_is_left_and_the_message_delivered_later():
    silent = threading.Event()
    silent.set()
    script = Script(puback=lambda message: None if silent.is_set() and message.topic == FRONT else 0)
    box = outbox()
    states: list[LinkState] = []
    with ScriptedBroker(script) as broker:
        with Link(options(broker.url), topics=TOPICS, outbox=box, on_change=states.append) as link:
            box.append(FRONT, result(0), qos=1)
            assert until(lambda: any("no acknowledgement" in state.why for state in states), 10)
            assert len(box) == 1
            silent.clear()
            assert link.drain(10)
        assert numbers(broker) == [0, 0]
    assert json.loads(broker.payloads(FRONT)[-1])["replayed"] is True


def test_a_broker_that_never_answers_a_greeting_is_left_and_named(monkeypatch):
    monkeypatch.setattr("edged.mqtt.connection.CONNECT_TIMEOUT_S", 2.0)
    with ScriptedBroker(Script(connack=lambda level: b"")) as broker:
        link = Link(options(broker.url), topics=TOPICS, outbox=outbox())
        link.start()
        assert until(lambda: "no CONNACK" in link.state.why, 8)
        assert not link.connected_once
        began = time.monotonic()
        link.stop(2.0)
        assert time.monotonic() - began < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name == "mqtt-link"]


def test_garbage_instead_of_an_answer_is_survived():
    answers = iter([b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b"\x20\x00"])
    script = Script(
        connack=lambda level: next(answers, b"\x20\x03\x00\x00\x00" if level == 5 else b"\x20\x02\x00\x00")
    )
    box = outbox()
    with ScriptedBroker(script) as broker, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        box.append(FRONT, result(0), qos=1)
        assert link.drain(20)
        assert numbers(broker) == [0]


def test_a_packet_without_end_is_not_waited_for():
    box = outbox()
    with ScriptedBroker() as broker, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        assert until(lambda: link.connected, 10)
        broker.say(b"\x30\xff\xff\xff\x7f" + bytes(1000))  # PUBLISH, 256 MiB follow
        assert broker.wait_for(lambda: len(broker.greetings) > 1)
        box.append(FRONT, result(0), qos=1)
        assert link.drain(10)
    assert numbers(broker) == [0]


def test_the_receive_maximum_of_the_broker_is_kept():
    box = outbox()
    held = threading.Event()
    script = Script(
        puback=lambda message: 0 if held.wait(5) or True else None, properties=b"\x21\x00\x03"
    )  # Receive Maximum 3
    with ScriptedBroker(script) as broker, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        for number in range(50):
            box.append(FRONT, result(number), qos=1)
        held.set()
        assert link.drain(10)
        assert numbers(broker) == list(range(50))
    assert broker.most_unacknowledged <= 3


def test_topics_of_results_go_by_a_number_where_the_broker_allows_it():
    box = outbox()
    with ScriptedBroker(Script(properties=b"\x22\x00\x01")) as broker:  # Topic Alias Maximum 1
        with Link(options(broker.url), topics=TOPICS, outbox=box) as link:
            for number in range(3):
                box.append(FRONT, result(number), qos=1)
                box.append(TOPICS.detections("back"), result(number), qos=1)
            assert link.drain(10)
        topics = [message.topic for message in broker.published if b"number" in message.payload]
    back = TOPICS.detections("back")
    assert topics == [FRONT, back, "", back, "", back]


def test_the_maximum_packet_size_of_the_broker_is_kept():
    box = outbox()
    with ScriptedBroker(Script(properties=b"\x27\x00\x00\x02\x00")) as broker:  # 512 bytes
        with Link(options(broker.url), topics=TOPICS, outbox=box) as link:
            box.append(FRONT, b'{"number": 0, "pad": "' + b"x" * 600 + b'"}', qos=1)
            box.append(FRONT, result(1), qos=1)
            assert link.drain(10)
            assert link.set_aside == 1
        assert numbers(broker) == [1]
        assert {greeting.level for greeting in broker.greetings} == {5}
        assert len(broker.greetings) == 1


@pytest.mark.parametrize("reason", [0x87, 0x90, 0x95, 0x99])
def test_a_message_that_the_broker_refuses_is_set_aside_and_the_others_go_on(reason):
    box = outbox()

    def puback(message: Published) -> int:
        return reason if message.topic == FRONT and b'"number": 1}' in message.payload else 0x10

    with ScriptedBroker(Script(puback=puback)) as broker:
        with Link(options(broker.url), topics=TOPICS, outbox=box) as link:
            assert until(lambda: link.connected, 5)
            for number in range(3):
                box.append(FRONT, result(number), qos=1)
            assert link.drain(5)
            assert link.set_aside == 1
        assert numbers(broker) == [0, 1, 2]


def test_a_message_over_the_broker_s_quota_waits_and_is_sent_again():
    box, refused = outbox(), []

    def puback(message: Published) -> int:
        if message.topic == FRONT and len(refused) < 2:
            refused.append(message)
            return 0x97
        return 0

    with (
        ScriptedBroker(Script(puback=puback)) as broker,
        Link(options(broker.url), topics=TOPICS, outbox=box) as link,
    ):
        assert until(lambda: link.connected, 5)
        for number in range(2):
            box.append(FRONT, result(number), qos=1)
        assert link.drain(10)
        assert link.set_aside == 0
        assert len(broker.greetings) == 1
    assert set(numbers(broker)) == {0, 1}


def test_a_message_that_the_broker_hangs_up_on_is_set_aside_within_three_tries():
    box = outbox()

    def puback(message: Published) -> int:
        if b'"poison"' in message.payload:
            raise ConnectionError
        return 0

    with (
        ScriptedBroker(Script(puback=puback)) as broker,
        Link(options(broker.url), topics=TOPICS, outbox=box) as link,
    ):
        box.append(FRONT, result(0), qos=1)
        box.append(FRONT, b'{"number": -1, "poison": 1}', qos=1)
        for number in range(1, 20):
            box.append(FRONT, result(number), qos=1)
        assert link.drain(10)
        assert link.set_aside == 1
    tried = numbers(broker)
    assert tried.count(-1) == 3
    assert list(dict.fromkeys(number for number in tried if number >= 0)) == list(range(20))


def test_a_lost_acknowledgement_does_not_keep_a_message_for_ever(monkeypatch):
    monkeypatch.setattr("edged.mqtt.window.OVERTAKEN_TIMEOUT_S", 0.5)
    box, lost = outbox(), []

    def puback(message: Published) -> int | None:
        if message.topic == FRONT and not lost:
            lost.append(message)
            return None
        return 0

    with (
        ScriptedBroker(Script(puback=puback)) as broker,
        Link(options(broker.url), topics=TOPICS, outbox=box) as link,
    ):
        assert until(lambda: link.connected, 5)
        for number in range(3):
            box.append(FRONT, result(number), qos=1)
        assert broker.wait_for(lambda: len(broker.payloads(FRONT)) == 3)
        for number in range(3, 6):
            box.append(FRONT, result(number), qos=1)
        assert link.drain(10)
        assert list(dict.fromkeys(numbers(broker))) == list(range(6))
        assert numbers(broker).count(0) == 2


def test_a_session_taken_over_is_named_as_such():
    states: list[LinkState] = []
    with (
        ScriptedBroker() as broker,
        Link(options(broker.url), topics=TOPICS, outbox=outbox(), on_change=states.append) as link,
    ):
        assert link.drain(5)
        broker.say_goodbye(0x8E)
        assert until(lambda: len(states) > 1, 5)
    assert "taken over" in states[1].why
    assert "edged-gate-7" in states[1].why
    assert states[1].refused


def test_another_client_of_our_name_is_suspected_when_the_connection_breaks_again_and_again():
    def puback(message: Published) -> int:
        raise ConnectionError

    broker = ScriptedBroker(Script(puback=puback))
    with broker, Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "another client that calls itself 'edged-gate-7'" in link.state.why, 20)


def test_a_name_that_cannot_be_resolved_is_named():
    with Link(options("mqtt://no-such-broker.invalid"), topics=TOPICS, outbox=outbox()) as link:
        assert until(lambda: "'no-such-broker.invalid' cannot be resolved" in link.state.why, 15)


def test_a_listener_that_fails_does_not_cost_the_connection():
    def fails(state: LinkState) -> None:
        raise RuntimeError("a bug of somebody else's")

    box = outbox()
    with ScriptedBroker() as broker:
        with Link(options(broker.url), topics=TOPICS, outbox=box, on_change=fails) as link:
            box.append(FRONT, result(0), qos=1)
            assert link.drain(5)
        assert len(broker.greetings) == 1
