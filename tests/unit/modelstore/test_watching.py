"""The thread that says that the store may have changed. Unless a test says otherwise, only an event can wake it."""

import contextlib
import logging
import os
import queue
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edged.modelstore import watching as module
from edged.modelstore.watching import StoreWatcher, concerns

NEVER_S = 3600.0
BOUND_S = 20.0


class Looker:
    """Takes the calls, and says whether one came that found what a test made."""

    def __init__(self):
        self.calls = 0
        self.called = threading.Semaphore(0)
        self._expected = lambda: False
        self._found = threading.Event()

    def __call__(self):
        self.calls += 1
        if self._expected():
            self._found.set()
        self.called.release()

    @contextlib.contextmanager
    def finds(self, expected):
        """A call after the block's change finds that ``expected()`` holds."""
        assert not expected()
        self._found.clear()
        self._expected = expected
        yield
        assert self._found.wait(BOUND_S), "no call came after the change"
        self._expected = lambda: False

    def wait(self, calls=1):
        for _ in range(calls):
            assert self.called.acquire(timeout=BOUND_S), "no call came"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "STEP_MS", 20)
    monkeypatch.setattr(module, "DEBOUNCE_MS", 20)


@pytest.fixture
def looker():
    return Looker()


@pytest.fixture
def watch(looker):
    """Start a watcher and return once it listens."""
    with contextlib.ExitStack() as started:

        def start(*folders, every_s=NEVER_S):
            watcher = started.enter_context(StoreWatcher(folders, on_change=looker, every_s=every_s))
            looker.wait()
            return watcher

        yield start


@pytest.fixture
def store(tmp_path):
    version = tmp_path / "store" / "gate" / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(b"one")
    return tmp_path / "store"


def holds(path, content):
    return lambda: path.is_file() and path.read_bytes() == content


def swap(link, target):
    """Replace a link in one step, as Kubernetes does."""
    new = link.with_name(f"{link.name}_tmp")
    new.symlink_to(target)
    new.replace(link)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("store/gate/1/model.onnx", True),
        ("store/gate/1/model.onnx.data", True),
        ("store/gate/1/model.toml", True),
        ("store/gate/1/labels.txt", True),
        ("store/gate/1", True),
        ("store/gate", True),
        ("store/gate/pinned", True),
        ("store/gate.onnx", True),
        ("store/..data", True),
        ("store/..data_tmp", True),
        ("store/..2026_01_02_03_04_05.678/gate/1/model.onnx", True),
        ("/home/user/.local/share/edged/gate/1/model.onnx", True),
        ("store/gate/1.rejected.json", False),
        ("store/gate/.1.rejected.json.0f0f0f0f", False),
        ("store/gate/.served.json", False),
        ("store/gate/.served.json.0f0f0f0f", False),
        ("store/gate/.pinned.0f0f0f0f", False),
        ("store/.adding-0123456789ab", False),
        ("store/.adding-0123456789ab/version/model.onnx", False),
        ("store/gate/1/.model.toml.swp", False),
        ("store/gate/1/model.toml.swp", False),
        ("store/gate/1/.model.toml.swx", False),
        ("store/gate/1/model.toml~", False),
        ("store/gate/1/.#model.toml", False),
        ("store/gate/1/#model.toml#", False),
        ("store/gate/1/4913", False),
        ("store/gate/1/.model.onnx.A1b2C3", False),
    ],
)
def test_a_name_says_whether_a_change_may_be_one_of_the_models(path, answer):
    assert concerns(Path(path)) is answer


class TestEvents:
    def test_a_file_that_is_created_overwritten_renamed_into_place_or_removed_is_seen(
        self, watch, looker, store
    ):
        watch(store)
        model, labels = store / "gate" / "1" / "model.onnx", store / "gate" / "1" / "labels.txt"
        with looker.finds(holds(labels, b"dog")):
            labels.write_bytes(b"dog")
        with looker.finds(holds(model, b"two")), model.open("r+b") as file:
            file.write(b"two")
        other = store.parent / "other.onnx"
        other.write_bytes(b"three")
        with looker.finds(holds(model, b"three")):
            other.replace(model)
        with looker.finds(lambda: not model.exists()):
            model.unlink()

    def test_a_new_model_with_its_version_is_seen_and_so_is_what_changes_in_it_later(
        self, watch, looker, store
    ):
        watch(store)
        model = store / "yard" / "7" / "model.onnx"
        with looker.finds(holds(model, b"one")):
            model.parent.mkdir(parents=True)
            model.write_bytes(b"one")
        with looker.finds(holds(model, b"two")):
            model.write_bytes(b"two")

    def test_a_version_that_is_renamed_into_place_is_seen_and_so_is_its_end(self, watch, looker, store):
        staged = store / ".adding-00ff" / "version"
        staged.mkdir(parents=True)
        (staged / "model.onnx").write_bytes(b"two")
        watch(store)
        version = store / "gate" / "2"
        with looker.finds(holds(version / "model.onnx", b"two")):
            staged.rename(version)
        with looker.finds(lambda: not version.exists()):
            shutil.rmtree(version)

    def test_a_pin_is_seen(self, watch, looker, store):
        watch(store)
        with looker.finds(holds(store / "gate" / "pinned", b"1\n")):
            (store / "gate" / "pinned").write_bytes(b"1\n")

    def test_a_single_file_in_a_folder_of_its_own_is_seen(self, watch, looker, store, tmp_path):
        (tmp_path / "home").mkdir()
        watch(store, tmp_path / "home")
        with looker.finds(holds(tmp_path / "home" / "m.onnx", b"one")):
            (tmp_path / "home" / "m.onnx").write_bytes(b"one")

    @pytest.mark.parametrize("link", ["current", "..data"])
    def test_a_link_that_kubernetes_swaps_is_seen_and_so_is_what_changes_behind_it(
        self, watch, looker, tmp_path, link
    ):
        store = tmp_path / "store"
        for number in "12":
            version = store / f"..data_{number}" / "m" / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").write_text(number)
        (store / link).symlink_to("..data_1")
        (store / "m").symlink_to(f"{link}/m")
        watch(store)
        model = store / "m" / "1" / "model.onnx"
        with looker.finds(holds(model, b"2")):
            swap(store / link, "..data_2")
        with looker.finds(lambda: not (store / "..data_1").exists()):
            shutil.rmtree(store / "..data_1")
        with looker.finds(holds(model, b"3")):
            model.write_bytes(b"3")

    def test_a_link_out_of_the_store_is_followed_to_where_it_leads_now(self, watch, looker, store, tmp_path):
        for number in "12":
            (tmp_path / number / "1").mkdir(parents=True)
            (tmp_path / number / "1" / "model.onnx").write_text(number)
        (store / "m").symlink_to(tmp_path / "1")
        watch(store)
        model = store / "m" / "1" / "model.onnx"
        with looker.finds(holds(model, b"2")):
            swap(store / "m", tmp_path / "2")
        with looker.finds(holds(model, b"3")):
            model.write_bytes(b"3")

    def test_they_come_within_a_moment(self, watch, looker, store, monkeypatch):
        monkeypatch.undo()
        watch(store)
        began_s = time.monotonic()
        with looker.finds(holds(store / "gate.onnx", b"one")):
            (store / "gate.onnx").write_bytes(b"one")
        assert time.monotonic() - began_s < BOUND_S / 4  # 0.2 s on a machine that has nothing else to do

    def test_the_library_writes_nothing_to_the_log(self, watch, looker, store, caplog):
        caplog.set_level(logging.DEBUG)
        watch(store)
        with looker.finds(holds(store / "gate.onnx", b"one")):
            (store / "gate.onnx").write_bytes(b"one")
        assert caplog.records == []


class TestAStoreThatComesAndGoes:
    """The next round finds it; a second folder, the bell, brings that round without waiting for its time."""

    @pytest.fixture
    def bell(self, tmp_path):
        (tmp_path / "bell").mkdir()
        return tmp_path / "bell"

    @staticmethod
    def ring(bell, looker):
        mark = bell / str(len(list(bell.iterdir())))
        with looker.finds(mark.exists):
            mark.touch()

    @staticmethod
    def changes_are_seen(looker, store):
        for content in (b"x", b"y"):
            with looker.finds(holds(store / "gate" / "1" / "model.onnx", content)):
                (store / "gate" / "1").mkdir(parents=True, exist_ok=True)
                (store / "gate" / "1" / "model.onnx").write_bytes(content)

    def test_one_that_comes_later_is_watched_from_the_next_round_on(self, watch, looker, tmp_path, bell):
        watch(tmp_path / "store", bell)
        (tmp_path / "store").mkdir()
        self.ring(bell, looker)
        self.changes_are_seen(looker, tmp_path / "store")

    def test_one_that_is_deleted_and_comes_back_is_watched_again(self, watch, looker, store, bell):
        watch(store, bell)
        with looker.finds(lambda: not store.exists()):
            shutil.rmtree(store)
        store.mkdir()
        self.ring(bell, looker)
        self.changes_are_seen(looker, store)

    def test_one_that_is_moved_away_and_replaced_is_watched_again(self, watch, looker, store, bell):
        watch(store, bell)
        with looker.finds(lambda: not store.exists()):
            store.rename(store.with_name("old"))
        store.mkdir()
        self.ring(bell, looker)
        self.changes_are_seen(looker, store)

    def test_one_that_is_a_link_is_watched_where_it_leads_after_a_swap(self, watch, looker, tmp_path, bell):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        (tmp_path / "store").symlink_to("a")
        watch(tmp_path / "store", bell)
        swap(tmp_path / "store", "b")
        self.ring(bell, looker)
        self.changes_are_seen(looker, tmp_path / "store")

    def test_without_any_event_the_next_call_finds_it(self, watch, looker, tmp_path):
        watch(tmp_path / "store", every_s=0.2)
        with looker.finds((tmp_path / "store" / "gate").is_dir):
            (tmp_path / "store" / "gate").mkdir(parents=True)


class TestThePeriod:
    def test_it_calls_without_any_event(self, watch, looker, store):
        watch(store, every_s=0.05)
        looker.wait(calls=3)

    def test_it_calls_where_there_is_nothing_to_watch(self, watch, looker, tmp_path):
        watch(tmp_path / "not-there", every_s=0.05)
        looker.wait(calls=3)

    def test_events_that_do_not_concern_us_do_not_put_it_off(self, watch, looker, store):
        watch(store, every_s=0.3)
        deadline_s = time.monotonic() + BOUND_S
        while looker.calls < 4 and time.monotonic() < deadline_s:
            (store / "gate" / ".served.json").write_text("{}")
        assert looker.calls >= 4

    def test_an_error_of_the_caller_is_logged_and_does_not_end_it(self, store):
        calls = queue.Queue()

        def fail():
            calls.put(None)
            raise ZeroDivisionError

        with capture_logs() as logs, StoreWatcher([store], on_change=fail, every_s=0.05):
            for _ in range(3):
                calls.get(timeout=BOUND_S)
        failed = [line for line in logs if line["event"] == "looking at the model store failed"]
        assert len(failed) >= 2
        assert failed[0]["log_level"] == "error"


class TestTheThread:
    def test_it_ends_soon_and_leaves_signals_alone(self, watch, store):
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        watcher = watch(store)
        assert "store-watch" in {thread.name for thread in threading.enumerate()}
        assert watcher.stop()
        assert "store-watch" not in {thread.name for thread in threading.enumerate()}
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers

    def test_stopping_one_that_never_began_or_has_ended_is_harmless(self, watch, looker, store):
        assert StoreWatcher([store], on_change=looker).stop()
        watcher = watch(store)
        assert watcher.stop()
        assert watcher.stop()

    def test_a_caller_that_hangs_is_not_waited_for(self, store):
        called, release = threading.Event(), threading.Event()

        def hang():
            called.set()
            release.wait(BOUND_S)

        watcher = StoreWatcher([store], on_change=hang)
        watcher.start()
        assert called.wait(BOUND_S)
        assert not watcher.stop(timeout_s=0.01)
        release.set()
        assert watcher.stop(BOUND_S)


class Panic(BaseException):
    """As what pyo3 raises when Rust panics."""


class Scripted:
    """Stands where `RustNotify` stands. Each `script` entry is what one listener's `watch` brings, or an error."""

    def __init__(self, monkeypatch, *, refuse=None):
        self.refuse = refuse
        self.script = queue.Queue()
        self.opened, self.arguments, self.folders = [], [], []
        monkeypatch.setattr(module, "RustNotify", self)

    def __call__(self, folders, debug, force_polling, poll_delay_ms, recursive, ignore_permission_denied):
        self.opened.append(time.monotonic())
        self.folders = folders
        if self.refuse is not None:
            raise self.refuse
        return contextlib.nullcontext(self)

    def watch(self, debounce_ms, step_ms, timeout_ms, stop_event):
        self.arguments.append((debounce_ms, step_ms, timeout_ms))
        while not stop_event.is_set():
            with contextlib.suppress(queue.Empty):
                step = self.script.get(timeout=0.01)
                if isinstance(step, BaseException):
                    raise step
                return step() if callable(step) else step
        return "stop"


def test_events_that_do_not_concern_us_bring_no_call(watch, looker, store, monkeypatch):
    scripted = Scripted(monkeypatch)
    watch(store)
    calls = []

    def later():
        calls.append(looker.calls)
        return {(1, str(store / "gate" / "2"))}

    scripted.script.put({(2, str(store / "gate" / ".served.json")), (1, str(store / "gate/1.rejected.json"))})
    scripted.script.put(later)
    looker.wait()
    assert calls == [1]
    assert len(scripted.opened) == 2


def test_the_librarys_own_time_out_is_not_used_as_it_follows_the_wall_clock(
    watch, looker, store, monkeypatch
):
    scripted = Scripted(monkeypatch)
    watch(store, every_s=0.05)
    looker.wait(calls=2)
    assert {timeout_ms for _, _, timeout_ms in scripted.arguments} == {0}


class TestWhereTheKernelRefuses:
    @pytest.mark.parametrize(
        "error",
        [
            OSError("OS file watch limit reached."),
            RuntimeError("Error creating recommended watcher: Too many open files (os error 24)"),
            Panic("called `Result::unwrap()` on an `Err` value"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_it_says_once_what_to_do_calls_all_the_same_and_watches_again_later(
        self, looker, store, monkeypatch, error
    ):
        scripted = Scripted(monkeypatch, refuse=error)
        monkeypatch.setattr(module, "RETRY_S", (0.01,))
        with capture_logs() as logs, StoreWatcher([store], on_change=looker, every_s=0.05):
            looker.wait(calls=6)
            assert [(line["log_level"], line["problem"]) for line in logs] == [("warning", str(error))]
            assert "fs.inotify.max_user_watches" in logs[0]["remedy"]
            scripted.refuse = None
            scripted.script.put(lambda: {(1, "gate")})
            looker.wait(calls=6)
        assert scripted.script.empty()
        assert [line["log_level"] for line in logs] == ["warning", "info"]

    def test_it_tries_again_ever_more_slowly(self, looker, store, monkeypatch):
        scripted = Scripted(monkeypatch, refuse=OSError("limit"))
        monkeypatch.setattr(module, "RETRY_S", (0.15, 0.3, NEVER_S))
        with StoreWatcher([store], on_change=looker, every_s=0.05):
            while len(scripted.opened) < 3:
                looker.wait()
            looker.wait(calls=3)
        first, second, third = scripted.opened
        assert second - first >= 0.15
        assert third - second >= 0.3

    def test_a_listener_that_fails_while_it_waits_is_tried_again_ever_more_slowly(
        self, looker, store, monkeypatch
    ):
        scripted = Scripted(monkeypatch)
        monkeypatch.setattr(module, "RETRY_S", (0.15, 0.3, NEVER_S))
        for _ in range(3):
            scripted.script.put(RuntimeError("error in underlying watcher"))
        with capture_logs() as logs, StoreWatcher([store], on_change=looker, every_s=0.05):
            while len(scripted.opened) < 3 or not scripted.script.empty():
                looker.wait()
            looker.wait(calls=3)
        first, second, third = scripted.opened
        assert second - first >= 0.15
        assert third - second >= 0.3
        assert [line["problem"] for line in logs] == ["error in underlying watcher"]

    def test_one_failure_alone_is_not_worth_a_line(self, looker, store, monkeypatch):
        scripted = Scripted(monkeypatch)
        monkeypatch.setattr(module, "RETRY_S", (0.01,))
        scripted.script.put(FileNotFoundError("went while it was listed"))
        with capture_logs() as logs, StoreWatcher([store], on_change=looker, every_s=0.05):
            looker.wait(calls=4)
        assert logs == []


class TestWhatCannotBeWatched:
    def test_a_folder_that_cannot_be_read_is_told_once_and_the_others_are_watched(
        self, watch, looker, store, monkeypatch
    ):
        real, closed = os.scandir, store / "closed"
        closed.mkdir()

        def scandir(path):
            if path == str(closed):
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        monkeypatch.setattr(module.os, "scandir", scandir)
        with capture_logs() as logs:
            watch(store, every_s=0.1)
            looker.wait(calls=3)
            with looker.finds(holds(store / "gate" / "1" / "model.onnx", b"two")):
                (store / "gate" / "1" / "model.onnx").write_bytes(b"two")
        assert [(line["log_level"], line["problem"]) for line in logs] == [
            ("warning", f"'{closed}' cannot be read (Permission denied)")
        ]

    def test_a_name_that_is_no_text_keeps_nothing_else_from_being_watched(self, watch, looker, store):
        (store / os.fsdecode(b"\xff")).mkdir()
        with capture_logs() as logs:
            watch(store)
            with looker.finds(holds(store / "gate" / "1" / "model.onnx", b"two")):
                (store / "gate" / "1" / "model.onnx").write_bytes(b"two")
        assert len(logs) == 1

    def test_of_a_great_tree_the_upper_folders_are_watched_and_it_says_so(
        self, watch, looker, store, monkeypatch
    ):
        monkeypatch.setattr(module, "MAX_FOLDERS", 4)
        for number in range(9):
            (store / "gate" / f"{number}" / "golden").mkdir(parents=True, exist_ok=True)
        with capture_logs() as logs:
            watch(store)
            with looker.finds(holds(store / "gate" / "pinned", b"1")):
                (store / "gate" / "pinned").write_bytes(b"1")
        assert [line["problem"] for line in logs] == ["there are more than 4 folders"]

    def test_links_in_a_circle_are_followed_once(self, watch, store, monkeypatch):
        scripted = Scripted(monkeypatch)
        (store / "gate" / "up").symlink_to("..")
        (store / "itself").symlink_to("itself")
        with capture_logs() as logs:
            watch(store)
        assert scripted.folders == [str(store), str(store / "gate"), str(store / "gate" / "1")]
        assert logs == []

    def test_staging_and_other_folders_with_a_dot_are_not_watched(self, watch, store, monkeypatch):
        scripted = Scripted(monkeypatch)
        for name in (".adding-00ff/version", ".git", "..2026_01_02/gate"):
            (store / name).mkdir(parents=True)
        watch(store)
        assert {Path(folder).relative_to(store).as_posix() for folder in scripted.folders} == {
            ".", "gate", "gate/1", "..2026_01_02", "..2026_01_02/gate"
        }  # fmt: skip
