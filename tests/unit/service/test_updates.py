"""What people see and ask of updates, and what a reload does to them."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mosquitto_broker import until
from structlog.testing import capture_logs
from update_doubles import FakeClient, offer_of

from edged.errors import UpdateRefused, UpdateUnreachable
from edged.mqtt.shapes.model_state import ModelStateMessage, RejectedShape, VersionShape
from edged.service import update_thread
from edged.service.update_words import shape_of, with_update
from edged.service.updates import BUSY, OFF, Updates
from edged.settings import Settings, check_settings
from edged.updates.choosing import rejected
from edged.updates.progress import Progress

DIGEST, MOMENT, LATER = "sha256:" + "0" * 64, "2026-11-22T15:00:00.000000Z", "2026-11-22T16:00:00.000000Z"


def message(**changes: Any) -> ModelStateMessage:
    return ModelStateMessage(
        device="box", model="m", provider_asked=("cpu",), since=LATER, **{"active": serving(1), **changes}
    )


def serving(version: int) -> VersionShape:
    return VersionShape(version=version, digest=DIGEST)


class Model:
    """A model that serves version 1, and what it is told."""

    def __init__(self, name: str, path: Path | None = None) -> None:
        self.name, self.section, self.description = name, SimpleNamespace(path=path), None
        self.says = message()
        self.answer: dict[str, Any] = {"ok": True, "model": name, "version": 1, "note": "nothing newer"}
        self.told: list[str] = []

    def state(self, device: str) -> ModelStateMessage:
        return self.says

    def command(self, verb: str, version: int | None, reply: Any) -> None:
        self.told.append(verb)
        threading.Thread(target=reply, args=(self.answer,)).start()  # from the model's thread


class Box:
    """Updates at work, with the settings of a test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.client = FakeClient(folder / "store")
        self.client.broken_off = UpdateUnreachable("m", "was left", reason="stopped")
        self.models = {"m": Model("m"), "fixed": Model("fixed", Path("file.onnx"))}
        self.settings = self.read(url="http://joe:geheim@updates/", root="root.json")
        self.changed: list[str] = []
        self.errors: list[str] = []
        self.updates = Updates(
            settings=lambda: self.settings,
            models=lambda: cast(Any, self.models),
            state=folder / "state",
            on_change=lambda model: self.changed.append(model.name),
            remember=self.errors.append,
        )
        monkeypatch.setattr(self.updates, "_open_client", self._open)

    def _open(self, _plan: Any, stopping: Callable[[], bool]) -> FakeClient:
        self.client.stopping = stopping
        return self.client

    def read(self, **updates: Any) -> Settings:
        given = {"store": {"path": str(self.folder / "store")}, "updates": {"interval": "1d", **updates}}
        return check_settings(given, name="test").settings

    def ask(self, name: str | None = None) -> dict[str, Any]:
        heard: list[dict[str, Any]] = []
        self.updates.ask(name, lambda answer: heard.append(dict(answer)))
        assert until(lambda: bool(heard), 5)
        (answer,) = heard
        return answer

    def state(self) -> str:
        known = self.updates.known("m")
        return shape_of(self.models["m"].says, known).state if known else ""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(update_thread, "_chance", lambda: 0.999)
    (tmp_path / "store" / "m" / "1").mkdir(parents=True)
    (tmp_path / "store" / "m" / "1" / "model.onnx").write_bytes(b"one")
    found = Box(tmp_path, monkeypatch)
    yield found
    found.client.may_go_on.set()
    found.updates.halt()
    assert found.updates.join(5)


def test_while_they_are_off_nothing_is_known_and_no_thread_is_there(box: Box) -> None:
    box.settings = box.read()
    box.updates.apply()
    assert not box.updates.wanted
    assert box.ask() == {"ok": False, "error": OFF}
    assert box.ask("m") == box.models["m"].answer, "what is in the store is served as ever"
    assert "updates" not in {thread.name for thread in threading.enumerate()}


def test_who_names_a_model_hears_of_the_store_and_of_what_is_offered(box: Box) -> None:
    box.client.offers = (offer_of("m", 3, b"three"),)
    box.client.may_go_on.clear()
    box.updates.apply()
    answer = box.ask("m")
    assert box.models["m"].told == ["update"], "which takes the pin away"
    update = answer.pop("update")
    assert answer == box.models["m"].answer
    assert (update["version"], update["state"] in {"offered", "downloading"}) == (3, True)
    box.client.may_go_on.set()
    assert until(lambda: box.state() == "staged", 5)
    assert set(box.changed) == {"m"}


def test_who_names_none_hears_of_all_that_come_from_afar_and_no_pin_is_taken_away(box: Box) -> None:
    box.updates.apply()
    answer = box.ask()
    assert answer["ok"] is True
    assert {name: update["state"] for name, update in answer["models"].items()} == {"m": "checked"}
    assert box.models["m"].told == []


def test_a_model_that_lies_elsewhere_is_not_updated_and_that_is_said_once(box: Box) -> None:
    with capture_logs() as lines:
        box.updates.apply()
        box.updates.apply()
    assert [line["model"] for line in lines if line["event"] == "not updated from afar"] == ["fixed"]
    assert box.ask("fixed") == box.models["fixed"].answer
    assert box.updates.known("fixed") is None


def test_a_first_version_that_is_on_its_way_is_no_failure(box: Box) -> None:
    box.models["m"].answer = {"ok": False, "error": "models.m: nothing can be served; see its state"}
    box.updates.apply()
    assert box.ask("m")["ok"] is False
    box.client.offers = (offer_of("m", 3, b"three"),)
    assert box.ask("m")["ok"] is True


def test_a_server_that_is_away_is_an_answer_without_a_password(box: Box) -> None:
    box.client.out_of_reach = UpdateUnreachable(
        "http://joe:geheim@updates/", "nobody listens", reason="unreachable"
    )
    box.updates.apply()
    for name in ("m", None):
        answer = box.ask(name)
        assert answer["ok"] is False
        assert answer["error"] == "http://joe:***@updates/: nobody listens"
    known = box.updates.known("m")
    assert known
    assert "geheim" not in shape_of(message(), known).reason
    assert box.updates.totals.checks == {"unreachable": 2}
    assert (box.updates.totals.checked_s, box.errors) == (0.0, [])


def test_an_alarm_is_kept_for_health(box: Box) -> None:
    box.client.out_of_reach = UpdateRefused("http://updates/", "too few signatures", reason="signature")
    box.updates.apply()
    box.ask()
    assert box.errors == ["http://updates/: too few signatures"]


def test_a_reload_that_changes_nothing_leaves_the_thread_and_its_download_alone(box: Box) -> None:
    box.client.offers = (offer_of("m", 3, b"three"),)
    box.client.may_go_on.clear()
    box.updates.apply()
    box.ask("m")
    assert until(lambda: box.state() == "downloading", 5)
    box.updates.apply()
    box.client.may_go_on.set()
    assert until(lambda: box.state() == "staged", 5)
    assert box.client.refreshes == 1


def test_a_reload_turns_them_off_and_on_again(box: Box) -> None:
    box.updates.apply()
    box.ask()
    assert box.state() == "checked"
    on, box.settings = box.settings, box.read()
    box.updates.apply()
    assert box.updates.known("m") is None
    assert box.ask() == {"ok": False, "error": OFF}
    box.settings = on
    box.updates.apply()
    assert box.ask()["ok"] is True
    assert box.updates.totals.checks == {"ok": 2}, "counts go on"


def test_after_the_end_nobody_is_left_waiting(box: Box) -> None:
    box.updates.apply()
    box.updates.halt()
    assert box.ask() == {"ok": False, "error": BUSY}


# What is said


def test_what_was_put_into_the_store_is_active_once_it_serves() -> None:
    staged = Progress("staged", 3, at_s=0.0)
    assert shape_of(message(), staged).state == "staged"
    found = shape_of(message(active=serving(3)), staged)
    assert (found.state, found.version, found.at) == ("active", 3, LATER)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("probation", "rejected: version 3 was rolled back here: probation: slow"),
        ("shapes", "rejected: version 3 was rejected here: shapes: slow"),
        ("", "rejected: version 3 was rejected here: gate: slow"),
    ],
)
def test_what_was_taken_back_is_refused_at_once(step: str, reason: str) -> None:
    rejected = RejectedShape(version=3, reason="slow", step=step, at=MOMENT)
    found = shape_of(message(rejected=(rejected,)), Progress("staged", 3))
    assert (found.state, found.reason, found.at) == ("refused", reason, MOMENT)


def test_what_the_next_look_at_the_repository_says_of_it_is_the_same_as_old() -> None:
    taken_back = RejectedShape(version=3, reason="slow", step="probation", at=MOMENT)
    says = rejected(3, ("probation", "slow"))
    again = shape_of(message(rejected=(taken_back,)), Progress("refused", 3, reason=says, at_s=9.0))
    assert again == shape_of(message(rejected=(taken_back,)), Progress("staged", 3))
    assert again.reason == says


def test_another_reason_to_refuse_it_is_not_covered_up() -> None:
    by_hand = RejectedShape(version=3, reason="slow", step="probation", at=MOMENT)
    found = shape_of(message(rejected=(by_hand,)), Progress("refused", 3, reason="conflict: another digest"))
    assert found.reason == "conflict: another digest"


def test_what_a_version_in_the_store_waits_for_is_said() -> None:
    found = shape_of(message(waiting={"3": "it was touched a moment ago"}), Progress("staged", 3))
    assert found.reason == "it was touched a moment ago"


def test_a_download_has_its_bytes() -> None:
    found = shape_of(message(), Progress("downloading", 3, done_bytes=5, of_bytes=9))
    assert (found.bytes, found.of) == (5, 9)


def test_without_updates_the_message_is_as_it_was() -> None:
    assert with_update(message(), None) == message()
    assert b'"update"' not in message().payload()
    assert b'"update":{"state":"checked"' in with_update(message(), Progress("checked")).payload()


def test_a_daemon_without_updates_loads_nothing_of_them() -> None:
    program = (
        "import sys, edged.service.daemon\n"
        "print([name for name in sys.modules if name.startswith(('tuf', 'securesystemslib', 'edged.updates')) "
        "or name == 'edged.service.update_thread'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
