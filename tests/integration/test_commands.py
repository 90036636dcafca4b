"""Commands over a real mosquitto, in both versions of MQTT, and over brokers that will not have us listen."""

import json
import queue
import threading
import time
from collections.abc import Callable

import paho.mqtt.client as paho
import pytest
import scripted_broker
from mosquitto_broker import READY_WITHIN_S, Listener, Mosquitto, until
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from scripted_broker import Published, Script, ScriptedBroker
from structlog.testing import capture_logs

from edged.errors import BadInput
from edged.mqtt.commands import MAX_ARGUMENTS_BYTES, MAX_WAITING, Command
from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.topics import Topics
from edged.outbox import MemoryOutbox
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
FRONT = TOPICS.detections("front")
BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])
_PAHO = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


class Asker:
    """Somebody who sends commands and hears what is published under some topics; a context manager."""

    def __init__(self, broker: Mosquitto, *filters: str, protocol: str = "5") -> None:
        self.heard: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=_PAHO[protocol])
        self._client.on_connect = lambda client, *_: client.subscribe([(each, 1) for each in filters])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _, message: self.heard.put(message)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()

    def __enter__(self) -> "Asker":
        assert self._subscribed.wait(READY_WITHIN_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, verb: str, payload: bytes = b"", *, retain: bool = False, **asked: object) -> None:
        properties = None
        if asked:
            properties = Properties(PacketTypes.PUBLISH)
            for name, value in asked.items():
                setattr(properties, name, value)
        sent = self._client.publish(TOPICS.command(verb), payload, 1, retain, properties)
        sent.wait_for_publish(READY_WITHIN_S)

    def answer(self) -> paho.MQTTMessage:
        return self.heard.get(timeout=READY_WITHIN_S)

    def answers(self, verb: str, payload: bytes = b"") -> dict:
        """Send a command and take its answer, which is the next thing heard."""
        self.send(verb, payload)
        return json.loads(self.answer().payload)


class Box:
    """A link that notes its commands, and answers each with its verb and arguments while `replies`."""

    def __init__(self, url: str, *, protocol: str = "auto", replies: bool = True) -> None:
        self.commands: list[Command] = []
        self.outbox = MemoryOutbox(64 << 20, 3600.0)
        self.act: Callable[[Command], None] = self._reply if replies else lambda command: None
        options = LinkOptions(broker_address(url), client_id="edged-gate-7", protocol=protocol)
        self.link = Link(options, topics=TOPICS, outbox=self.outbox, on_command=self._on_command)

    def __enter__(self) -> "Box":
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop(5.0)

    def _on_command(self, command: Command) -> None:
        self.commands.append(command)
        self.act(command)

    def _reply(self, command: Command) -> None:
        self.link.answer(command, {"ok": True, "verb": command.verb, **command.arguments})


def rsp(verb: str) -> str:
    return TOPICS.response(verb)


@BOTH
def test_a_command_is_answered_under_rsp(mosquitto, protocol):
    broker = mosquitto()
    with Box(broker.url, protocol=protocol) as box, Asker(broker, rsp("#"), protocol=protocol) as asker:
        assert box.link.drain(5)
        asker.send("model/activate", b'{"name": "vehicles", "version": 2}')
        answer = asker.answer()
        assert asker.answers("ping") == {"ok": True, "verb": "ping"}
    assert answer.topic == "edged/gate-7/rsp/model/activate"
    assert answer.qos == 1
    assert not answer.retain
    assert json.loads(answer.payload) == {
        "ok": True,
        "verb": "model/activate",
        "name": "vehicles",
        "version": 2,
    }
    assert box.commands[1] == Command("ping", {}, rsp("ping"))


def test_who_asks_by_the_rules_of_mqtt_5_hears_it_where_it_said_with_its_correlation_data(mosquitto):
    broker = mosquitto()
    with Box(broker.url) as box, Asker(broker, "clients/me/#", rsp("#")) as asker:
        assert box.link.drain(5)
        for number in range(3):
            asker.send("ping", ResponseTopic=f"clients/me/{number}", CorrelationData=b"\x00\xff%d" % number)
        answers = [asker.answer() for _ in range(3)]
        asker.send("ping", ResponseTopic="edged/gate-7/cmd/ping", CorrelationData=b"loop")
        fallback = asker.answer()
    assert [answer.topic for answer in answers] == [f"clients/me/{number}" for number in range(3)]
    correlations = [answer.properties.CorrelationData for answer in answers]
    assert correlations == [b"\x00\xff%d" % number for number in range(3)]
    assert answers[0].properties.ContentType == "application/json"
    assert not hasattr(answers[0].properties, "UserProperty")
    assert (fallback.topic, fallback.properties.CorrelationData) == (rsp("ping"), b"loop")
    assert len(box.commands) == 4


def test_large_correlation_data_goes_back_unless_the_broker_is_too_small_for_it(mosquitto):
    broker = mosquitto("max_packet_size 40000")
    with Box(broker.url) as box, Asker(broker, rsp("#")) as asker:
        assert box.link.drain(5)
        asker.send("ping", CorrelationData=b"x" * 30_000)
        assert asker.answer().properties.CorrelationData == b"x" * 30_000
        # This one comes in with no arguments; with the answer in it, it is too large.
        asker.send("ping", CorrelationData=b"x" * 39_930)
        assert until(lambda: box.link.set_aside == 1, 5)
        assert asker.answers("ping")["ok"] is True


@BOTH
def test_what_is_no_command_is_refused_in_a_line_and_the_next_one_is_served(mosquitto, protocol):
    broker = mosquitto()
    with Box(broker.url, protocol=protocol) as box, Asker(broker, rsp("#"), protocol=protocol) as asker:
        assert box.link.drain(5)
        for payload in (b"{", b"[]", b"x" * (MAX_ARGUMENTS_BYTES + 1)):
            answer = asker.answers("ping", payload)
            assert answer["ok"] is False
            assert answer["error"].startswith("the arguments are ")
            assert "\n" not in answer["error"]
        assert box.commands == []
        assert asker.answers("ping") == {"ok": True, "verb": "ping"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            BadInput("vehicles/9", "there is no such version", "see `list`"),
            "vehicles/9: there is no such version; see",
        ),
        (KeyError("name\nor so"), "unexpected KeyError: "),
    ],
)
def test_an_exception_is_an_answer_and_the_link_goes_on(mosquitto, error, said):
    broker = mosquitto()

    def fail(_: Command) -> None:
        raise error

    with Box(broker.url) as box, Asker(broker, rsp("#")) as asker, capture_logs() as lines:
        assert box.link.drain(5)
        box.act = fail
        answer = asker.answers("model/activate")
        assert answer["ok"] is False
        assert answer["error"].startswith(said)
        box.act = box._reply
        assert asker.answers("ping")["ok"] is True
        assert not any(line["event"] == "mqtt not connected" for line in lines)
    assert [line["verb"] for line in lines if line["event"] == "mqtt command failed"] == ["model/activate"]


@BOTH
def test_a_retained_command_is_never_carried_out_by_a_box_that_comes_later(mosquitto, protocol):
    broker = mosquitto()
    with Asker(broker, rsp("#"), protocol=protocol) as asker, capture_logs() as lines:
        asker.send("model/rollback", b'{"name": "vehicles"}', retain=True)
        with Box(broker.url, protocol=protocol) as box:
            assert box.link.drain(5)
            assert asker.answers("ping")["verb"] == "ping"
            assert [command.verb for command in box.commands] == ["ping"]
    refused = [line for line in lines if line["event"] == "mqtt command refused"]
    assert [line["topic"] for line in refused] == [TOPICS.command("model/rollback")]


@BOTH
def test_who_sees_online_may_send_a_command_also_after_the_broker_was_away(mosquitto, protocol):
    broker = mosquitto()
    with Box(broker.url, protocol=protocol) as box:
        assert box.link.drain(5)
        for _ in range(3):
            broker.kill()
            assert until(lambda: not box.link.connected, 5)
            broker.start()
            with Asker(broker, TOPICS.status, rsp("#"), protocol=protocol) as asker:
                assert asker.answer().payload == b"online"
                assert asker.answers("ping")["ok"] is True
    assert len(box.commands) == 3


def test_nothing_outside_cmd_is_subscribed_to_and_nothing_at_all_without_anybody_to_act(mosquitto):
    broker = mosquitto()
    options = LinkOptions(broker_address(broker.url), client_id="deaf")
    with Link(options, topics=TOPICS, outbox=MemoryOutbox(1 << 20, 60.0)) as link:
        assert link.drain(5)
    assert not [line for line in broker.log if "SUBSCRIBE" in line]
    with Box(broker.url) as box:
        assert box.link.drain(5)
    subscribed = [
        broker.log[at + 1].split("\t")[1] for at, line in enumerate(broker.log) if "SUBSCRIBE" in line
    ]
    assert subscribed == ["edged/gate-7/cmd/# (QoS 1)"]


@BOTH
def test_answers_that_come_while_the_broker_is_away_are_sent_when_it_is_back(mosquitto, protocol):
    broker = mosquitto(persistence=True)
    with (
        Box(broker.url, protocol=protocol, replies=False) as box,
        Listener(broker, rsp("#"), name="asker") as listener,
        capture_logs() as lines,
    ):
        assert box.link.drain(5)
        broker.stop()
        # Not waiting until the link has noticed: what goes into a dead connection comes again.
        for number in range(MAX_WAITING + 6):
            box.link.answer(Command("ping", {}, rsp("ping")), {"ok": True, "number": number})
            if number == 0:
                assert until(lambda: not box.link.connected, 5)
        assert box.link.drain(0.05) is False
        broker.start()
        assert box.link.drain(10)
        assert listener.wait_for(lambda: len(listener.messages) == MAX_WAITING)
    numbers = [answer["number"] for answer in listener.objects(rsp("ping"))]
    assert numbers == list(range(6, MAX_WAITING + 6))
    assert [line["topic"] for line in lines if line["event"] == "mqtt answer dropped"] == [rsp("ping")] * 6


def test_answers_from_many_threads_go_out_among_results_within_the_broker_s_window(mosquitto):
    broker = mosquitto("max_inflight_messages 3")
    with Box(broker.url, replies=False) as box, Listener(broker) as listener:
        assert box.link.drain(5)

        def work(worker: int) -> None:
            for number in range(15):
                box.outbox.append(FRONT, json.dumps({"id": f"{worker}-{number}"}).encode(), qos=1)
                box.link.answer(Command("ping", {}, rsp(f"w{worker}")), {"number": number})

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert box.link.drain(10)
        assert listener.wait_for(lambda: len(listener.payloads(FRONT)) == 60)
        for worker in range(4):
            topic = rsp(f"w{worker}")
            assert listener.wait_for(lambda topic=topic: len(listener.payloads(topic)) == 15)
            assert [answer["number"] for answer in listener.objects(topic)] == list(range(15))


def test_an_answer_does_not_go_to_the_topic_of_a_state(mosquitto):
    broker = mosquitto()
    with Box(broker.url) as box, Asker(broker, TOPICS.status) as asker:
        assert box.link.drain(5)
        assert asker.answer().payload == b"online"
        with Listener(broker, rsp("ping")) as listener:
            asker.send("ping", ResponseTopic=TOPICS.status)
            assert listener.wait_for(lambda: bool(listener.payloads(rsp("ping"))))
            assert json.loads(listener.payloads(rsp("ping"))[0])["ok"] is True
        with Listener(broker, TOPICS.status) as late:
            assert late.wait_for(lambda: late.payloads(TOPICS.status) == [b"online"])
    with Listener(broker, TOPICS.status) as late:
        assert late.wait_for(lambda: late.payloads(TOPICS.status) == [b"stopped"])


def test_a_clean_end_sends_the_answers_before_it_says_stopped(mosquitto):
    broker = mosquitto()
    with Listener(broker) as listener:
        box = Box(broker.url, replies=False)
        box.link.start()
        assert box.link.drain(5)
        for number in range(20):
            box.link.answer(Command("ping", {}, rsp("ping")), {"number": number})
        assert box.link.stop(5.0) is True
        assert listener.wait_for(lambda: listener.payloads(TOPICS.status)[-1:] == [b"stopped"])
        assert len(listener.payloads(rsp("ping"))) == 20
        assert listener.messages[-1].topic == TOPICS.status


def test_answers_do_not_hold_the_end_up_while_the_broker_is_away_or_hangs(mosquitto):
    for end in (Mosquitto.kill, Mosquitto.pause):
        broker = mosquitto()
        box = Box(broker.url, replies=False)
        box.link.start()
        assert box.link.drain(5)
        end(broker)
        box.link.answer(Command("ping", {}, rsp("ping")), {"ok": True})
        began_s = time.monotonic()
        box.link.stop(2.0)
        assert time.monotonic() - began_s < 2.5
    assert not [thread for thread in threading.enumerate() if thread.name == "mqtt-link"]


@pytest.fixture
def at_subscribe(monkeypatch):
    """Lets a scripted broker do something when it is sent a SUBSCRIBE: called with the socket and its packet."""
    read = scripted_broker._packet
    acts: list[Callable] = []

    def packet(sock):
        first, body = read(sock)
        if first >> 4 == 8:
            acts[-1](sock, body)
        return first, body

    monkeypatch.setattr(scripted_broker, "_packet", packet)
    return acts.append


@pytest.mark.parametrize(("protocol", "reason"), [("5", 0x87), ("5", 0x80), ("3.1.1", 0x80)])
def test_a_refused_subscription_is_one_warning_and_the_link_serves_on(at_subscribe, protocol, reason):
    properties = b"\x00" if protocol == "5" else b""

    def refuse(sock, body: bytes) -> None:
        sock.sendall(bytes([0x90, 3 + len(properties)]) + body[:2] + properties + bytes([reason]))

    at_subscribe(refuse)
    with ScriptedBroker() as broker, capture_logs() as lines, Box(broker.url, protocol=protocol) as box:
        for connection in (1, 2):
            box.outbox.append(FRONT, b"{}", qos=1)
            assert broker.wait_for(lambda count=connection: len(broker.payloads(FRONT)) >= count)
            assert box.link.drain(5)
            assert box.link.state.connected
            assert box.link.state.why == ""
            broker.hang_up()
            assert until(lambda: not box.link.connected, 5)
    warnings = [line for line in lines if "subscription" in repr(line)]
    assert [line["event"] for line in warnings] == ["mqtt commands are not received"]
    assert warnings[0]["topic"] == "edged/gate-7/cmd/#"


def test_a_broker_that_hangs_up_on_the_subscription_gets_the_results_nevertheless(at_subscribe):
    def hang_up(sock, body: bytes) -> None:
        raise EOFError

    at_subscribe(hang_up)
    with ScriptedBroker() as broker, capture_logs() as lines, Box(broker.url, protocol="5") as box:
        box.outbox.append(FRONT, b"{}", qos=1)
        assert box.link.drain(15)
        assert box.link.set_aside == 0
        assert broker.payloads(FRONT) == [b'{"replayed":true}']
    assert [line["event"] for line in lines].count("mqtt commands are not received") == 1


def test_a_broker_that_does_not_answer_the_subscription_gets_the_results_nevertheless():
    with ScriptedBroker() as broker, Box(broker.url, protocol="5") as box:
        box.outbox.append(FRONT, b"{}", qos=1)
        assert box.link.drain(3)
        assert len(broker.greetings) == 1


def test_an_answer_that_the_broker_chokes_on_costs_no_result():
    def puback(message: Published) -> int:
        if message.topic == rsp("ping"):
            raise ConnectionError
        return 0

    with ScriptedBroker(Script(puback=puback)) as broker, capture_logs() as lines:
        outbox = MemoryOutbox(1 << 20, 60.0)
        options = LinkOptions(broker_address(broker.url), client_id="edged-gate-7")
        with Link(options, topics=TOPICS, outbox=outbox) as link:
            assert link.drain(5)
            link.answer(Command("ping", {}, rsp("ping")), {"ok": True})
            for number in range(50):
                outbox.append(FRONT, b'{"id": "%d"}' % number, qos=1)
            assert link.drain(20)
            assert link.set_aside == 0
        delivered = {json.loads(payload)["id"] for payload in broker.payloads(FRONT)}
        assert delivered == {str(number) for number in range(50)}
        assert len(broker.payloads(rsp("ping"))) == 3
    assert [line["topic"] for line in lines if line["event"] == "mqtt answer dropped"] == [rsp("ping")]


def test_an_answer_over_the_broker_s_quota_is_sent_again_after_a_pause():
    refusals = iter([0x97, 0x97])

    def puback(message: Published) -> int:
        return next(refusals, 0) if message.topic == rsp("ping") else 0

    with ScriptedBroker(Script(puback=puback)) as broker:
        options = LinkOptions(broker_address(broker.url), client_id="edged-gate-7")
        with Link(options, topics=TOPICS, outbox=MemoryOutbox(1 << 20, 60.0)) as link:
            assert link.drain(5)
            began_s = time.monotonic()
            link.answer(Command("ping", {}, rsp("ping")), {"ok": True})
            assert link.drain(5)
            assert 1.8 < time.monotonic() - began_s < 4.0
        assert len(broker.payloads(rsp("ping"))) == 3
