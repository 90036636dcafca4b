"""Where a model lives: a folder of versions, or a single file whose contents are numbered and kept."""

import contextlib
import errno
import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from edged.errors import CannotWrite, ConfigurationError, EdgedError, InputNotFound, NotAllowed
from edged.manifest import model_files
from edged.modelstore import home as module
from edged.modelstore.home import KEPT, Home
from edged.modelstore.survey import content_digest


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def write(folder, *names, content="x"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def put(path, content):
    """Replace a file as a program does that writes beside it and renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(content)
    beside.replace(path)


def numbers(home):
    return sorted(home.look())


def content_of(home, number):
    return model_files(home.look()[number].path).onnx.read_text()


def accept(home, *, whole=True):
    """What the greatest version does on its way to serve; where its files stay."""
    return home.accepted(newest(home), whole=whole)


def newest(home):
    found = home.look()
    return found[max(found)]


def is_kept(home):
    """Whether the greatest version is what was kept before."""
    return home.same_as_before(newest(home), content_digest(newest(home).path))


@pytest.fixture(params=["in the store", "by path", "by path in the store"])
def single(request, tmp_path, store):
    """A single file of a model ``m``, and what makes its home anew, as a restart does."""
    file = {
        "in the store": store / "m.onnx",
        "by path": tmp_path / "elsewhere" / "yolo.onnx",
        "by path in the store": store / "yolo.onnx",
    }[request.param]
    path = None if request.param == "in the store" else file
    put(file, "first")
    return file, lambda: Home(store, "m", path, keep=True)


# A folder of versions


@pytest.mark.parametrize("by_path", [False, True])
def test_a_folder_of_versions_is_looked_at_as_it_is(tmp_path, store, by_path):
    folder = tmp_path / "elsewhere" if by_path else store / "m"
    write(folder, "1/model.onnx", "10/model.onnx", "pinned")
    home = Home(store, "m", folder if by_path else None, keep=True)
    assert numbers(home) == [1, 10]
    assert home.missing() is None
    assert not home.copies
    assert home.records == folder
    assert home.watched == ([tmp_path, folder] if by_path else [store])
    assert accept(home) == folder / "10"
    assert not is_kept(home)
    assert not (store / KEPT).exists()


def test_a_folder_of_versions_wins_over_a_file_of_that_name(store):
    write(store, "m/2/model.onnx", "m.onnx")
    home = Home(store, "m", None, keep=True)
    assert numbers(home) == [2]
    assert home.records == store / "m"


def test_a_folder_that_is_empty_yet_is_one_of_versions(tmp_path, store):
    (tmp_path / "elsewhere").mkdir()
    home = Home(store, "m", tmp_path / "elsewhere", keep=True)
    assert home.look() == {}
    assert home.records == tmp_path / "elsewhere"
    write(tmp_path / "elsewhere", "4/model.onnx")
    assert numbers(home) == [4]


def test_versions_count_and_not_a_model_beside_them(tmp_path, store):
    write(tmp_path, "m/1/model.onnx", "m/stray.onnx")
    home = Home(store, "m", tmp_path / "m", keep=True)
    assert numbers(home) == [1]
    assert not home.copies


# What is not there


def test_nothing_there_is_told_and_may_come_later(tmp_path, store):
    home = Home(store, "m", None, keep=True)
    write(store, "n.onnx")
    error = home.missing()
    assert isinstance(error, ConfigurationError)
    assert "is not in the store" in str(error)
    assert home.look() == {}
    write(store, "m.onnx")
    assert home.missing() is None
    assert numbers(home) == [1]


def test_a_store_that_is_not_there_yet_is_no_error(tmp_path):
    home = Home(tmp_path / "none", "m", None, keep=True)
    assert home.look() == {}
    assert isinstance(home.missing(), ConfigurationError)
    assert home.watched == [tmp_path / "none"]
    write(tmp_path / "none", "m/1/model.onnx")
    assert numbers(home) == [1]


def test_a_path_with_nothing_there_is_told(tmp_path, store):
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")
    for path, said in {
        tmp_path / "none.onnx": "no such model",
        tmp_path / "loop.onnx": "no such model",
        tmp_path / "empty": "holds no model",
        tmp_path / ("x" * 300): "cannot be read",
    }.items():
        home = Home(store, "m", path, keep=True)
        error = home.missing()
        assert isinstance(error, InputNotFound)
        assert said in error.problem
        assert home.look() == {}
        assert isinstance(home.watched, list)


def test_what_this_user_may_not_read_is_told_and_no_crash():
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        locked = Path(place) / "locked"
        write(locked, "m.onnx", "m/1/model.onnx", "store/n.onnx")
        locked.chmod(0)
        os.seteuid(65534)
        try:
            for home in (
                Home(locked / "store", "m", None, keep=True),
                Home(locked, "m", None, keep=True),
                Home(Path(place), "m", locked / "m.onnx", keep=True),
                Home(Path(place), "m", locked / "m", keep=True),
            ):
                assert home.look() == {}
                error = home.missing()
                assert isinstance(error, EdgedError)
                assert home.records is None or locked in (home.records, *home.records.parents)
        finally:
            os.seteuid(0)


def test_a_home_that_vanishes_while_it_is_looked_at_is_no_error(tmp_path, store):
    elsewhere = tmp_path / "elsewhere"
    homes = [Home(store, "m", path, keep=True) for path in (elsewhere, elsewhere / "model.onnx", None)]
    stop, began = threading.Event(), threading.Event()

    def churn():
        while not stop.is_set():
            write(elsewhere, "model.onnx", "model.toml")
            write(store, "m.onnx", "m.toml")
            shutil.rmtree(elsewhere)
            (store / "m.onnx").unlink()
            began.set()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        assert began.wait(10)
        for _ in range(200):
            for home in homes:
                assert set(home.look()) <= {1}
                home.missing()
                assert home.watched
                assert home.records in {None, elsewhere, store / "m"}
    finally:
        stop.set()
        thread.join(10)


# A single file


def test_a_single_file_is_version_one_and_kept_once_it_is_accepted(single, store):
    file, start = single
    home = start()
    assert numbers(home) == [1]
    assert home.copies
    assert home.records is None
    assert home.watched == [file.parent]
    one = home.look()[1]
    assert one.path == file
    kept = home.accepted(one, whole=True)
    assert kept == store / KEPT / "m" / "1"
    assert (kept / "model.onnx").read_text() == "first"
    assert home.records == store / KEPT / "m"
    assert [path.name for path in store.iterdir() if path.name.startswith(".adding")] == []
    assert numbers(home) == [1]
    assert home.look()[1].path == kept


def test_what_describes_the_file_is_kept_with_it(tmp_path, store):
    write(
        tmp_path / "at",
        "yolo.onnx",
        "yolo.toml",
        "yolo.labels.txt",
        "golden/a.jpg",
        "golden/.DS_Store",
        "readme",
    )
    home = Home(store, "m", tmp_path / "at" / "yolo.onnx", keep=True)
    kept = accept(home)
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == [
        "golden/a.jpg",
        "labels.txt",
        "model.onnx",
        "model.toml",
    ]


def test_a_replaced_file_has_the_next_number_and_what_was_kept_stays(single):
    file, start = single
    home = start()
    accept(home)
    put(file, "second")
    assert numbers(home) == [1, 2]
    assert home.look()[2].path == file
    assert content_of(home, 1) == "first"
    assert not is_kept(home)
    accept(home)
    put(file, "third!")
    assert not is_kept(home)
    accept(home)
    assert numbers(home) == [1, 2, 3]
    assert [content_of(home, number) for number in (1, 2, 3)] == ["first", "second", "third!"]


def test_a_file_that_was_not_accepted_gives_its_number_to_the_next(single):
    file, start = single
    home = start()
    put(file, "bad")
    assert numbers(home) == [1]
    accept(home)
    put(file, "worse")
    assert numbers(home) == [1, 2]
    put(file, "good")
    assert numbers(home) == [1, 2]
    assert content_of(home, 2) == "good"


@pytest.mark.parametrize("how", ["touched", "written again", "copied again"])
def test_the_same_content_again_is_no_new_version(single, how):
    file, start = single
    home = start()
    accept(home)
    if how == "touched":
        os.utime(file, (1, 1))
    elif how == "written again":
        file.write_text("first")
    else:
        put(file, "first")
    assert is_kept(home)
    assert numbers(home) == [1]
    put(file, "second")
    assert numbers(home) == [1, 2]


@pytest.mark.parametrize(("suffix", "kept_as"), [("labels.txt", "labels.txt"), ("toml", "model.toml")])
def test_another_description_is_another_version(single, suffix, kept_as):
    file, start = single
    home = start()
    accept(home)
    write(file.parent, f"{file.stem}.{suffix}", content="cat")
    assert numbers(home) == [1, 2]
    assert not is_kept(home)
    kept = accept(home)
    assert (kept / kept_as).read_text() == "cat"
    os.utime(file.parent / f"{file.stem}.{suffix}", (1, 1))
    assert is_kept(home)


def test_what_was_kept_survives_an_overwrite_in_place(single):
    file, start = single
    home = start()
    kept = accept(home)
    inode = file.stat().st_ino
    with file.open("r+") as opened:
        opened.write("wrong")
    os.utime(file, (1, 1))
    assert file.stat().st_ino == inode
    assert (kept / "model.onnx").read_text() == "first"
    assert numbers(home) == [1, 2]
    assert not is_kept(home)


def test_what_was_kept_survives_the_file(tmp_path, store):
    file = tmp_path / "elsewhere" / "yolo.onnx"
    put(file, "first")
    accept(Home(store, "m", file, keep=True))
    shutil.rmtree(file.parent)
    home = Home(store, "m", file, keep=True)
    assert numbers(home) == [1]
    assert content_of(home, 1) == "first"
    assert home.missing() is None


def test_after_a_restart_the_same_file_is_what_was_kept(single):
    _, start = single
    accept(start())
    home = start()
    assert numbers(home) == [1, 2]
    assert is_kept(home)
    assert numbers(home) == [1]
    assert home.look()[1].path.parent.parent.name == KEPT


def test_after_a_restart_numbers_go_on_and_a_bad_file_hides_nothing(single):
    file, start = single
    home = start()
    accept(home)
    put(file, "second")
    accept(home)
    put(file, "bad")
    home = start()
    assert numbers(home) == [1, 2, 3]
    assert [content_of(home, number) for number in (1, 2, 3)] == ["first", "second", "bad"]
    assert not is_kept(home)
    assert numbers(home) == [1, 2, 3]
    put(file, "good")
    assert accept(home).name == "3"
    assert content_of(start(), 3) == "good"


def test_an_older_content_that_comes_back_is_a_new_version(single):
    file, start = single
    home = start()
    for content in ("first", "second"):
        put(file, content)
        accept(home)
    put(file, "first")
    assert not is_kept(home)
    accept(home)
    assert content_of(home, 3) == "first"


def test_numbers_do_not_come_again_when_old_copies_are_removed(single, store):
    file, start = single
    home = start()
    for content in ("first", "second", "third"):
        put(file, content)
        accept(home)
    shutil.rmtree(store / KEPT / "m" / "1")
    put(file, "fourth")
    assert numbers(home) == [2, 3, 4]
    shutil.rmtree(store / KEPT / "m" / "3")
    assert max(numbers(home)) == 4
    assert 3 not in numbers(home)


def test_accepting_what_is_kept_copies_nothing(single, store):
    _, start = single
    home = start()
    kept = accept(home)
    before = kept.stat().st_ino
    assert accept(home) == kept
    assert kept.stat().st_ino == before
    assert [path.name for path in (store / KEPT / "m").iterdir()] == ["1"]


def test_a_model_whose_weights_lie_elsewhere_is_not_copied(single, store):
    file, start = single
    home = start()
    assert accept(home, whole=False) == file
    assert not (store / KEPT).exists()
    assert numbers(home) == [1]
    put(file, "second")
    assert numbers(home) == [2]
    assert accept(home, whole=False) == file
    put(file, "third")
    assert numbers(home) == [3]


def test_nothing_is_copied_where_that_was_not_wanted(single, store):
    file, _ = single
    home = Home(store, "m", file, keep=False)
    assert accept(home) == file
    assert not (store / KEPT).exists()
    put(file, "second")
    assert numbers(home) == [2]


def test_a_missing_store_is_not_made_for_copies(tmp_path):
    write(tmp_path, "yolo.onnx")
    home = Home(tmp_path / "none", "m", tmp_path / "yolo.onnx", keep=True)
    assert accept(home) == tmp_path / "yolo.onnx"
    assert not (tmp_path / "none").exists()
    assert home.records is None


def test_a_store_that_is_read_only_is_told_and_the_file_serves_on():
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        write(Path(place), "m.onnx")
        home = Home(Path(place), "m", None, keep=True)
        os.seteuid(65534)
        try:
            with pytest.raises(NotAllowed, match="may not be written"):
                accept(home)
        finally:
            os.seteuid(0)
        assert [path.name for path in Path(place).iterdir()] == ["m.onnx"]
        assert numbers(home) == [1]
        put(Path(place) / "m.onnx", "second")
        assert numbers(home) == [2]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_full_disk_is_told_and_leaves_nothing(single, store, monkeypatch, number):
    file, start = single
    home = start()

    def full(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copyfile", full)
        with pytest.raises(CannotWrite, match=os.strerror(number)):
            accept(home)
    assert home.look()[1].path == file
    assert [path for path in store.rglob("*") if path.is_file()] == ([file] if store in file.parents else [])
    assert accept(home).parent == store / KEPT / "m"


def test_a_copy_that_another_file_was_slipped_under_is_not_kept(single, store, monkeypatch):
    """Between the trial and the copy somebody may write a file that nobody has tried."""
    file, start = single
    home = start()
    tried = newest(home)
    copy = shutil.copyfile

    def slip(source, target):
        with file.open("r+") as opened:
            opened.write("wrong")
        os.utime(file, (1, 1))
        return copy(source, target)

    with monkeypatch.context() as slipped:
        slipped.setattr(shutil, "copyfile", slip)
        with pytest.raises(EdgedError, match="was changed before it could be kept"):
            home.accepted(tried, whole=True)
    assert list(store.rglob("model.onnx")) == []
    assert numbers(home) == [2], "it is another one, and still to be tried"


def test_what_is_no_file_any_more_is_compared_without_waiting(single):
    file, start = single
    put(file, "")  # as large as a pipe
    home = start()
    accept(home)
    file.unlink()
    os.mkfifo(file)
    found = home.look()
    if 2 not in found:
        assert file.name == "m.onnx"
        return
    answers = []
    thread = threading.Thread(target=lambda: answers.append(home.same_as_before(found[2], "")), daemon=True)
    thread.start()
    thread.join(5)
    assert answers == [False]


def test_two_that_cannot_be_read_are_not_the_same(single, monkeypatch):
    file, start = single
    home = start()
    accept(home)
    put(file, "second")
    one = newest(home)
    monkeypatch.setattr(module, "content_digest", lambda _: "")
    assert not home.same_as_before(one, "")


def test_links_are_swapped_as_kubernetes_does(tmp_path, store):
    mount = tmp_path / "mount"
    write(mount, "..first/yolo.onnx", "..first/yolo.toml", content="first")
    write(mount, "..second/yolo.onnx", "..second/yolo.toml", content="second")
    (mount / "..data").symlink_to("..first")
    for name in ("yolo.onnx", "yolo.toml"):
        (mount / name).symlink_to(f"..data/{name}")
    home = Home(store, "m", mount / "yolo.onnx", keep=True)
    kept = accept(home)
    (mount / "..new").symlink_to("..second")
    (mount / "..new").rename(mount / "..data")
    shutil.rmtree(mount / "..first")
    assert numbers(home) == [1, 2]
    assert content_of(home, 2) == "second"
    assert (kept / "model.toml").read_text() == "first"
    assert (accept(home) / "model.toml").read_text() == "second"


# A folder of one version, by its path


@pytest.mark.parametrize(
    ("name", "number"),
    [("7", 7), ("007", 7), ("0", 1), ("999999999", 999999999), ("20240115123000", 1), ("v7", 1), ("yolo", 1)],
)
def test_a_folder_of_one_version_has_the_number_it_is_called(tmp_path, store, name, number):
    write(tmp_path, f"at/{name}/model.onnx")
    home = Home(store, "m", tmp_path / "at" / name, keep=True)
    assert numbers(home) == [number]
    assert home.copies
    assert home.watched == [tmp_path / "at"]
    assert home.look()[number].path == tmp_path / "at" / name
    kept = accept(home)
    assert kept == store / KEPT / "m" / str(number)
    write(tmp_path, f"at/{name}/model.onnx", content="second")
    again = Home(store, "m", tmp_path / "at" / name, keep=True)
    assert numbers(again) == [number, number + 1]


def test_a_folder_of_one_version_that_was_only_touched_is_the_same(tmp_path, store):
    write(tmp_path, "7/model.onnx", "7/labels.txt", "7/golden/a.jpg", "7/readme.txt")
    home = Home(store, "m", tmp_path / "7", keep=True)
    accept(home)
    os.utime(tmp_path / "7" / "model.onnx", (1, 1))
    assert numbers(home) == [7, 8]
    assert is_kept(home)
    assert numbers(home) == [7]


def test_a_folder_called_model_onnx_is_kept_as_what_it_holds(tmp_path, store):
    write(tmp_path, "7/model.onnx/model.onnx", content="first")
    home = Home(store, "m", tmp_path / "7", keep=True)
    assert numbers(home) == [7]
    assert (accept(home) / "model.onnx").read_text() == "first"


def test_homes_in_one_store_do_not_mix(store):
    write(store, "a.onnx", content="of a")
    write(store, "b.onnx", content="of b")
    a, b = (Home(store, name, None, keep=True) for name in "ab")
    assert accept(a) == store / KEPT / "a" / "1"
    assert numbers(b) == [1]
    assert b.records is None
    assert accept(b) == store / KEPT / "b" / "1"
    with contextlib.suppress(EdgedError):
        accept(a)
    assert (content_of(a, 1), content_of(b, 1)) == ("of a", "of b")
