"""Commands that come in over MQTT, and the answers that go back.

    <base>/<device>/cmd/<verb> ─ read_command → Command ─ whoever acts on it ─ answer_to → Answer → Answers
                                      └ Refusal ───────────────────────────────┘

Pure: no clock, no socket. A payload is the JSON object of the arguments; an empty one has none. The answer goes
where MQTT 5's response topic says, as long as that is a topic an answer can go to, and to ``rsp/<verb>`` otherwise.
Nothing looks for deliveries that come twice: every connection begins with a clean session, so a broker has no
reason for a second one.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from edged.mqtt.records import Received
from edged.mqtt.topics import Topics

MAX_ARGUMENTS_BYTES = 64 << 10
"""Of a payload: a command names things, it does not carry them."""

MAX_RESPONSE_TOPIC = 512
"""Characters of a response topic."""

MAX_WAITING = 64
"""Answers that wait for the broker; the oldest go first."""

MAX_TRIES = 3
"""Times that an answer is sent without being acknowledged before it is dropped: it may be what the broker chokes on."""

_IN_VAIN = f"sent {MAX_TRIES} times and not acknowledged"
_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants done.

    Attributes:
        verb: ``model/activate``, ``ping`` …; not checked here.
        arguments: Of the JSON object.
        reply_to: Topic of the answer.
        correlation: Goes back as it came (MQTT 5).
    """

    verb: str
    arguments: Mapping[str, Any]
    reply_to: str
    correlation: bytes = b""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is no command.

    Attributes:
        why: One line.
        asker: Whom to tell: the command without its arguments. None for nobody.
    """

    why: str
    asker: Command | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer on its way.

    Attributes:
        topic: Where to.
        payload: JSON in UTF-8.
        correlation: Of the command.
        tries: How often it was sent in vain.
    """

    topic: str
    payload: bytes
    correlation: bytes = b""
    tries: int = 0


def read_command(topics: Topics, received: Received) -> Command | Refusal:
    """What a message asks for.

    A retained one is refused without an answer: the broker would have it done again on every connection.
    """
    prefix = topics.command("")
    verb = received.topic.removeprefix(prefix)
    if received.topic == prefix.removesuffix("/"):
        verb = ""  # a filter that ends in /# takes in the level above as well
    elif not received.topic.startswith(prefix):
        return Refusal("not a topic of commands")
    if received.retained:
        return Refusal("it is retained; publish commands without the retain flag, and clear this topic")
    reply_to = received.response_topic
    if not _can_answer_to(topics, reply_to):
        if not _is_plain(verb):  # a broker that means harm can deliver it; nobody could hear the answer
            return Refusal("the verb holds signs that no topic of an answer may have")
        reply_to = topics.response(verb)
    command = Command(verb, {}, reply_to, received.correlation)
    if not verb:
        return Refusal(f"no verb; publish to {prefix}VERB", command)
    try:
        return replace(command, arguments=_arguments(received.payload))
    except ValueError as error:
        return Refusal(str(error), command)


def answer_to(command: Command, answer: Mapping[str, Any]) -> Answer:
    """Put an answer into JSON.

    Raises:
        TypeError: It holds something that JSON does not know.
        ValueError: It holds a number that is not finite, or itself.
    """
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # JSON may escape half a surrogate pair, so one can come in with a command and go back with its answer.
    return Answer(command.reply_to, text.encode(errors="replace"), command.correlation)


class Answers:
    """Answers until the broker has acknowledged them, in order; any thread may put, the link's does the rest.

    Args:
        dropped: Told what is given up, and why; must not block.
    """

    def __init__(self, dropped: Callable[[Answer, str], None]) -> None:
        self._dropped = dropped
        self._lock = threading.Lock()
        self._waiting: deque[Answer] = deque()
        self._taken: Answer | None = None
        self._flying: dict[int, Answer] = {}
        self._not_before_s = 0.0

    def put(self, answer: Answer) -> None:
        """Have an answer sent; the oldest that waits makes room for it."""
        with self._lock:
            self._waiting.append(answer)
            too_many = self._over()
        self._tell(too_many)

    def all_again(self) -> None:
        """A new connection: what was sent and not acknowledged goes first, unless that was its last try."""
        with self._lock:
            sent = [*self._flying.values(), *([self._taken] if self._taken else [])]
            self._flying.clear()
            self._taken = None
            self._not_before_s = 0.0
            in_vain = self._back(sent)
            too_many = self._over()
        self._tell(in_vain, _IN_VAIN)
        self._tell(too_many)

    def take(self, now_s: float) -> Answer | None:
        """The next to be sent, then ``sent`` or ``unsendable``; None when there is none, or not now."""
        with self._lock:
            if not self._waiting or now_s < self._not_before_s:
                return None
            self._taken = self._waiting.popleft()
            return self._taken

    def sent(self, message: int) -> None:
        """What was taken went out under a packet identifier of the present connection."""
        with self._lock:
            if self._taken is not None:
                self._flying[message] = self._taken
            self._taken = None

    def unsendable(self) -> None:
        """What was taken cannot be sent at all."""
        with self._lock:
            self._taken = None

    def settled(self, message: int, *, again_at_s: float | None) -> bool:
        """The broker has dealt with a message.

        Args:
            message: The packet identifier.
            again_at_s: When it may be offered again, if it was not taken for now; None otherwise.

        Returns:
            False where no answer was sent under this packet identifier.
        """
        with self._lock:
            answer = self._flying.pop(message, None)
            if answer is None or again_at_s is None:
                return answer is not None
            self._not_before_s = again_at_s
            in_vain = self._back([answer])
        self._tell(in_vain, _IN_VAIN)
        return True

    @property
    def suspected(self) -> bool:
        """Whether one was sent in vain before, and is not acknowledged yet: the broker may choke on it."""
        with self._lock:
            taken = [self._taken] if self._taken else []
            return any(answer.tries for answer in (*self._waiting, *taken, *self._flying.values()))

    def __len__(self) -> int:
        """How many the broker has not acknowledged."""
        with self._lock:
            return len(self._waiting) + (self._taken is not None) + len(self._flying)

    def _back(self, sent: list[Answer]) -> list[Answer]:
        """Put what was sent in vain in front again; returns those that had their last try."""
        tried = [replace(answer, tries=answer.tries + 1) for answer in sent]
        self._waiting.extendleft(answer for answer in reversed(tried) if answer.tries < MAX_TRIES)
        return [answer for answer in tried if answer.tries >= MAX_TRIES]

    def _over(self) -> list[Answer]:
        return [self._waiting.popleft() for _ in range(len(self._waiting) - MAX_WAITING)]

    def _tell(self, answers: list[Answer], why: str = f"more than {MAX_WAITING} wait for the broker") -> None:
        for answer in answers:
            self._dropped(answer, why)


def _can_answer_to(topics: Topics, topic: str) -> bool:
    """Whether an answer does no harm there.

    Among the box's own topics it would pass for one of its states, or come back as a command; one that begins with
    ``$``, or has odd characters, would end the connection.
    """
    answers = topics.response("")
    others = topic.startswith(answers) or not f"{topic}/".startswith(answers.removesuffix("rsp/"))
    return 0 < len(topic) <= MAX_RESPONSE_TOPIC and _is_plain(topic) and topic[0] != "$" and others


def _is_plain(topic: str) -> bool:
    """Whether messages can be published under it: no filter, no control characters."""
    return topic.isprintable() and "+" not in topic and "#" not in topic


def _arguments(payload: bytes) -> dict[str, Any]:
    """The JSON object in a payload; raises ValueError with one line."""
    if len(payload) > MAX_ARGUMENTS_BYTES:
        raise ValueError(f"the arguments are {len(payload)} bytes, more than {MAX_ARGUMENTS_BYTES}")
    if not payload.strip():
        return {}
    try:
        value = json.loads(payload.decode(), parse_constant=_not_finite)
    except RecursionError as error:
        raise ValueError("the arguments are nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"the arguments are not JSON: {error}") from error
    if not isinstance(value, dict):
        kind = _KINDS.get(type(value), "a number")
        raise ValueError(f"the arguments are {kind}, not a JSON object")  # noqa: TRY004 - refused like the others
    return value


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
