"""What a link hears: commands for this device, and topics that somebody here listens to.

Results never wait for it: a broker that refuses the subscription, or hangs up on it, still gets everything.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from edged.errors import EdgedError
from edged.mqtt.commands import Command, Refusal, read_command
from edged.mqtt.connection import Connection
from edged.mqtt.records import Received
from edged.mqtt.topics import Topics
from edged.mqtt.window import MAX_ENDS

WARN_EVERY_S = 10.0
"""Between two lines about messages that are no commands."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Hearing:
    """Asks a connection for what is to be heard, and hands it on. Owned by the link's thread."""

    def __init__(
        self,
        topics: Topics,
        on_command: Callable[[Command], None] | None,
        listeners: Mapping[str, Callable[[bytes], None]],
        *,
        answer: Callable[[Command, Mapping[str, Any]], None],
        stopping: Callable[[], bool],
    ) -> None:
        """Nothing is heard yet.

        Args:
            topics: Of this device.
            on_command: Called with each command; must not block. None = nothing is subscribed to.
            listeners: What else is listened to: a topic, and what is called with each payload; must not block.
            answer: Answers what is refused here.
            stopping: Whether nothing is to be begun any more.
        """
        self._topics, self._on_command, self._listeners = topics, on_command, dict(listeners)
        self._answer, self._stopping = answer, stopping
        self._asking = False
        self._ends = 0
        self._deaf = False
        self._refused = 0
        self._refused_s = float("-inf")

    def begin(self, connection: Connection) -> None:
        """Ask for commands without waiting: results do not depend on whether the broker lets us have them."""
        self._asking = False
        if self._on_command is None:
            return
        if self._ends >= MAX_ENDS:
            self._ends = 0  # the next connection tries again
            self._hears_nothing("the broker hangs up on the subscription")
            return
        self._asking = True
        connection.ask_for([self._topics.commands, *self._listeners])

    def receive(self, connection: Connection) -> None:
        """Act on what came in: the answer to the subscription, commands."""
        if self._asking and connection.granted is not None:
            self._asking = False
            self._ends = 0
            if connection.granted[0]:
                self._deaf = False
            else:
                self._hears_nothing("the broker refuses the subscription; look at its ACL")
            for topic, granted in zip(self._listeners, connection.granted[1:], strict=False):
                if not granted:
                    _log.warning(
                        "mqtt topic cannot be listened to", topic=topic, why="look at the broker's ACL"
                    )
        while connection.received:
            self._take_in(connection.received.popleft())

    @property
    def asks(self) -> bool:
        """Whether the broker has yet to answer to the subscription."""
        return self._asking

    def ended(self, *, hung_up: bool) -> None:
        """A connection is over.

        Args:
            hung_up: By the broker, without a reason.
        """
        self._ends += hung_up and self._asking

    def _hears_nothing(self, why: str) -> None:
        if not self._deaf:
            _log.warning("mqtt commands are not received", topic=self._topics.commands, why=why)
        self._deaf = True

    def _refuse(self, topic: str, why: str) -> None:
        """Say that a message is no command; one line in a while, however many come."""
        now_s = time.monotonic()
        self._refused += 1
        if now_s - self._refused_s >= WARN_EVERY_S:
            _log.warning("mqtt command refused", topic=topic, why=why, refused=self._refused)
            self._refused_s = now_s

    def _take_in(self, received: Received) -> None:
        if self._on_command is None:
            return
        if (listener := self._listeners.get(received.topic)) is not None:
            try:
                listener(received.payload)
            except Exception as error:  # noqa: BLE001 - one listener's bug must not cost the connection
                _log.error("mqtt listener failed", topic=received.topic, exc_info=error)
            return
        command = read_command(self._topics, received)
        if isinstance(command, Refusal):
            self._refuse(received.topic, command.why)
            if command.asker is not None:
                self._answer(command.asker, {"ok": False, "error": command.why})
            return
        if self._stopping():
            self._answer(command, {"ok": False, "error": "edged is stopping; try again later"})
            return
        _log.debug("mqtt command", verb=command.verb)
        try:
            self._on_command(command)
        except Exception as error:  # noqa: BLE001 - one command's bug must not cost the connection
            _log.error("mqtt command failed", verb=command.verb, exc_info=error)
            why = (
                str(error) if isinstance(error, EdgedError) else f"unexpected {type(error).__name__}: {error}"
            )
            self._answer(command, {"ok": False, "error": " ".join(why.split())})
