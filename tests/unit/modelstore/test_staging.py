"""The folder in which a version is made, and what becomes of it when its process is no more."""

import os
import subprocess
import sys
import threading
import time

import pytest

from edged.errors import CannotWrite, ConfigurationError, NotAllowed
from edged.modelstore import staging as module
from edged.modelstore.home import Home
from edged.modelstore.staging import PREFIX, locked, staging

HOLDER = """
import sys, time
from pathlib import Path
from edged.modelstore.staging import staging
with staging(Path(sys.argv[1])) as folder:
    (folder / "version").mkdir()
    (folder / "version" / "model.onnx").write_bytes(b"half")
    print(folder.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process in the middle of adding; ended with the test."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.folder = tmp_path / process.stdout.readline().strip()  # type: ignore[attr-defined]
    yield process
    process.kill()
    process.wait(10)
    process.stdout.close()


def folders(store) -> list[str]:
    return sorted(child.name for child in store.iterdir() if child.name.startswith(PREFIX))


def test_the_folder_is_in_the_store_begins_with_a_dot_and_goes_with_all_that_is_in_it(tmp_path):
    store = tmp_path / "new" / "store"
    with staging(store) as folder:
        assert folder.parent == store
        assert folder.name.startswith(".")
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("x")
    assert list(store.iterdir()) == []


def test_it_goes_too_when_something_fails_or_is_interrupted(tmp_path):
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), staging(tmp_path):
            raise error
    assert list(tmp_path.iterdir()) == []


def test_two_processes_have_a_folder_each_and_leave_the_others_alone(tmp_path, holder):
    with staging(tmp_path) as folder:
        assert folders(tmp_path) == sorted([folder.name, holder.folder.name])
    assert folders(tmp_path) == [holder.folder.name]
    assert (holder.folder / "version" / "model.onnx").read_bytes() == b"half"


def test_what_a_killed_process_leaves_is_no_model_and_is_removed_by_the_next(tmp_path, holder):
    holder.kill()
    holder.wait(10)
    assert folders(tmp_path) == [holder.folder.name]
    with pytest.raises(ConfigurationError, match=r"is not in the store .*add the model there"):
        raise Home(tmp_path, "adding", None, keep=False).missing() or AssertionError
    with staging(tmp_path) as folder:
        assert folders(tmp_path) == [folder.name]


def test_a_link_that_looks_like_staging_is_not_followed(tmp_path):
    store, precious = tmp_path / "store", tmp_path / "precious"
    store.mkdir()
    precious.mkdir()
    (precious / "file").write_text("x")
    (store / f"{PREFIX}link").symlink_to(precious)
    with staging(store):
        pass
    assert (precious / "file").exists()


def test_the_store_is_locked_for_one_at_a_time_and_waiting_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 0.2)
    order = []
    with locked(tmp_path):
        with pytest.raises(CannotWrite, match="is locked by another process"), locked(tmp_path):
            pass
        monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 10)

        def wait() -> None:
            with locked(tmp_path):
                order.append("second")

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_written_is_not_allowed(tmp_path):
    store = tmp_path / "store"
    store.mkdir(mode=0o555)
    with pytest.raises(NotAllowed, match="may not be written by this user"), staging(store):
        pass


def test_a_store_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "store").write_text("x")
    with pytest.raises(CannotWrite, match="store: cannot be written"), staging(tmp_path / "store"):
        pass
