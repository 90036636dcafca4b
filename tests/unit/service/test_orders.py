"""Commands reach the model they name, and whoever asked is told what is wrong with the others."""

from typing import Any, cast

import pytest

from edged.mqtt.commands import Command, answer_to
from edged.service.orders import MODEL_VERBS, Orders


class FakeModel:
    """Keeps what it is told, and how to answer."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int | None]] = []
        self.replies: list[Any] = []

    def command(self, verb: str, version: int | None, reply: Any) -> None:
        self.told.append((verb, version))
        self.replies.append(reply)


class Desk:
    """Orders for the models ``m`` and ``n``, and the answers that were sent."""

    def __init__(self, *names: str) -> None:
        self.models = {name: FakeModel() for name in names}
        self.answers: list[tuple[Command, dict[str, Any]]] = []
        self.orders = Orders(
            lambda: cast(Any, self.models),
            lambda command, answer: self.answers.append((command, dict(answer))),
        )

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
        f"unknown command {verb!r}; known are model/activate, model/rollback, model/list, model/test, ping"
    )
    assert not desk.models["m"].told


@pytest.mark.parametrize(
    ("verb", "arguments", "told"),
    [
        ("model/activate", {"version": 3}, ("activate", 3)),
        ("model/test", {"version": 999_999_999}, ("test", 999_999_999)),
        ("model/rollback", {}, ("rollback", None)),
        ("model/list", {}, ("list", None)),
        ("model/list", {"version": "x", "more": []}, ("list", None)),
    ],
)
def test_a_command_reaches_the_model_it_names_and_no_other(desk, verb, arguments, told):
    desk.take(verb, name="n", **arguments)
    assert desk.models["n"].told == [told]
    assert desk.models["m"].told == []
    assert desk.answers == [], "the model answers when it is done"


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
    desk.take(verb, name=name, version=1)
    assert desk.refusal() == f'"name" is {name!r}; configured are m, n'


def test_a_name_that_is_missing_is_refused(desk):
    desk.take("model/list")
    assert desk.refusal() == '"name" is None; configured are m, n'


def test_where_no_model_is_configured_that_is_said():
    desk = Desk()
    desk.take("model/list", name="m")
    assert desk.refusal() == "\"name\" is 'm'; configured are none"


@pytest.mark.parametrize("verb", ["model/activate", "model/test"])
@pytest.mark.parametrize("version", [None, 0, -1, 10**9, 1.0, 3.5, "3", True, False, [3], float("inf")])
def test_a_version_that_is_no_whole_number_from_1_is_refused(desk, verb, version):
    desk.take(verb, name="m", version=version)
    assert desk.refusal() == f'"version" is {version!r}; a whole number such as 3 is wanted'
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
