"""Commands reach what they name, and whoever asked is told what is wrong with the others."""

import json
import threading
from typing import Any, cast

import pytest
from mosquitto_broker import until
from structlog.testing import capture_logs

from edged.errors import SourceLost
from edged.mqtt.commands import Command, answer_to
from edged.service import orders
from edged.service.orders import BURST, MAX_WAITING, STOPPING, TOO_MANY, TOO_OFTEN, Orders

MODEL_VERBS = ["model/activate", "model/list", "model/rollback", "model/test", "model/update"]
WITH_VERSION = {"model/activate", "model/test"}


class FakeModel:
    """Keeps what it is told, and how to answer."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int | None]] = []
        self.replies: list[Any] = []

    def command(self, verb: str, version: int | None, reply: Any) -> None:
        self.told.append((verb, version))
        self.replies.append(reply)


class Desk:
    """Orders for the models ``m`` and ``n`` and the camera ``front``, and the answers that were sent."""

    def __init__(self, *names: str) -> None:
        self.models = {name: FakeModel() for name in names}
        self.answers: list[tuple[Command, dict[str, Any]]] = []
        self.reloads: list[Any] = []
        self.updates: list[tuple[str | None, Any]] = []
        self.act: Any = lambda arguments: {"ok": True, **arguments}
        self.orders = Orders(
            lambda command, answer: self.answers.append((command, dict(answer))),
            models=lambda: cast(Any, self.models),
            cameras=lambda: ["front"],
            actions={f"camera/{verb}": self._act for verb in ("enable", "min_score", "snapshot")},
            reload=self.reloads.append,
            update=lambda name, reply: self.updates.append((name, reply)),
        )

    def _act(self, arguments: Any) -> Any:
        return self.act(arguments)

    def take(self, verb: str, **arguments: Any) -> Command:
        command = Command(verb, arguments, "rsp/here", b"7")
        self.orders.take(command)
        return command

    def refusal(self) -> str:
        (_, answer), *more = self.answers
        assert not more
        assert answer.pop("ok") is False
        error = answer.pop("error")
        assert not answer
        return error


@pytest.fixture
def desk() -> Desk:
    return Desk("m", "n")


def test_a_ping_is_answered_at_once(desk):
    command = desk.take("ping")
    assert desk.answers == [(command, {"ok": True})]


@pytest.mark.parametrize("verb", ["", "model", "model/", "model/remove", "Ping", "activate", "model/list/m"])
def test_an_unknown_command_is_refused_with_those_that_are_known(desk, verb):
    desk.take(verb, name="m", version=1)
    error = desk.refusal()
    assert error == (
        f"unknown command {verb!r}; known are camera/enable, camera/min_score, camera/snapshot, model/activate, "
        "model/list, model/rollback, model/test, model/update, ping, reload"
    )
    assert not desk.models["m"].told


@pytest.mark.parametrize(
    ("verb", "arguments", "told"),
    [
        ("model/activate", {"version": 3}, ("activate", 3)),
        ("model/test", {"version": 999_999_999}, ("test", 999_999_999)),
        ("model/rollback", {}, ("rollback", None)),
        ("model/list", {}, ("list", None)),
    ],
)
def test_a_command_reaches_the_model_it_names_and_no_other(desk, verb, arguments, told):
    desk.take(verb, name="n", **arguments)
    assert desk.models["n"].told == [told]
    assert desk.models["m"].told == []
    assert desk.answers == [], "the model answers when it is done"


@pytest.mark.parametrize("arguments", [{}, {"name": "n"}])
def test_an_update_is_looked_for_beyond_the_store_of_one_model_or_of_all(desk, arguments):
    command = desk.take("model/update", **arguments)
    ((name, reply),) = desk.updates
    assert name == arguments.get("name")
    reply({"ok": True})
    assert desk.answers == [(command, {"ok": True})]
    assert not desk.models["n"].told


def test_each_answer_of_a_model_goes_to_who_asked(desk):
    first, second = desk.take("model/list", name="m"), desk.take("model/test", name="m", version=2)
    replies = desk.models["m"].replies
    replies[1]({"ok": False, "error": "busy"})
    replies[0]({"ok": True, "versions": [1]})
    assert desk.answers == [
        (second, {"ok": False, "error": "busy"}),
        (first, {"ok": True, "versions": [1]}),
    ]


@pytest.mark.parametrize("verb", MODEL_VERBS)
@pytest.mark.parametrize("name", ["x", "", "M", None, 7, ["m"], {"m": 1}, True])
def test_a_name_that_is_not_configured_is_refused_with_those_that_are(desk, verb, name):
    desk.take(verb, name=name, **({"version": 1} if verb in WITH_VERSION else {}))
    assert desk.refusal() == f'"name" is {json.dumps(name)}; configured are m, n'


def test_a_name_that_is_missing_is_refused(desk):
    desk.take("model/list")
    assert desk.refusal() == '"name" is missing; configured are m, n'


def test_where_no_model_is_configured_that_is_said():
    desk = Desk()
    desk.take("model/list", name="m")
    assert desk.refusal() == '"name" is "m"; configured are none'


@pytest.mark.parametrize("verb", ["model/activate", "model/test"])
@pytest.mark.parametrize("version", [None, 0, -1, 10**9, 1.0, 3.5, "3", True, False, [3], float("inf")])
def test_a_version_that_is_no_whole_number_from_1_is_refused(desk, verb, version):
    desk.take(verb, name="m", version=version)
    assert desk.refusal() == f'"version" is {json.dumps(version)}; a whole number such as 3 is wanted'
    assert not desk.models["m"].told


def test_a_refusal_does_not_grow_with_what_was_sent(desk):
    desk.take("model/list", name="x" * 60_000)
    desk.take("model/activate", name="m", version="9" * 60_000)
    assert all(len(answer["error"]) < 200 for _, answer in desk.answers)
    assert len(desk.answers) == 2


def test_a_name_with_half_a_character_is_refused_in_an_answer_that_can_be_sent(desk):
    command = desk.take("model/list", name="\ud800")
    assert b'"ok":false' in answer_to(command, desk.answers[0][1]).payload


def test_models_that_are_configured_later_are_known(desk):
    desk.models["late"] = FakeModel()
    del desk.models["m"]
    desk.take("model/list", name="late")
    assert desk.models["late"].told == [("list", None)]
    desk.take("model/list", name="m")
    assert desk.refusal().endswith("configured are n, late")


@pytest.mark.parametrize(
    ("verb", "arguments", "error"),
    [
        ("ping", {"x": 1}, "unknown argument 'x'; none is taken"),
        ("reload", {"file": "a"}, "unknown argument 'file'; none is taken"),
        ("model/list", {"name": "m", "version": 1}, "unknown argument 'version'; known are name"),
        ("camera/enable", {"name": "back", "enabled": True}, '"name" is "back"; configured are front'),
        ("camera/enable", {"name": "front"}, '"enabled" is missing; true or false is wanted'),
        (
            "camera/snapshot",
            {"name": "front", "quality": 0},
            '"quality" is 0; a whole number from 1 to 100 is wanted',
        ),
    ],
)
def test_wrong_arguments_are_refused_in_a_line_that_says_what_is_allowed(desk, verb, arguments, error):
    desk.take(verb, **arguments)
    assert desk.refusal() == error
    assert not desk.reloads


def test_a_reload_is_answered_when_it_is_done(desk):
    command = desk.take("reload")
    assert desk.answers == []
    (reply,) = desk.reloads
    reply({"ok": True, "changed": []})
    assert desk.answers == [(command, {"ok": True, "changed": []})]


def test_what_takes_time_is_done_one_after_the_other_away_from_who_brings_it(desk):
    threads = []
    desk.act = lambda arguments: threads.append(threading.current_thread().name) or {"ok": True, **arguments}
    desk.orders.start()
    for enabled in (True, False, True):
        desk.take("camera/enable", name="front", enabled=enabled)
    assert until(lambda: len(desk.answers) == 3, 5)
    assert [answer["enabled"] for _, answer in desk.answers] == [True, False, True]
    assert threads == ["orders"] * 3
    desk.orders.close()
    assert desk.orders.join(5)


def test_what_goes_wrong_is_an_answer_and_the_next_command_is_carried_out(desk):
    def act(arguments):
        if arguments["min_score"] == 0:
            raise SourceLost("cameras.front", "is offline", "try again later")
        if arguments["min_score"] == 1:
            raise RuntimeError("oh")
        return {"ok": True}

    desk.act = act
    desk.orders.start()
    with capture_logs() as lines:
        for score in (0, 1, 0.5):
            desk.take("camera/min_score", name="front", min_score=score)
        assert until(lambda: len(desk.answers) == 3, 5)
    assert [answer for _, answer in desk.answers] == [
        {"ok": False, "error": "cameras.front: is offline; try again later"},
        {"ok": False, "error": "a bug of edged: RuntimeError('oh')"},
        {"ok": True},
    ]
    assert [line["event"] for line in lines] == ["a bug in a command"]
    desk.orders.close()


def test_more_commands_than_can_wait_are_refused_and_those_that_wait_at_the_end_are_told(desk, monkeypatch):
    monkeypatch.setattr(orders, "BURST", 1000)
    desk = Desk("m")
    inside, go_on = threading.Event(), threading.Event()

    def act(arguments):
        inside.set()
        assert go_on.wait(10)
        return {"ok": True}

    desk.act = act
    desk.orders.start()
    desk.take("camera/snapshot", name="front")
    assert inside.wait(5)
    for _ in range(MAX_WAITING + 2):
        desk.take("camera/snapshot", name="front")
    assert [answer["error"] for _, answer in desk.answers] == [TOO_MANY] * 2
    desk.orders.close()
    assert [answer["error"] for _, answer in desk.answers[2:]] == [STOPPING] * MAX_WAITING
    desk.take("camera/snapshot", name="front")
    desk.take("model/list", name="m")
    assert [answer["error"] for _, answer in desk.answers[-2:]] == [STOPPING] * 2
    assert not desk.orders.join(0.01)
    go_on.set()
    assert desk.orders.join(5)
    assert desk.answers[-1][1] == {"ok": True}


def test_a_flood_is_refused_with_one_line_in_the_log(desk):
    desk.orders.start()
    with capture_logs() as lines:
        for _ in range(BURST + 200):
            desk.take("ping")
        assert until(lambda: len(desk.answers) == BURST + 200, 10)
    answers = [answer.get("error", "") for _, answer in desk.answers]
    assert len(answers) == BURST + 200
    assert BURST <= answers.count("") < BURST + 20
    assert set(answers) == {"", TOO_OFTEN}
    assert TOO_OFTEN == "too many commands; at most 20 a second"
    assert [line["event"] for line in lines] == ["too many commands"]
    desk.orders.close()
    assert desk.orders.join(5)
