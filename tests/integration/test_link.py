"""The link against a real mosquitto: what a subscriber sees, whatever happens to the broker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from mosquitto_broker import Listener, until
from outboxes import outbox
from real_parts import unavailable

from edged.heartbeat import hearts
from edged.mqtt.link import Link, LinkOptions, LinkState
from edged.mqtt.topics import Topics
from edged.outbox import DiskOutbox
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
FRONT = TOPICS.detections("front")


def options(url: str, **more) -> LinkOptions:
    return LinkOptions(broker_address(url), client_id="edged-gate-7", **more)


def result(number: int) -> bytes:
    return json.dumps({"id": f"m{number}", "number": number}).encode()


def first_arrivals(messages: list[dict]) -> list[int]:
    return list(dict.fromkeys(message["number"] for message in messages))


class Producer:
    """Appends a result every so often until told to stop."""

    def __init__(self, box: DiskOutbox, *, every_s: float = 0.02) -> None:
        self.made = 0
        self._box, self._every_s, self._end = box, every_s, threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer")

    def __enter__(self) -> "Producer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._end.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._end.wait(self._every_s):
            self._box.append(FRONT, result(self.made), qos=1)
            self.made += 1


def test_results_arrive_in_order_and_the_outbox_empties(mosquitto):
    broker, box = mosquitto(), outbox()
    with Listener(broker) as listener, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        assert until(lambda: link.connected, 5)
        for number in range(1000):
            box.append(FRONT, result(number), qos=1)
        assert link.drain(10)
        assert listener.wait_for(lambda: len(listener.payloads(FRONT)) >= 1000)
    received = listener.objects(FRONT)
    assert [message["number"] for message in received] == list(range(1000))
    assert not any("replayed" in message for message in received)
    assert len(box) == 0


def test_a_link_on_which_something_is_always_in_flight_shows_that_it_goes_on(mosquitto):
    """Supervision takes a link that does not for one that hangs, and systemd starts edged anew."""
    broker, box = mosquitto(), outbox()
    with Link(options(broker.url), topics=TOPICS, outbox=box) as link, Producer(box, every_s=0.002):
        assert until(lambda: link.connected, 5)
        heart = next(one for one in hearts() if one.name == "mqtt-link")
        ends_s = time.monotonic() + 2
        due_s, since_s, longest_s = heart.due_s, time.monotonic(), 0.0
        while (now_s := time.monotonic()) < ends_s:
            if heart.due_s != due_s:
                due_s, since_s = heart.due_s, now_s
            longest_s = max(longest_s, now_s - since_s)
            time.sleep(0.002)
    assert longest_s < 1.0


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_qos_is_delivered_and_leaves_the_outbox(mosquitto, qos):
    broker, box = mosquitto(), outbox()
    with Listener(broker) as listener, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        assert until(lambda: link.connected, 5)
        for number in range(300):
            box.append(FRONT, result(number), qos=qos)
        assert listener.wait_for(lambda: len(listener.payloads(FRONT)) == 300)
        assert link.drain(5)
    assert [message["number"] for message in listener.objects(FRONT)] == list(range(300))


def test_an_appended_result_is_on_its_way_at_once(mosquitto):
    broker, box = mosquitto(), outbox()
    with Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        assert link.drain(5)
        taken_ms = []
        for number in range(50):
            began = time.perf_counter()
            box.append(FRONT, result(number), qos=1)
            assert link.drain(5)
            taken_ms.append((time.perf_counter() - began) * 1000)
    assert sorted(taken_ms)[25] < 5.0


def test_results_wait_for_one_another_where_nobody_waits_for_them_and_all_come_in_order(mosquitto):
    broker, box, arrived_s = mosquitto(), outbox(), []

    with (
        Link(options(broker.url, gather_s=0.3), topics=TOPICS, outbox=box) as link,
        Listener(broker, FRONT, name="watcher") as listener,
    ):
        assert link.drain(5)
        for number in range(4):
            box.append(FRONT, result(number), qos=1)
            assert listener.wait_for(lambda n=number: len(listener.messages) > n)
            arrived_s.append(time.monotonic())
        assert link.drain(5)
    assert [message["number"] for message in listener.objects(FRONT)] == [0, 1, 2, 3]
    assert arrived_s[3] - arrived_s[0] > 0.3, "each went by itself"


def test_a_broker_that_is_away_for_a_while_costs_nothing(mosquitto):
    broker, box = mosquitto(persistence=True), outbox()
    with (
        Link(options(broker.url), topics=TOPICS, outbox=box) as link,
        Listener(broker, FRONT, name="watcher") as listener,
        Producer(box) as producer,
    ):
        assert listener.wait_for(lambda: len(listener.messages) > 20)
        broker.stop()
        gone = producer.made
        assert until(lambda: producer.made > gone + 120, 10)
        broker.start()
        back = producer.made
        began = time.monotonic()
        assert listener.wait_for(lambda: _newest(listener) >= back)
        flows_again_s = time.monotonic() - began
        producer.stop()
        assert link.drain(10)
        assert listener.wait_for(lambda: _newest(listener) == producer.made - 1)
        received = listener.objects(FRONT)
    assert first_arrivals(received) == list(range(producer.made))
    assert flows_again_s < 5.0
    replayed = {message["number"] for message in received if message.get("replayed")}
    assert replayed >= set(range(gone + 5, back - 5))
    assert producer.made - 1 not in replayed
    assert {message["id"] for message in received} == {f"m{number}" for number in range(producer.made)}


def _newest(listener: Listener) -> int:
    return json.loads(listener.messages[-1].payload)["number"] if listener.messages else -1


def test_results_of_more_topics_than_the_broker_has_aliases_arrive_where_they_belong(mosquitto):
    broker, box = mosquitto(), outbox()
    topics = [TOPICS.detections(f"camera{number}") for number in range(30)]
    with Listener(broker) as listener, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        for _ in range(3):
            for topic in topics:
                box.append(topic, topic.encode(), qos=1)
        assert link.drain(10)
        assert link.state.protocol == "5"
        assert listener.wait_for(lambda: len([m for m in listener.messages if b"camera" in m.payload]) == 90)
    for message in listener.messages:
        if b"camera" in message.payload:
            assert message.topic == message.payload.decode()


def test_news_is_not_late_while_a_long_backlog_is_delivered(mosquitto):
    broker, box = mosquitto("max_queued_messages 0"), outbox()
    for number in range(8000):
        box.append(FRONT, json.dumps({"number": number, "pad": "x" * 500}).encode(), qos=1)
    assert until(lambda: box.last_key == 8000, 30)
    arrived: dict[int, float] = {}
    made: dict[int, float] = {}
    with Listener(broker, FRONT) as listener:
        began_s = time.monotonic()
        with Link(options(broker.url), topics=TOPICS, outbox=box) as link:
            number = 8000
            while (len(box) > 100 or number < 8050) and time.monotonic() < began_s + 30:
                made[number] = time.monotonic()
                box.append(FRONT, json.dumps({"number": number, "made": True}).encode(), qos=1)
                number += 1
                time.sleep(0.02)
                for message in listener.messages[len(arrived) :]:
                    arrived.setdefault(json.loads(message.payload)["number"], time.monotonic())
            drained_s = time.monotonic() - began_s
            assert link.drain(10)
        assert listener.wait_for(lambda: len(numbers_of(listener)) == number)
    late_s = sorted(arrived[one] - made[one] for one in made if one in arrived)
    assert late_s[int(len(late_s) * 0.95)] < 1.0
    assert 8000 / drained_s >= 10 * 50
    seen = [message for message in listener.messages if message.topic == FRONT]
    replayed = [json.loads(one.payload)["number"] for one in seen if b"replayed" in one.payload]
    live = [json.loads(one.payload)["number"] for one in seen if b"replayed" not in one.payload]
    assert replayed == list(range(len(replayed)))
    assert live == list(range(len(replayed), number))


def numbers_of(listener: Listener) -> list[int]:
    return [json.loads(one.payload)["number"] for one in listener.messages if one.topic == FRONT]


def test_a_broker_that_is_absent_at_start_gets_everything_later(mosquitto):
    broker, box = mosquitto(), outbox()
    broker.kill()
    states: list[LinkState] = []
    with Link(options(broker.url), topics=TOPICS, outbox=box, on_change=states.append) as link:
        assert until(lambda: bool(states), 5)
        assert "nothing listens there" in states[0].why
        assert not link.connected_once
        box.append(FRONT, result(0), qos=1)
        assert link.drain(0.05) is False
        broker.start()
        with Listener(broker, TOPICS.status) as listener:
            assert link.drain(10)
            assert listener.wait_for(lambda: listener.payloads(TOPICS.status) == [b"online"])
        assert link.connected_once
        assert states[-1].connected
        assert states[-1].protocol == "5"
        assert states[-1].why == ""


def test_a_wiped_broker_is_told_every_state_again(mosquitto):
    broker = mosquitto()
    with Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link:
        link.set_state(TOPICS.info, b'{"version": "1"}')
        link.set_state(TOPICS.camera_state("front"), b'{"state": "offline"}')
        link.set_state(TOPICS.camera_state("front"), b'{"state": "online"}')
        assert link.drain(5)
        broker.kill()  # without persistence it forgets all
        assert until(lambda: not link.connected, 5)
        broker.start()
        assert until(lambda: link.connected, 5)
        assert link.drain(5)
        with Listener(broker) as listener:
            assert listener.wait_for(lambda: len(listener.messages) >= 3)
        kept = {message.topic: bytes(message.payload) for message in listener.messages if message.retain}
    assert kept == {
        TOPICS.status: b"online",
        TOPICS.info: b'{"version": "1"}',
        TOPICS.camera_state("front"): b'{"state": "online"}',
    }


def test_a_cleared_state_is_gone_from_the_broker_even_if_it_was_cleared_while_away(mosquitto):
    broker = mosquitto(persistence=True)
    topic = TOPICS.camera_state("front")
    with Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link:
        link.set_state(topic, b"{}")
        assert link.drain(5)
        broker.stop()
        assert until(lambda: not link.connected, 5)
        link.clear_state(topic)
        broker.start()
        assert until(lambda: link.connected, 5)
        assert link.drain(5)
        with Listener(broker) as listener:
            assert listener.wait_for(lambda: bool(listener.payloads(TOPICS.status)))
            assert listener.payloads(topic) == []


def test_a_clean_end_says_stopped_and_delivers_what_is_left(mosquitto):
    broker, box = mosquitto(), outbox()
    with Listener(broker) as listener:
        link = Link(options(broker.url), topics=TOPICS, outbox=box)
        link.start()
        assert until(lambda: link.connected, 5)
        for number in range(500):
            box.append(FRONT, result(number), qos=1)
        assert link.stop(5.0) is True
        assert listener.wait_for(lambda: listener.payloads(TOPICS.status)[-1:] == [b"stopped"])
        assert len(listener.payloads(FRONT)) == 500
        assert listener.messages[-1].topic == TOPICS.status
        assert b"offline" not in listener.payloads(TOPICS.status)
    assert not [thread for thread in threading.enumerate() if thread.name == "mqtt-link"]


def test_stopping_before_the_first_connection_still_delivers(mosquitto):
    broker, box = mosquitto(), outbox()
    with Listener(broker) as listener:
        box.append(FRONT, result(0), qos=1)
        link = Link(options(broker.url), topics=TOPICS, outbox=box)
        link.start()
        assert link.stop(5.0) is True
        assert listener.wait_for(lambda: listener.payloads(TOPICS.status) == [b"online", b"stopped"])
        assert len(listener.payloads(FRONT)) == 1


def test_stopping_while_the_broker_is_away_ends_in_time(mosquitto):
    broker, box = mosquitto(), outbox()
    link = Link(options(broker.url), topics=TOPICS, outbox=box)
    link.start()
    assert link.drain(5)
    broker.kill()
    box.append(FRONT, result(0), qos=1)
    began = time.monotonic()
    assert link.stop(3.0) is False
    assert time.monotonic() - began < 3.0
    assert len(box) == 1


def test_stopping_while_the_broker_hangs_ends_in_time(mosquitto):
    broker, box = mosquitto(), outbox()
    link = Link(options(broker.url), topics=TOPICS, outbox=box)
    link.start()
    assert link.drain(5)
    broker.pause()
    box.append(FRONT, result(0), qos=1)
    began = time.monotonic()
    assert link.stop(2.0) is False
    assert time.monotonic() - began < 2.5
    assert not [thread for thread in threading.enumerate() if thread.name == "mqtt-link"]


_KILLED = """
import sys, threading
from edged.heartbeat import hearts
from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.urls import broker_address
link = Link(LinkOptions(broker_address(sys.argv[1]), "c"), topics=Topics("edged", "gate-7"), outbox=MemoryOutbox(1, 1))
link.start()
link.drain(10)
print("ready", flush=True)
threading.Event().wait(60)
"""


def test_the_broker_says_offline_for_a_killed_process(mosquitto):
    broker = mosquitto()
    with Listener(broker, TOPICS.status) as listener:
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, broker.url], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert any(line == "ready\n" for line in process.stdout)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
        process.stdout.close()
        assert listener.wait_for(lambda: listener.payloads(TOPICS.status)[-1:] == [b"offline"])
    with Listener(broker, TOPICS.status) as late:
        assert late.wait_for(lambda: late.payloads(TOPICS.status) == [b"offline"])
        assert late.messages[0].retain


def test_what_is_only_published_is_sent_while_connected_and_not_kept_for_later(mosquitto):
    broker = mosquitto()
    with Link(options(broker.url), topics=TOPICS, outbox=outbox()) as link:
        link.publish(TOPICS.health, b'{"at": "before"}')
        assert until(lambda: link.connected, 5)
        with Listener(broker, TOPICS.health) as listener:
            link.publish(TOPICS.health, b'{"at": "now"}')
            assert listener.wait_for(lambda: bool(listener.messages))
        assert listener.payloads(TOPICS.health) == [b'{"at": "now"}']


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_either_protocol_can_be_demanded(mosquitto, protocol):
    broker = mosquitto()
    with Link(options(broker.url, protocol=protocol), topics=TOPICS, outbox=outbox()) as link:
        assert link.drain(5)
        assert link.state.protocol == protocol


def test_mqtt_5_messages_say_what_they_are(mosquitto):
    if shutil.which("mosquitto_sub") is None:
        unavailable("mosquitto_sub is not installed (package mosquitto-clients)")
    broker, box = mosquitto(), outbox()
    command = [
        "mosquitto_sub",
        "-p",
        str(broker.port),
        "-V",
        "5",
        "-t",
        FRONT,
        "-C",
        "1",
        "-W",
        "10",
        "-F",
        "%C|%E|%P",
    ]
    with Link(options(broker.url, result_expiry_s=3600.0), topics=TOPICS, outbox=box) as link:
        assert link.drain(5)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
            assert until(lambda: any("SUBSCRIBE" in line for line in broker.log), 5)
            assert until(lambda: any("Sending SUBACK" in line for line in broker.log), 5)
            box.append(FRONT, result(0), qos=1)
            said, _ = subscriber.communicate(timeout=10)
    content_type, expiry, properties = said.strip().split("|")
    assert content_type == "application/json"
    assert 3590 <= int(expiry) <= 3600
    assert properties == "schema:edged.detections/1"


def test_a_message_too_large_for_the_broker_is_set_aside_and_the_others_go_on(mosquitto):
    broker, box = mosquitto("message_size_limit 5000"), outbox()
    with Listener(broker, FRONT) as listener, Link(options(broker.url), topics=TOPICS, outbox=box) as link:
        box.append(FRONT, result(0), qos=1)
        box.append(FRONT, b'{"id": "' + b"x" * 6000 + b'"}', qos=1)
        box.append(FRONT, result(2), qos=1)
        assert link.drain(10)
        assert link.set_aside == 1
        assert listener.wait_for(lambda: len(listener.messages) == 2)
    assert [message["number"] for message in listener.objects(FRONT)] == [0, 2]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_packet_too_large_for_the_broker_is_set_aside_whether_or_not_it_says_so_before(mosquitto, protocol):
    broker, box = mosquitto("max_packet_size 2000"), outbox()
    with Listener(broker, FRONT) as listener:
        with Link(options(broker.url, protocol=protocol), topics=TOPICS, outbox=box) as link:
            box.append(FRONT, result(0), qos=1)
            box.append(FRONT, b'{"id": "' + b"x" * 3000 + b'"}', qos=1)
            box.append(FRONT, result(2), qos=1)
            assert link.drain(10)
            assert link.set_aside == 1
        assert listener.wait_for(lambda: _newest(listener) == 2)
    assert first_arrivals(listener.objects(FRONT)) == [0, 2]


def test_links_that_come_and_go_leave_no_descriptors_behind(mosquitto):
    broker = mosquitto()

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    box = outbox()
    box.append(FRONT, result(0), qos=1)
    assert until(lambda: box.last_key == 1, 10)  # its files are open
    before = descriptors()
    for _ in range(30):
        link = Link(options(broker.url), topics=TOPICS, outbox=box)
        link.start()
        assert link.stop(5.0)
    assert descriptors() <= before + 2
