import json
import math

import pytest

from edged.mqtt.commands import (
    MAX_ARGUMENTS_BYTES,
    MAX_TRIES,
    MAX_WAITING,
    Answer,
    Answers,
    Command,
    Refusal,
    answer_to,
    read_command,
)
from edged.mqtt.records import Received
from edged.mqtt.topics import Topics

TOPICS = Topics("site/edged", "gate-7")


def read(payload: bytes = b"", *, verb: str = "model/activate", retained: bool = False, **asked):
    return read_command(TOPICS, Received(TOPICS.command(verb), payload, retained, **asked))


def refused(payload: bytes) -> str:
    refusal = read(payload, correlation=b"7")
    assert isinstance(refusal, Refusal)
    assert refusal.asker == Command("model/activate", {}, TOPICS.response("model/activate"), b"7")
    assert "\n" not in refusal.why
    return refusal.why


def test_a_command_is_its_verb_its_arguments_and_where_the_answer_goes():
    command = read(
        '{"name": "Fußgänger", "version": 3}'.encode(), response_topic="me/1", correlation=b"\x00\xff"
    )
    assert command == Command("model/activate", {"name": "Fußgänger", "version": 3}, "me/1", b"\x00\xff")


@pytest.mark.parametrize("payload", [b"", b"\n", b"{}"])
def test_an_empty_payload_has_no_arguments(payload):
    assert read(payload, verb="ping") == Command("ping", {}, "site/edged/gate-7/rsp/ping")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{", "not JSON: Expecting property name"),
        (b"ping", "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not JSON: 'utf-8' codec"),
        (b'{"x": NaN}', "not JSON: NaN"),
        (b'{"x": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 60_000, "nested too deeply"),
        (b"[1]", "an array, not a JSON object"),
        (b'"a"', "a string, not a JSON object"),
        (b"7", "a number, not a JSON object"),
        (b"true", "a boolean, not a JSON object"),
        (b"null", "null, not a JSON object"),
        (b'"' + b"x" * MAX_ARGUMENTS_BYTES + b'"', "65538 bytes, more than 65536"),
    ],
)
def test_what_is_no_json_object_of_at_most_64_kib_is_refused_in_one_line(payload, why):
    assert why in refused(payload)


def test_64_kib_are_not_too_much():
    payload = b'{"x": "' + b"x" * (MAX_ARGUMENTS_BYTES - 9) + b'"}'
    assert len(payload) == MAX_ARGUMENTS_BYTES
    assert isinstance(read(payload), Command)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "me/+",
        "me/#",
        "x" * 513,
        "me/\x00",
        "me/\n",
        "me/\ufffe",
        "site/edged/gate-7/cmd",
        "site/edged/gate-7/cmd/ping",
        "site/edged/gate-7",
        "site/edged/gate-7/status",
        "site/edged/gate-7/camera/front/detections",
        "site/edged/gate-7/rsp",
        "$SYS/x",
        "$share/g/x",
    ],
)
def test_a_response_topic_that_cannot_be_used_gives_way_to_rsp(topic):
    command = read(response_topic=topic, correlation=b"7")
    assert isinstance(command, Command)
    assert command.reply_to == "site/edged/gate-7/rsp/model/activate"
    assert command.correlation == b"7"


@pytest.mark.parametrize(
    "topic", ["x" * 512, "site/edged/gate-7/rsp/mine", "site/edged/gate-77/x", "site/edged", "tür zu/1"]
)
def test_any_other_response_topic_is_taken(topic):
    command = read(response_topic=topic)
    assert isinstance(command, Command)
    assert command.reply_to == topic


def test_a_retained_command_is_refused_and_nobody_is_answered():
    refusal = read(retained=True, response_topic="me/1")
    assert isinstance(refusal, Refusal)
    assert "retain" in refusal.why
    assert refusal.asker is None


@pytest.mark.parametrize("topic", ["site/edged/gate-7/cmd", "site/edged/gate-7/cmd/"])
def test_a_command_without_a_verb_is_told_where_verbs_go(topic):
    refusal = read_command(TOPICS, Received(topic, b"", False, response_topic="me/1"))
    assert isinstance(refusal, Refusal)
    assert "site/edged/gate-7/cmd/VERB" in refusal.why
    assert refusal.asker is not None
    assert refusal.asker.reply_to == "me/1"


@pytest.mark.parametrize("topic", ["site/edged/gate-8/cmd/ping", "site/edged/gate-7/status", "x"])
def test_what_is_published_elsewhere_is_no_command(topic):
    refusal = read_command(TOPICS, Received(topic, b"", False))
    assert isinstance(refusal, Refusal)
    assert refusal.asker is None


def test_an_answer_is_json_in_utf_8_with_the_correlation_of_its_command():
    answer = answer_to(Command("ping", {}, "me/1", b"7"), {"ok": True, "name": "Fußgänger"})
    assert answer == Answer("me/1", '{"ok":true,"name":"Fußgänger"}'.encode(), b"7")


def test_half_a_surrogate_pair_that_came_in_may_go_back():
    command = read(rb'{"name": "\ud800"}')
    assert isinstance(command, Command)
    answer = answer_to(command, {"ok": False, "error": f"no model {command.arguments['name']}"})
    assert json.loads(answer.payload)["error"] == "no model ?"


def test_what_json_does_not_know_is_no_answer():
    with pytest.raises(ValueError, match="not JSON compliant"):
        answer_to(Command("ping", {}, "me/1"), {"x": math.nan})
    with pytest.raises(TypeError):
        answer_to(Command("ping", {}, "me/1"), {"x": b""})


class Desk:
    """Answers, what was dropped of them, and packet identifiers from 1."""

    def __init__(self, count: int = 0) -> None:
        self.dropped: list[str] = []
        self.answers = Answers(lambda answer, why: self.dropped.append(f"{answer.topic}: {why}"))
        self.identifier = 0
        for number in range(count):
            self.put(str(number))

    def put(self, topic: str) -> None:
        self.answers.put(Answer(topic, b"{}"))

    def send(self, now_s: float = 0.0) -> list[str]:
        topics = []
        while (answer := self.answers.take(now_s)) is not None:
            self.identifier += 1
            self.answers.sent(self.identifier)
            topics.append(answer.topic)
        return topics


def test_answers_go_in_order_and_are_kept_until_they_are_acknowledged():
    desk = Desk(2)
    assert desk.send() == ["0", "1"]
    assert len(desk.answers) == 2
    assert desk.answers.settled(1, again_at_s=None)
    assert len(desk.answers) == 1
    assert not desk.answers.settled(77, again_at_s=None)


def test_the_oldest_make_room():
    desk = Desk(MAX_WAITING + 2)
    assert [line.partition(":")[0] for line in desk.dropped] == ["0", "1"]
    assert "more than 64" in desk.dropped[0]
    assert desk.send() == [str(number) for number in range(2, MAX_WAITING + 2)]


def test_a_new_connection_begins_with_what_was_not_acknowledged():
    desk = Desk(3)
    assert desk.send() == ["0", "1", "2"]
    desk.answers.settled(2, again_at_s=None)
    desk.put("3")
    assert not desk.answers.suspected
    desk.answers.all_again()
    assert desk.answers.suspected
    assert desk.send() == ["0", "2", "3"]


def test_an_answer_that_was_taken_when_the_connection_ended_is_not_lost():
    desk = Desk(1)
    desk.answers.take(0.0)
    assert len(desk.answers) == 1
    desk.answers.all_again()
    assert desk.send() == ["0"]


def test_what_the_broker_may_choke_on_is_dropped_after_its_last_try():
    desk = Desk(1)
    for _ in range(MAX_TRIES):
        assert desk.dropped == []
        assert desk.send() == ["0"]
        desk.answers.all_again()
    assert desk.dropped == ["0: sent 3 times and not acknowledged"]
    assert not desk.answers.suspected
    assert len(desk.answers) == 0


def test_what_the_broker_does_not_take_now_is_offered_first_after_a_pause():
    desk = Desk(2)
    desk.send(0.0)
    assert desk.answers.settled(1, again_at_s=1.0)
    desk.put("2")
    assert desk.send(0.9) == []
    assert desk.send(1.0) == ["0", "2"]


def test_what_cannot_be_sent_at_all_is_gone():
    desk = Desk(1)
    desk.answers.take(0.0)
    desk.answers.unsendable()
    assert len(desk.answers) == 0
