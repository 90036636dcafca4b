"""A message under ``cmd/``: topic, response topic and payload, with a byte 1 between them; then the answer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from edged.mqtt.commands import MAX_RESPONSE_TOPIC, Command, Refusal, answer_to, read_command
from edged.mqtt.records import Received
from edged.mqtt.topics import Topics
from edged.service.orders import Action, Orders
from fuzz.targets import Target

TOPICS = Topics("edged", "box")
ASKED: dict[str, bytes] = {
    "camera/enable": b'{"name": "front", "enabled": false}',
    "camera/min_score": b'{"name": "front", "min_score": 0.5}',
    "camera/snapshot": b'{"name": "front", "max_width": 640, "quality": 80}',
    "model/activate": b'{"name": "m", "version": 3}',
    "model/list": b'{"name": "m"}',
    "model/rollback": b'{"name": "m"}',
    "model/test": b'{"name": "m", "version": 3}',
    "model/update": b'{"name": "m"}',
    "ping": b"",
    "reload": b"{}",
}
SEEDS = tuple(TOPICS.command(verb).encode() + b"\x01me/1\x01" + body for verb, body in ASKED.items())
TOKENS = (
    b'"name"', b'"version"', b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"\\ud800", b"NaN",
    b"1e999", b"edged/box/cmd/", b"edged/box/cmd", b"#", b"+", b"/", b"\x01", b"camera/", b"model/",
    b"$share/x/",
)  # fmt: skip


class Model:
    """Answers with what it was told."""

    def command(self, verb: str, version: int | None, reply: Any) -> None:
        reply({"ok": True, "verb": verb, "version": version})


class _Prompt(Orders):
    """Does at once what otherwise waits for a thread."""

    def _queue(self, command: Command, action: Action) -> None:
        self._perform(command, action)


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    yield Target("commands", SEEDS, TOKENS, run)


def run(content: bytes) -> str:
    """One message; what a broker can deliver at all is UTF-8 in its topics, as paho checks."""
    topic, response, payload = [*content.split(b"\x01", 2), b"", b""][:3]
    received = Received(
        topic.decode(errors="replace"),
        payload,
        retained=False,
        response_topic=response.decode(errors="replace"),
        correlation=response,
    )
    read = read_command(TOPICS, received)
    if isinstance(read, Refusal):
        assert "\n" not in read.why
        if read.asker:
            _check(read.asker, {"ok": False, "error": read.why})
        return "refused"
    answers: list[tuple[Command, Mapping[str, Any]]] = []

    def act(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**arguments, "ok": True}

    orders = _Prompt(
        lambda command, answer: answers.append((command, answer)),
        models=lambda: cast("Any", {"m": Model()}),
        cameras=lambda: ["front"],
        actions={verb: act for verb in ASKED if verb.startswith("camera/")},
        reload=lambda reply: reply({"ok": True, "changed": []}),
        update=lambda name, reply: reply({"ok": True, "name": name}),
    )
    orders.take(read)
    (answered,) = answers
    _check(*answered)
    return "obeyed" if answered[1]["ok"] else "wrong"


def _check(command: Command, body: Mapping[str, Any]) -> None:
    answer = answer_to(command, body)
    assert len(answer.topic) > 0, "an answer to no topic"
    assert len(answer.payload) < 64 << 10, "an answer that is larger than any command"
    assert "#" not in answer.topic, "an answer to a filter"
    assert "+" not in answer.topic, "an answer to a filter"
    assert len(answer.topic) <= MAX_RESPONSE_TOPIC or answer.topic.startswith(TOPICS.response("")), (
        "a long topic"
    )
    assert len(answer.topic.encode()) <= 65_535, "a topic that MQTT cannot carry"
    assert answer.topic.isprintable(), "a topic that ends the connection"
    assert not f"{answer.topic}/".startswith(TOPICS.command("")), "an answer that comes back as a command"
