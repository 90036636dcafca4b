from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from edged.mqtt.commands import Command
from edged.mqtt.connection import Connection
from edged.mqtt.hearing import Hearing
from edged.mqtt.records import Received
from edged.mqtt.topics import Topics
from edged.mqtt.window import MAX_ENDS

TOPICS = Topics("edged", "box")
PING = TOPICS.command("ping")


class Broker:
    """A connection that grants what it is told to."""

    def __init__(self, *granted: bool) -> None:
        self.granted: list[bool] | None = list(granted) or None
        self.asked: list[str] = []
        self.received: deque[Received] = deque()

    def ask_for(self, topic_filters: Sequence[str]) -> None:
        self.asked += topic_filters


class Ears:
    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.answers: list[dict[str, Any]] = []
        self.births: list[bytes] = []
        self.stopping = False
        self.hearing = Hearing(
            TOPICS,
            self.commands.append,
            {"homeassistant/status": self.births.append},
            answer=lambda _command, answer: self.answers.append(dict(answer)),
            stopping=lambda: self.stopping,
        )

    def meet(self, *granted: bool) -> Broker:
        broker = Broker(*granted)
        self.hearing.begin(cast(Connection, broker))
        return broker

    def hear(self, broker: Broker, *received: Received) -> None:
        broker.received.extend(received)
        self.hearing.receive(cast(Connection, broker))


@pytest.fixture
def ears() -> Ears:
    return Ears()


def test_commands_and_what_is_listened_to_go_where_they_belong(ears: Ears) -> None:
    broker = ears.meet(True, True)
    assert broker.asked == [TOPICS.commands, "homeassistant/status"]
    ears.hear(broker, Received("homeassistant/status", b"online", False), Received(PING, b"", False))
    assert ears.births == [b"online"]
    assert [command.verb for command in ears.commands] == ["ping"]


def test_a_flood_of_what_is_no_command_is_answered_and_said_in_one_line(ears: Ears) -> None:
    broker = ears.meet(True, True)
    with capture_logs() as lines:
        ears.hear(broker, *[Received(PING, b"no json", False)] * 500)
    assert len(ears.answers) == 500
    assert len(lines) == 1
    assert not ears.commands


def test_a_refused_topic_is_named_and_the_other_goes_on(ears: Ears) -> None:
    with capture_logs() as lines:
        broker = ears.meet(True, False)
        ears.hear(broker, Received(PING, b"", False))
    assert [line["topic"] for line in lines if line["log_level"] == "warning"] == ["homeassistant/status"]
    assert len(ears.commands) == 1


def test_refused_commands_are_said_once_over_many_connections(ears: Ears) -> None:
    with capture_logs() as lines:
        for _ in range(5):
            ears.hear(ears.meet(False, True))
    assert len([line for line in lines if "not received" in line["event"]]) == 1


def test_a_broker_that_hangs_up_on_the_subscription_is_not_asked_every_time(ears: Ears) -> None:
    for _ in range(MAX_ENDS):
        assert ears.meet().asked
        ears.hearing.ended(hung_up=True)
    assert not ears.meet().asked
    assert ears.meet().asked


def test_a_command_while_it_stops_is_answered_and_not_begun(ears: Ears) -> None:
    broker = ears.meet(True, True)
    ears.stopping = True
    ears.hear(broker, Received(PING, b"", False))
    assert ears.commands == []
    assert "stopping" in ears.answers[0]["error"]


def test_a_listener_that_fails_costs_nothing(ears: Ears) -> None:
    def fail(_payload: bytes) -> None:
        raise RuntimeError("a bug")

    ears.hearing._listeners["homeassistant/status"] = fail
    broker = ears.meet(True, True)
    with capture_logs() as lines:
        ears.hear(broker, Received("homeassistant/status", b"online", False), Received(PING, b"", False))
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["mqtt listener failed"]
    assert len(ears.commands) == 1
