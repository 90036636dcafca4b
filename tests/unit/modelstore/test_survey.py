"""What stands in the store, and what is still on its way in. Nothing here sleeps: `Arrivals` is told the time."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from toy_models import node, save_model, toy_detector, ultralytics

from edged.manifest import model_files
from edged.modelstore import survey as module
from edged.modelstore.survey import (
    CUT_SHORT_S,
    CUT_SHORT_UNKNOWN_S,
    QUIET_S,
    Arrivals,
    content_digest,
    is_folder_of_versions,
    is_open_for_writing,
    missing_bytes,
    stand,
    survey,
)

TOUCHED = "it was touched a moment ago"
WRITING = "a program is still writing to it"
WHOLE = b"\x08\x0a" + b"\x12\x04toys"  # ir_version = 10, producer_name = "toys"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")


@pytest.fixture
def store(tmp_path):
    (tmp_path / "m").mkdir()
    return tmp_path / "m"


def write(folder, *names, content=WHOLE):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def within(seconds, function, *arguments):
    """What a function returns, which must not wait for anything."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function(*arguments)), daemon=True)
    thread.start()
    thread.join(seconds)
    assert answers, f"{function.__name__} waits, or raised"
    return answers[0]


@contextlib.contextmanager
def somebody_else():
    """Be a user who owns nothing here."""
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


# What stands there


def test_versions_are_whole_numbers_from_one_with_a_model_in_them(store):
    write(store, "1/model.onnx", "10/yolo.onnx", "999999999/model.onnx")
    write(
        store,
        *("0/model.onnx", "01/model.onnx", "-1/model.onnx", "1.0/model.onnx", "v2/model.onnx", "3 /model.onnx"),
        *(".4/model.onnx", ".removing-5-ab/model.onnx", "1000000000/model.onnx", "1\N{THAI DIGIT THREE}/model.onnx"),
    )  # fmt: skip
    write(store, "6", "7.rejected.json", "pinned")
    found = survey(store)
    assert sorted(found) == [1, 10, 999999999]
    assert {number: one.version for number, one in found.items()} == {n: n for n in found}
    assert found[10].path == store / "10"


@pytest.mark.parametrize("name", [".model.onnx.Xy12", ".model.onnx", "model.onnx.part", "readme.txt", None])
def test_a_folder_is_no_version_before_its_model_is_there(store, name):
    (store / "1").mkdir()
    if name:
        write(store, f"1/{name}")
    assert survey(store) == {}
    assert not is_folder_of_versions(store)
    write(store, "1/model.onnx")
    assert list(survey(store)) == [1]
    assert is_folder_of_versions(store)


def test_there_may_be_no_folder_at_all(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        assert survey(path) == {}
        assert not is_folder_of_versions(path)
        assert stand(path / "m.onnx", 1) is None


def test_layouts_of_triton_and_openvino_model_server_are_read_as_they_are(store):
    write(store, "config.pbtxt", "1/model.onnx", "2/net.onnx", "2/net.onnx.data", "labels.txt", "3/saved.pb")
    found = survey(store)
    assert sorted(found) == [1, 2]
    assert [name for name, *_ in found[2].marks] == ["net.onnx", "net.onnx.data"]


def test_a_folder_called_model_onnx_is_tritons_for_a_model_with_weights_beside_it(store):
    write(store, "1/model.onnx/model.onnx", "1/model.onnx/weights.bin")
    one = survey(store)[1]
    assert [name for name, *_ in one.marks] == ["model.onnx", "weights.bin"]
    assert model_files(one.path).onnx.is_file()
    assert content_digest(one.path)
    arrivals = Arrivals()
    with (store / "1" / "model.onnx" / "model.onnx").open("ab"):
        arrivals.look({1: one}, 0)
        assert arrivals.look({1: one}, QUIET_S) == {1: WRITING}


def test_links_lead_to_versions_and_a_swapped_one_is_another_version(tmp_path, store):
    """As Kubernetes mounts a volume: ``1`` leads through ``..data`` to the folder of the day."""
    write(store, "..first/1/model.onnx", "..second/1/model.onnx")
    (store / "..data").symlink_to("..first")
    (store / "1").symlink_to("..data/1")
    (store / "2").symlink_to(tmp_path / "nowhere")
    (store / "3").symlink_to("3")
    (store / "4").symlink_to("x" * 300)
    before = survey(store)
    assert list(before) == [1]
    assert before[1].path == store / "..first" / "1"
    (store / "..new").symlink_to("..second")
    (store / "..new").rename(store / "..data")
    after = survey(store)
    assert after[1].path == store / "..second" / "1"
    assert after[1].marks != before[1].marks


def test_a_volume_may_also_be_mounted_as_the_version(store):
    write(store, "1/..first/model.onnx", "1/..second/model.onnx")
    (store / "1" / "..data").symlink_to("..first")
    (store / "1" / "model.onnx").symlink_to("..data/model.onnx")
    before = survey(store)[1]
    assert [name for name, *_ in before.marks] == ["model.onnx"]
    (store / "1" / "..new").symlink_to("..second")
    (store / "1" / "..new").rename(store / "1" / "..data")
    assert survey(store)[1].marks != before.marks


def test_what_describes_a_single_file_lies_beside_its_link(tmp_path):
    write(tmp_path, "blobs/4f2a", "snap/m.toml", "snap/m.labels.txt", "snap/other.onnx")
    (tmp_path / "snap" / "m.onnx").symlink_to("../blobs/4f2a")
    (tmp_path / "current").symlink_to("snap")
    one = stand(tmp_path / "current" / "m.onnx", 1)
    assert one is not None
    assert one.path == tmp_path / "snap" / "m.onnx"
    assert [name for name, *_ in one.marks] == ["m.labels.txt", "m.onnx", "m.toml"]
    assert one.marks[1][1] == len(WHOLE)
    write(tmp_path, "blobs/9c1b", content=WHOLE * 2)
    (tmp_path / "snap" / "new").symlink_to("../blobs/9c1b")
    (tmp_path / "snap" / "new").rename(tmp_path / "snap" / "m.onnx")
    again = stand(tmp_path / "current" / "m.onnx", 1)
    assert again is not None
    assert again.marks != one.marks


def test_a_link_to_itself_is_nothing(tmp_path):
    (tmp_path / "m.onnx").symlink_to("m.onnx")
    assert stand(tmp_path / "m.onnx", 1) is None
    assert stand(tmp_path / "m.onnx" / "below.onnx", 1) is None
    assert content_digest(tmp_path / "m.onnx") == ""


def test_a_link_to_nowhere_beside_a_model_does_not_hide_it(store):
    write(store, "1/model.onnx")
    (store / "1" / "labels.txt").symlink_to("nowhere")
    before = survey(store)[1]
    assert [name for name, *_ in before.marks] == ["labels.txt", "model.onnx"]
    write(store, "1/nowhere")
    assert survey(store)[1].marks != before.marks


def test_any_change_shows_in_the_marks(store):
    write(store, "1/model.onnx", "1/golden/deep/a.jpg", "1/.hidden", "1/.git/x")
    seen = [survey(store)[1].marks]

    def is_seen():
        now = survey(store)[1].marks
        new = now not in seen
        seen.append(now)
        return new

    assert not is_seen()
    write(store, "1/golden/deep/a.jpg", content=b"another")
    assert is_seen()
    write(store, "1/model.toml")
    assert is_seen()
    (store / "1" / "golden" / "deep" / "a.jpg").rename(store / "1" / "golden" / "a.jpg")
    assert is_seen()
    write(store, "1/.hidden", "1/.git/x", "1/.model.onnx.Xy12", content=b"another")
    assert not is_seen()
    (store / "1" / "model.toml").unlink()
    assert is_seen()


def test_an_overwrite_that_keeps_size_and_time_shows_in_the_marks(store):
    write(store, "1/model.onnx")
    onnx_file = store / "1" / "model.onnx"
    os.utime(onnx_file, ns=(10**18, 10**18))
    before = survey(store)[1].marks
    for _ in range(
        100
    ):  # until the clock of the file system, which ticks every few milliseconds, has gone on
        with onnx_file.open("r+b") as file:
            file.write(WHOLE[::-1])
        os.utime(onnx_file, ns=(10**18, 10**18))
        if survey(store)[1].marks != before:
            break
        time.sleep(0.001)
    else:
        pytest.fail("an overwrite in place was not seen")
    in_place = survey(store)[1].marks
    write(store, "1/.new", content=WHOLE)
    os.utime(store / "1" / ".new", ns=(10**18, 10**18))
    (store / "1" / ".new").rename(onnx_file)
    assert survey(store)[1].marks != in_place


def test_what_is_deleted_while_it_is_listed_is_no_error(store, monkeypatch):
    write(store, "1/model.onnx", "1/notes.txt", "2/model.onnx")
    listed = module._files_of

    def delete_then(what):
        def files_of(folder):
            files = listed(folder)
            if folder.name == "1":
                shutil.rmtree(what) if what.is_dir() else what.unlink()
            return files

        return files_of

    monkeypatch.setattr(module, "_files_of", delete_then(store / "1" / "notes.txt"))
    found = survey(store)
    assert sorted(found) == [1, 2]
    assert [name for name, *_ in found[1].marks] == ["model.onnx"]
    monkeypatch.setattr(module, "_files_of", delete_then(store / "1"))
    assert list(survey(store)) == [2]


def test_versions_that_come_and_go_while_one_looks_are_never_an_error(store):
    write(store, "1/model.onnx", "1/golden/a.jpg", "1/model.toml")
    stop, made = threading.Event(), threading.Event()

    def churn():
        number = 2
        while not stop.is_set():
            shutil.copytree(store / "1", store / str(number), dirs_exist_ok=True)
            shutil.rmtree(store / str(number))
            made.set()
            number = 2 + (number - 1) % 5

    thread = threading.Thread(target=churn)
    thread.start()
    arrivals = Arrivals()
    try:
        assert made.wait(10)
        for step in range(100):
            found = survey(store)
            waiting = arrivals.look(found, step * 100.0)
            for one in found.values():
                content_digest(one.path)
            assert 1 in found
            assert waiting.keys() <= found.keys()
    finally:
        stop.set()
        thread.join(10)


def test_what_may_not_be_read_is_not_there_and_no_error(open_folder):
    write(open_folder, "1/model.onnx", "2/model.onnx", "3/model.onnx", "secret/4/model.onnx", "5/model.onnx")
    (open_folder / "4").symlink_to("secret/4")
    (open_folder / "1").chmod(0)
    (open_folder / "2").chmod(0o444)  # listed, but nothing in it can be looked at
    (open_folder / "3" / "model.onnx").chmod(0)
    (open_folder / "secret").chmod(0)
    with somebody_else():
        found = survey(open_folder)
        assert sorted(set(found) - {2}) == [3, 5]
        assert content_digest(found[3].path) == ""
        assert content_digest(found[5].path)
        assert Arrivals().look(found, 0).keys() <= found.keys()
        open_folder_is_locked = open_folder / "secret" / "4"
        assert survey(open_folder_is_locked) == {}
        assert stand(open_folder_is_locked / "model.onnx", 1) is None
        assert content_digest(open_folder_is_locked) == ""


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_what_is_no_file_is_never_waited_for(store, kind):
    (store / "1").mkdir()
    path = store / "1" / "model.onnx"
    with contextlib.ExitStack() as held:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            there = held.enter_context(socket.socket(socket.AF_UNIX))
            held.enter_context(contextlib.chdir(store))  # the names of sockets are short
            there.bind("1/model.onnx")
        else:
            path.mkdir()
            write(store, "1/notes.txt")
        found = within(5, survey, store)
        assert list(found) == [1]
        arrivals = Arrivals()
        for now_s in (0, 10, 100):
            assert within(5, arrivals.look, found, now_s) == (
                {1: TOUCHED} if kind == "folder" and not now_s else {}
            )
        assert within(5, content_digest, found[1].path)
        assert within(5, lambda: [is_open_for_writing(path)]) == [None]


# The digest of all files


def test_the_digest_of_a_version_is_of_names_and_contents(store):
    write(store, "1/model.onnx", "1/golden/a.jpg")
    first = content_digest(store / "1")
    assert first.startswith("sha256:")
    assert len(first) == len("sha256:") + 64
    shutil.copytree(store / "1", store / "2")
    assert content_digest(store / "2") == first
    (store / "2" / "golden" / "a.jpg").rename(store / "2" / "a.jpg")
    moved = content_digest(store / "2")
    write(store, "2/a.jpg", content=b"another")
    write(store, "1/.hidden")
    assert content_digest(store / "1") == first
    assert len({first, moved, content_digest(store / "2")}) == 3


def test_the_digest_of_a_single_file_is_of_what_describes_it_too(tmp_path):
    write(tmp_path, "m.onnx", "other.onnx")
    bare = content_digest(tmp_path / "m.onnx")
    write(tmp_path, "m.toml")
    described = content_digest(tmp_path / "m.onnx")
    write(tmp_path, "other.toml", "other.onnx", content=b"another")
    assert content_digest(tmp_path / "m.onnx") == described != bare
    assert content_digest(tmp_path / "none.onnx") == ""


def test_names_that_are_no_text_are_digested(store):
    write(store, "1/model.onnx")
    try:
        (store / "1" / os.fsdecode(b"caf\xe9.txt")).touch()
    except OSError:
        pytest.skip("this file system wants UTF-8")
    assert content_digest(store / "1").startswith("sha256:")
    assert list(survey(store)) == [1]


# What is still on its way


class Watch:
    """Looks at a store at moments that a test names."""

    def __init__(self, folder):
        self.folder, self.arrivals = folder, Arrivals()

    def at(self, now_s):
        """What version 1 waits for at a moment; empty once it has arrived."""
        found = survey(self.folder)
        assert 1 in found
        return self.arrivals.look(found, now_s).get(1, "")


@pytest.fixture
def watch(store):
    return Watch(store)


@pytest.fixture
def model(store):
    (store / "1").mkdir()
    return store / "1" / "model.onnx"


@pytest.fixture
def real(tmp_path):
    """The bytes of a model with a graph of some kilobytes."""
    return toy_detector(tmp_path / "toy.onnx").read_bytes()


def test_what_is_whole_and_quiet_has_arrived(watch, model):
    model.write_bytes(WHOLE)
    assert watch.at(50) == TOUCHED
    assert watch.at(50 + QUIET_S - 0.01) == TOUCHED
    assert watch.at(50 + QUIET_S) == ""
    assert watch.at(51 + QUIET_S) == ""


def test_what_is_old_at_first_sight_has_arrived(watch, model, monkeypatch):
    model.write_bytes(WHOLE)
    written_s = model.stat().st_ctime
    monkeypatch.setattr(module.time, "time", lambda: written_s + module.SETTLED_S + 0.1)
    assert watch.at(50) == ""
    model.write_bytes(WHOLE * 2)
    assert watch.at(51) == TOUCHED


def test_an_old_time_of_writing_alone_does_not_make_a_file_old(watch, model):
    model.write_bytes(WHOLE)
    os.utime(model, (0, 0))  # as cp -p, rsync -t and tar do
    assert watch.at(50) == TOUCHED


def test_a_file_that_was_cut_short_long_ago_is_not_waited_for(watch, model, real, monkeypatch):
    model.write_bytes(real[:1000])
    monkeypatch.setattr(module.time, "time", lambda: model.stat().st_ctime + 3600)
    assert watch.at(50) == ""


@linux_only
def test_a_copy_in_pieces_is_waited_for_to_its_end(watch, model, real):
    pieces = [real[:700], real[700:1400], real[1400:]]
    write_next, written = threading.Semaphore(0), threading.Semaphore(0)

    def copy():
        with model.open("wb", buffering=0) as file:
            written.release()
            for piece in pieces:
                assert write_next.acquire(timeout=10)
                file.write(piece)
                written.release()
            assert write_next.acquire(timeout=10)
        written.release()

    thread = threading.Thread(target=copy)
    thread.start()
    now_s = 0.0
    for _ in range(1 + len(pieces)):
        assert written.acquire(timeout=10)
        now_s += 1000
        assert watch.at(now_s) in {TOUCHED, WRITING}  # which of them, the file system's clock decides
        for pause_s in (QUIET_S, 10, 100, 900):
            assert watch.at(now_s + pause_s) == WRITING, (
                "the pauses of a slow network are longer than a second"
            )
        write_next.release()
    thread.join(10)
    assert written.acquire(timeout=10)
    assert watch.at(now_s + 950) == ""


@linux_only
@pytest.mark.parametrize("wall_s", [0.0, 1e6, 4102444800.0])
def test_a_wall_clock_that_is_wrong_neither_hurries_nor_blocks(watch, model, real, monkeypatch, wall_s):
    """1970, some days later, and 2100: a box without a battery has not heard the time yet."""
    monkeypatch.setattr(module.time, "time", lambda: wall_s)
    with model.open("wb", buffering=0) as file:
        file.write(real[:1000])
        for now_s in (0, QUIET_S, 5, 100):
            assert watch.at(now_s) in {TOUCHED, WRITING}
        file.write(real[1000:])
        assert watch.at(101)
        assert watch.at(200) == WRITING
    watch.at(200)
    assert watch.at(200 + QUIET_S) == ""
    again = Watch(watch.folder)
    again.at(0)
    assert again.at(QUIET_S) == ""


@pytest.mark.parametrize("wall_s", [0.0, 4102444800.0])
def test_a_wrong_wall_clock_does_not_hurry_what_was_seen_before(watch, model, real, monkeypatch, wall_s):
    model.write_bytes(real[:1000])
    watch.at(0)
    monkeypatch.setattr(module.time, "time", lambda: wall_s)
    model.write_bytes(real[:2000])
    assert watch.at(10) == TOUCHED
    shutil.rmtree(model.parent)
    assert watch.arrivals.look(survey(watch.folder), 20) == {}


def test_a_copy_that_is_renamed_into_place_is_seen_only_then(watch, model, store):
    write(store, "1/model.onnx")
    watch.at(0)
    assert watch.at(5) == ""
    part = model.with_name(".model.onnx.Xy12ab")
    with part.open("wb") as file:  # as rsync does
        file.write(WHOLE)
        assert watch.at(6) == ""
        file.write(WHOLE)
    assert watch.at(7) == ""
    part.rename(model)
    assert watch.at(8) == TOUCHED
    assert watch.at(8 + QUIET_S) == ""


def test_a_version_that_is_renamed_into_place_arrives_after_a_second(watch, store):
    write(store, ".adding-1/model.onnx", ".adding-1/model.toml")
    assert survey(store) == {}
    (store / ".adding-1").rename(store / "1")
    assert watch.at(0) == TOUCHED
    assert watch.at(QUIET_S) == ""


def test_an_overwrite_in_place_is_waited_for_though_size_and_time_are_as_before(watch, model, tmp_path):
    model.write_bytes(WHOLE)
    os.utime(model, ns=(10**18, 10**18))
    watch.at(0)
    assert watch.at(5) == ""
    (tmp_path / "other").write_bytes(WHOLE[::-1])
    os.utime(tmp_path / "other", ns=(10**18, 10**18))
    (tmp_path / "other").replace(model)
    assert watch.at(6) == TOUCHED
    assert watch.at(6 + QUIET_S) == ""


def test_a_file_that_ends_too_early_is_waited_for_and_then_counts(watch, model, real):
    model.write_bytes(real[:1000])
    assert watch.at(0) == TOUCHED
    missing = missing_bytes(model)
    assert missing > 0
    assert watch.at(QUIET_S) == f"{missing} bytes are missing at its end"
    assert watch.at(CUT_SHORT_S - 0.01) == f"{missing} bytes are missing at its end"
    assert watch.at(CUT_SHORT_S) == ""
    with model.open("ab") as file:  # a copy that was resumed
        file.write(real[1000:])
    assert watch.at(20) == TOUCHED
    assert watch.at(20 + QUIET_S) == ""


@pytest.mark.parametrize("cannot_tell", ["another owner", "another system"])
def test_a_file_that_ends_too_early_is_waited_for_longer_where_writers_are_unknown(
    open_folder, real, monkeypatch, cannot_tell
):
    write(open_folder, "1/model.onnx", content=real[:1000])
    watch = Watch(open_folder)
    with contextlib.ExitStack() as held:
        if cannot_tell == "another owner":
            held.enter_context(somebody_else())
        else:
            monkeypatch.setattr(module.sys, "platform", "darwin")
        assert is_open_for_writing(open_folder / "1" / "model.onnx") is None
        watch.at(0)
        assert "missing" in watch.at(CUT_SHORT_S)
        assert "missing" in watch.at(CUT_SHORT_UNKNOWN_S - 0.01)
        assert watch.at(CUT_SHORT_UNKNOWN_S) == ""
    write(open_folder, "1/model.onnx", content=real)
    watch.at(100)
    assert watch.at(100 + QUIET_S) == ""


@linux_only
def test_weights_that_are_still_written_are_waited_for(watch, model):
    model.write_bytes(WHOLE)
    with model.with_name("model.onnx.data").open("wb", buffering=0) as weights:
        weights.write(b"weights")
        watch.at(0)
        assert watch.at(5) == WRITING
    assert watch.at(6) == ""


def test_a_version_that_was_deleted_and_came_back_is_new(watch, model, store):
    model.write_bytes(WHOLE)
    watch.at(0)
    assert watch.at(5) == ""
    model.parent.rename(store / ".away")
    assert watch.arrivals.look(survey(store), 6) == {}
    (store / ".away").rename(store / "1")
    assert watch.at(7) == TOUCHED


def test_each_version_waits_for_itself(store):
    arrivals = Arrivals()
    write(store, "1/model.onnx")
    arrivals.look(survey(store), 0)
    write(store, "2/model.onnx")
    assert arrivals.look(survey(store), QUIET_S) == {2: TOUCHED}
    assert arrivals.look(survey(store), 2 * QUIET_S) == {}


def test_what_is_gone_when_it_is_looked_at_closer_is_no_error(store, monkeypatch):
    write(store, "1/model.onnx", "2/a.onnx", "2/b.onnx")
    found, arrivals = survey(store), Arrivals()
    arrivals.look(found, 0)
    assert arrivals.look(found, 5) == {}, "two models in a folder are the gate's to refuse"
    shutil.rmtree(store / "1")
    assert arrivals.look(found, 10) == {}

    def fails(path):
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr(module, "model_files", fails)
    assert arrivals.look(found, 20) == {}


# Who has it open


@linux_only
def test_a_file_that_another_process_writes_to_is_known(model):
    model.write_bytes(WHOLE)
    assert is_open_for_writing(model) is False
    writer = subprocess.Popen(
        ["/bin/sh", "-c", 'exec 3>>"$1"; echo ready; read -r end', "sh", str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == b"ready\n"
        assert is_open_for_writing(model) is True
        assert is_open_for_writing(model) is True
        writer.stdin.close()
        assert writer.wait(10) is not None
    assert is_open_for_writing(model) is False
    with model.open("rb"):
        assert is_open_for_writing(model) is False
    assert is_open_for_writing(model.with_name("none")) is None


@linux_only
def test_a_lease_that_a_networks_file_system_refuses_says_nothing(model, monkeypatch):
    """NFS and SMB answer that they would block, as for a writer, whenever the server granted nothing."""
    model.write_bytes(WHOLE)
    with model.open("rb") as file:
        known = module._file_system(file.fileno())
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    assert known in {line.split(" - ")[1].split()[0] for line in lines}
    assert module._file_system(10**6) == ""
    with model.open("ab"):
        assert is_open_for_writing(model) is True
        for remote in ("nfs4", "cifs"):
            monkeypatch.setattr(module, "_file_system", lambda _, kind=remote: kind)
            assert is_open_for_writing(model) is None


@linux_only
def test_who_opens_the_file_while_it_is_asked_about_neither_ends_us_nor_waits(model):
    """The kernel signals who holds a lease; by SIGIO, which it takes of itself, the process would end."""
    model.write_bytes(WHOLE)
    script = (
        "import sys, time; from collections import Counter; from pathlib import Path\n"
        "from edged.modelstore.survey import is_open_for_writing as ask\n"
        "print('ready', flush=True); end_s = time.monotonic() + 0.5; seen = Counter(); asked = 0\n"
        "while asked < 2000 or time.monotonic() < end_s: seen[ask(Path(sys.argv[1]))] += 1; asked += 1\n"
        "print(seen[True], seen[False], seen[None])"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", script, str(model)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    longest_s = 0.0
    with asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "ready\n"
        while asker.poll() is None:
            before_s = time.monotonic()
            model.open("ab").close()
            longest_s = max(longest_s, time.monotonic() - before_s)
        said = asker.stdout.read()
    assert asker.returncode == 0
    written, free, unknown = map(int, said.split())
    assert written + free >= 2000
    assert written > 0
    assert unknown == 0
    assert longest_s < 5  # the kernel itself lets it wait for 45 s
    assert is_open_for_writing(model) is False


# Where a file ends


@pytest.mark.assets
def test_real_models_end_where_they_say(assets):
    models = sorted((assets / "models").glob("*.onnx"))
    assert models
    assert {path.name: missing_bytes(path) for path in models} == {path.name: 0 for path in models}


@pytest.mark.assets
def test_a_real_model_that_was_cut_says_how_much_is_missing(assets, tmp_path):
    whole = min((assets / "models").glob("*.onnx"), key=lambda path: path.stat().st_size).read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole[: len(whole) // 2])
    missing = missing_bytes(cut)
    assert 0 < missing <= len(whole) - len(whole) // 2


def test_every_cut_shows_but_those_between_two_fields(tmp_path):
    nodes = [node("Flatten", [f"x{n}"], [f"x{n + 1}"]) for n in range(20)]
    shapes = {"x0": (1, 4)}, {"x20": (1, 4)}
    toy = save_model(
        tmp_path / "toy.onnx", nodes, inputs=shapes[0], outputs=shapes[1], metadata=ultralytics()
    )
    real, cut, unseen = toy.read_bytes(), tmp_path / "cut.onnx", []
    for end in range(len(real) + 1):
        cut.write_bytes(real[:end])
        missing = missing_bytes(cut)
        assert 0 <= missing <= len(real) - end
        try:
            onnx.ModelProto.FromString(real[:end])
        except DecodeError:
            assert missing > 0, end
            if missing > 1:
                onnx.ModelProto.FromString(real[: end + missing])
        else:
            assert missing == 0, end
            unseen.append(end)
    assert {0, len(real)} <= set(unseen)
    assert len(unseen) < 30


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "any.onnx"


_FIELDS = st.lists(
    st.sampled_from(
        [b"\x08", b"\x09", b"\x0a", b"\x0b", b"\x0d", b"\x12\x02ab", b"\xff", b"\x80", b"\x00", b"\x7f"]
    )
)


@given(content=st.binary(max_size=200) | _FIELDS.map(b"".join))
def test_bytes_that_are_no_model_are_no_error(scratch, content):
    scratch.write_bytes(content)
    missing = missing_bytes(scratch)
    assert missing >= 0
    if not missing:
        return
    try:
        onnx.ModelProto.FromString(content)
    except DecodeError:
        return
    pytest.fail("it is whole, and something is said to be missing")


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"", 0),
        (bytes(1000), 0),
        (b"\x08", 1),
        (b"\x08\x80", 1),
        (b"\x08\x01\x92", 1),
        (b"\x08\x01", 0),
        (b"\x09" + bytes(7), 1),
        (b"\x0d" + bytes(4), 0),
        (b"\x0d", 4),
        (b"\x12\x05abc", 2),
        (b"\x12\x85\x00abc", 2),
        (b"\x80" * 30, 0),
        (b"\x12" + b"\x80" * 30, 0),
        (b"\x0b\x12", 0),
        (b"PK\x03\x04" + b"x" * 50, 0),
        (b"<!DOCTYPE html><html>", 0),
        (b"version https://git-lfs.github.com/spec/v1\n", 0),
    ],
)  # fmt: skip
def test_what_is_missing_is_counted(tmp_path, content, missing):
    (tmp_path / "m.onnx").write_bytes(content)
    assert missing_bytes(tmp_path / "m.onnx") == missing


def test_what_cannot_be_read_has_nothing_missing(tmp_path):
    assert missing_bytes(tmp_path) == 0
    assert missing_bytes(tmp_path / "none") == 0


def test_a_file_of_nothing_but_small_fields_is_not_read_for_ever(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x01" * 15_000_000)
    before_s = time.process_time()
    assert missing_bytes(path) == 0
    assert time.process_time() - before_s < 5
