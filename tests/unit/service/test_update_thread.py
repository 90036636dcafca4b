"""The thread that looks for updates: what it tells, when it waits, and that nothing of it ends the daemon."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mosquitto_broker import until
from update_doubles import BOX, FakeClient, offer_of

from edged.errors import ConfigurationError, EdgedError, UpdateRefused, UpdateUnreachable
from edged.heartbeat import hearts
from edged.sections import UpdatesSettings
from edged.service import update_thread
from edged.service.update_thread import MAX_ASKED, Plan, UpdateThread
from edged.updates.progress import Progress

PORTAL = UpdateUnreachable("http://updates", "a page instead of a file", reason="not a repository")
FORGED = UpdateRefused("http://updates", "too few signatures", reason="signature")
STOPPED = UpdateUnreachable("m 3", "was left because edged stops", reason="stopped")
DAYS = 86400.0


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.states: dict[str, list[Progress]] = {}
        self.checks: list[str] = []
        self.bytes = 0
        self.alarms: list[str] = []

    def told(self, name: str, progress: Progress) -> None:
        self.states.setdefault(name, []).append(progress)

    def checked(self, result: str) -> None:
        self.checks.append(result)

    def arrived(self, count: int) -> None:
        self.bytes += count

    def alarmed(self, why: str) -> None:
        self.alarms.append(why)

    def words(self, name: str = "m") -> list[str]:
        return [one.state for one in self.states.get(name, [])]

    def last(self, name: str = "m") -> Progress:
        return self.states.get(name, [Progress("checked", reason="nothing was told yet")])[-1]


class Desk:
    """A thread at work, what it asks, and who listens to it."""

    def __init__(self, store: Path, **section: Any) -> None:
        self.client, self.listener = FakeClient(store), Listener()
        self.client.broken_off = STOPPED
        self.models: dict[str, int | None] = {"m": None}
        self.opens: Callable[[], None] = lambda: None
        given = {"url": "http://updates", "root": "root.json", "interval": DAYS, **section}
        self.plan = Plan(UpdatesSettings.model_validate(given), "box", store)
        self.threads: list[UpdateThread] = []

    def start(self, **changes: Any) -> UpdateThread:
        before = self.threads[-1] if self.threads else None
        thread = UpdateThread(
            replace(self.plan, **changes),
            self.listener,
            open_client=self._open,
            box=lambda: BOX,
            models=lambda: dict(self.models),
            before=before,
        )
        self.threads.append(thread)
        return thread

    def _open(self, stopping: Callable[[], bool]) -> FakeClient:
        self.opens()
        self.client.stopping = stopping
        return self.client

    def ask(self, name: str | None = None) -> "Answer":
        answer = Answer()
        assert self.threads[-1].ask(name, answer)
        return answer


class Answer:
    """To somebody who asked."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._error: EdgedError | None = None

    def __call__(self, error: EdgedError | None) -> None:
        assert not self._came.is_set(), "answered twice"
        self._error = error
        self._came.set()

    def get(self) -> EdgedError | None:
        assert self._came.wait(5)
        return self._error

    @property
    def came(self) -> bool:
        return self._came.is_set()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    """Desks whose threads ask for the first time after a day, unless chance is set."""
    monkeypatch.setattr(update_thread, "_chance", lambda: 0.999)
    (tmp_path / "store" / "m" / "1").mkdir(parents=True)
    (tmp_path / "store" / "m" / "1" / "model.onnx").write_bytes(b"one")
    desks: list[Desk] = []

    def desk(**section: Any) -> Desk:
        desks.append(Desk(tmp_path / "store", **section))
        return desks[-1]

    yield desk
    for one in desks:
        one.client.may_go_on.set()
        for thread in one.threads:
            thread.halt()
            assert thread.join(5)


def wall(monkeypatch: pytest.MonkeyPatch, hour: int, minute: int = 0) -> None:
    """The clock on the wall."""
    monkeypatch.setattr(
        update_thread.time,
        "localtime",
        lambda *_: time.struct_time((2026, 6, 1, hour, minute, 0, 0, 152, 0)),
    )


def in_store(desk: Desk, version: int) -> bool:
    return (desk.plan.store / "m" / str(version) / "model.onnx").is_file()


def test_what_is_asked_for_is_answered_then_downloaded_and_put_into_the_store(make: Any) -> None:
    desk = make()
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.client.may_go_on.clear()
    desk.start()
    assert desk.ask("m").get() is None
    assert until(lambda: "downloading" in desk.listener.words(), 5)
    assert desk.listener.words()[:2] == ["offered", "downloading"]
    assert not in_store(desk, 3)
    desk.client.may_go_on.set()
    assert until(lambda: desk.listener.last().state == "staged", 5)
    assert in_store(desk, 3)
    assert desk.listener.last().version == 3
    assert (desk.listener.checks, desk.listener.bytes) == (["ok"], 5)


def test_it_asks_by_itself_when_it_is_due(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_thread, "_chance", lambda: 0.0)
    desk = make()
    desk.start()
    assert until(lambda: desk.listener.words() == ["checked"], 5)
    assert desk.client.refreshes == 1, "and again a day later"


def test_a_box_without_any_version_asks_soon(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_thread, "_chance", lambda: 0.01)
    desk = make()
    desk.models = {"m": None, "n": None}
    desk.client.offers = (offer_of("n", 1, b"first of n"),)
    desk.start()
    assert until((desk.plan.store / "n" / "1" / "model.onnx").is_file, 5)


def test_weather_is_told_apart_from_an_alarm(make: Any) -> None:
    desk = make()
    desk.start()
    desk.client.out_of_reach = PORTAL
    assert desk.ask().get() is PORTAL
    assert desk.listener.last() == Progress("unreachable", reason=f"not a repository: {PORTAL}")
    assert desk.listener.alarms == []
    desk.client.out_of_reach = FORGED
    assert desk.ask().get() is FORGED
    assert desk.ask().get() is FORGED
    assert desk.listener.last() == Progress("refused", reason=f"signature: {FORGED}")
    assert desk.listener.alarms == [str(FORGED)], "once while it lasts"
    desk.client.out_of_reach = None
    assert desk.ask().get() is None
    assert desk.listener.checks == ["unreachable", "refused", "refused", "ok"]


def test_keys_that_are_not_there_are_an_alarm_and_looked_for_again(make: Any) -> None:
    desk = make()
    missing = ConfigurationError("root.json", "no such file", "put it there")

    def fail() -> None:
        raise missing

    desk.opens = fail
    desk.start()
    assert desk.ask().get() is missing
    assert desk.listener.last() == Progress("refused", reason=f"setup: {missing}")
    desk.opens = lambda: None
    assert desk.ask().get() is None


def test_a_download_that_breaks_off_is_tried_again_and_forged_bytes_are_not(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make()
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.client.error = UpdateUnreachable("m 3", "the connection broke", reason="interrupted")
    desk.start()
    desk.ask()
    assert until(lambda: desk.listener.last().state == "unreachable", 5)
    assert desk.listener.last().version == 3
    desk.client.error = UpdateRefused("m 3", "is another file", reason="mismatch")
    desk.ask()
    assert until(lambda: desk.listener.last().state == "refused", 5)
    assert desk.listener.alarms == [str(desk.client.error)]
    told, asked = len(desk.listener.words()), desk.client.refreshes
    monkeypatch.setattr(update_thread.schedule, "next_s", lambda *_, **__: 0.01)
    assert desk.ask().get() is None, "asked for, it is tried once more"
    assert until(lambda: desk.client.refreshes > asked + 3, 5)
    assert len(desk.client.held) == 3
    assert set(desk.listener.words()[told:]) == {"offered", "downloading", "refused"}
    assert desk.listener.words()[-2:] == ["refused", "refused"]


def test_outside_the_window_it_asks_and_does_not_download(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wall(monkeypatch, 12)
    monkeypatch.setattr(update_thread, "_chance", lambda: 0.0)
    desk = make(window="01:00-05:00")
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.start()
    assert until(lambda: desk.listener.words() == ["offered"], 5)
    assert desk.listener.last() == Progress("offered", 3, reason="waits for 01:00-05:00, local time")
    assert not in_store(desk, 3)
    assert desk.ask("m").get() is None, "whoever asks does not wait for the window"
    assert until(lambda: in_store(desk, 3), 5)


def test_a_download_stops_when_the_window_closes(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wall(monkeypatch, 4, 59)
    monkeypatch.setattr(update_thread, "_chance", lambda: 0.0)
    desk = make(window="01:00-05:00")
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.client.may_go_on.clear()
    desk.start()
    assert until(lambda: "downloading" in desk.listener.words(), 5)
    wall(monkeypatch, 5)
    assert until(lambda: desk.listener.last().state == "offered", 5)
    assert desk.listener.last().reason == "waits for 01:00-05:00, local time"
    assert desk.listener.alarms == []


def test_a_pinned_model_is_left_alone_until_the_pin_is_away(make: Any) -> None:
    desk = make()
    desk.models = {"m": 1}
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.start()
    assert desk.ask().get() is None
    assert until(lambda: desk.listener.words() == ["offered"], 5)
    assert desk.listener.last().reason.startswith("version 1 is pinned")
    desk.models = {"m": None}
    desk.ask("m")
    assert until(lambda: in_store(desk, 3), 5)


def test_who_asks_during_a_download_does_not_wait_for_its_end(make: Any) -> None:
    desk = make()
    desk.models = {"m": None, "n": None}
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.client.may_go_on.clear()
    desk.start()
    desk.ask("m")
    assert until(lambda: "downloading" in desk.listener.words(), 5)
    assert desk.ask("m").get() is None
    desk.client.offers = (*desk.client.offers, offer_of("n", 1, b"first of n"))
    assert desk.ask("n").get() is None
    desk.client.may_go_on.set()
    assert until((desk.plan.store / "n" / "1").is_dir, 5), "in a round right after"


def test_one_that_cannot_be_had_does_not_keep_the_next_waiting_unless_it_is_the_weather(make: Any) -> None:
    desk = make()
    desk.models = {"m": None, "n": None}
    desk.client.offers = (offer_of("m", 3, b"three"), offer_of("n", 1, b"first of n"))
    desk.client.error = FORGED
    desk.start()
    desk.ask()
    assert until(lambda: len(desk.client.held) == 2, 5)
    assert until(lambda: desk.listener.last("n").state == "refused", 5)
    assert len(desk.listener.alarms) == 2


@pytest.mark.parametrize("where", ["refresh", "fetch"])
def test_a_bug_does_not_end_the_thread(make: Any, where: str) -> None:
    desk = make()
    desk.client.offers = (offer_of("m", 3, b"three"),)
    setattr(desk.client, {"refresh": "out_of_reach", "fetch": "error"}[where], ZeroDivisionError("oh"))
    desk.start()
    error = desk.ask().get()
    assert (where == "refresh") == ("a bug of edged" in str(error))
    assert until(lambda: len(desk.client.held) == (where == "fetch"), 5)
    desk.client.out_of_reach = desk.client.error = None
    assert desk.ask().get() is None
    assert until(lambda: in_store(desk, 3), 5)


def test_at_the_end_everybody_is_told_and_nothing_is_said_any_more(make: Any) -> None:
    desk = make()
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.client.may_go_on.clear()
    thread = desk.start()
    desk.ask("m")
    assert until(lambda: "downloading" in desk.listener.words(), 5)
    said = len(desk.listener.words())
    thread.halt()
    assert thread.join(5)
    assert len(desk.listener.words()) == said
    assert not thread.ask("m", Answer())
    assert "updates" not in {heart.name for heart in hearts()}
    assert not in_store(desk, 3)


def test_the_next_thread_begins_when_the_one_before_it_has_ended(make: Any) -> None:
    desk = make()
    desk.client.offers = (offer_of("m", 3, b"three"),)
    desk.client.may_go_on.clear()
    desk.client.stopping = lambda: False
    first = desk.start()
    desk.ask("m")
    assert until(lambda: "downloading" in desk.listener.words(), 5)
    desk.client.stopping = lambda: False  # it hangs, and hears nothing
    first.halt()
    desk.start(device="another")
    answer = desk.ask("m")
    assert not answer.came
    assert desk.client.refreshes == 1
    desk.client.may_go_on.set()
    assert answer.get() is None
    assert desk.client.refreshes == 2


def test_only_so_many_may_wait(make: Any) -> None:
    desk = make()
    hold = threading.Event()
    desk.opens = lambda: bool(hold.wait(5)) and None
    thread = desk.start()
    desk.ask()
    assert until(lambda: not thread._asked, 5)
    assert [thread.ask("m", Answer()) for _ in range(MAX_ASKED + 1)] == [True] * MAX_ASKED + [False]
    hold.set()
