"""Old versions go, and only they."""

import itertools
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.modelstore import pruning as module
from edged.modelstore.pruning import PREFIX, clear, prune, remove
from edged.modelstore.records import Rejection, read_rejection, write_rejection
from edged.modelstore.survey import Standing, survey


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m").mkdir()
    return tmp_path / "m"


def fill(folder, *numbers):
    for number in numbers:
        (folder / str(number) / "golden").mkdir(parents=True)
        (folder / str(number) / "model.onnx").write_bytes(b"x")
        (folder / str(number) / "golden" / "a.jpg").write_bytes(b"x")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_stay(folder):
    fill(folder, 1, 2, 9, 10, 11)
    assert prune(folder, keep=2, below=11, spared=[]) == [1, 2, 9]
    assert names(folder) == ["10", "11"]
    assert prune(folder, keep=2, below=11, spared=[]) == []


@pytest.mark.parametrize("keep", [0, 3, 4])
def test_nothing_is_removed_where_all_are_kept_or_there_are_no_more(folder, keep):
    fill(folder, 1, 2, 3)
    assert prune(folder, keep=keep, below=99, spared=[]) == []
    assert names(folder) == ["1", "2", "3"]


def test_what_is_spared_stays_and_counts_as_kept(folder):
    fill(folder, 1, 2, 3, 4, 5)
    assert prune(folder, keep=3, below=5, spared=[5, 1, None, 77]) == [2, 3]
    assert names(folder) == ["1", "4", "5"]
    assert prune(folder, keep=1, below=5, spared=[1, 4, 5]) == []


def test_what_is_newer_than_what_serves_is_still_to_be_tried(folder):
    fill(folder, 1, 2, 3, 4, 5)
    assert prune(folder, keep=1, below=3, spared=[3]) == [1, 2]
    assert names(folder) == ["3", "4", "5"]


def test_what_is_no_version_is_left_alone(folder):
    fill(folder, 1, 2, "01", "old", ".adding-7")
    (folder / "3").mkdir()
    (folder / "pinned").write_text("2")
    assert prune(folder, keep=1, below=99, spared=[]) == [1]
    assert names(folder) == [".adding-7", "01", "2", "3", "old", "pinned"]
    assert prune(folder / "none", keep=1, below=99, spared=[]) == []


@given(
    numbers=st.sets(st.integers(1, 30)),
    keep=st.integers(0, 12),
    below=st.integers(0, 32),
    spared=st.sets(st.none() | st.integers(1, 30)),
)
def test_never_too_much_never_the_spared_and_the_oldest_first(numbers, keep, below, spared):
    left = dict.fromkeys(numbers, Standing(1, Path("m"), (("m", 1, 1, 1, 1),)))
    with pytest.MonkeyPatch.context() as replaced:
        replaced.setattr(module, "survey", lambda _: left)
        replaced.setattr(module, "remove", lambda _, number: left.pop(number) is not None)
        removed = prune(Path("m"), keep=keep, below=below, spared=spared)
    assert removed == sorted(removed)
    assert set(removed) | set(left) == numbers
    assert spared.isdisjoint(removed)
    assert all(number < below for number in removed)
    if not keep:
        assert not removed
    elif removed:
        assert len(left) >= keep
        assert all(n in spared or n > removed[-1] for n in left), "an older one stayed"
    may_go = [n for n in numbers if n < below and n not in spared]
    if keep and len(left) > keep:
        assert set(removed) == set(may_go)


def test_a_rejection_goes_with_its_version_and_no_other_does(folder):
    fill(folder, 1, 2, 3)
    for number in (1, 2, 3, 4):
        write_rejection(folder, Rejection(version=number))
    assert prune(folder, keep=2, below=3, spared=[]) == [1]
    assert read_rejection(folder, 1) is None
    assert names(folder) == ["2", "2.rejected.json", "3", "3.rejected.json", "4.rejected.json"]


def test_what_cannot_be_removed_stays_whole_and_is_not_told_as_removed(folder, monkeypatch):
    fill(folder, 1, 2, 3)
    write_rejection(folder, Rejection(version=1))
    rename = Path.rename

    def refuse(path, target):
        if path.name == "1":
            raise PermissionError(13, "no")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert prune(folder, keep=1, below=3, spared=[]) == [2]
    assert names(folder) == ["1", "1.rejected.json", "3"]
    assert (folder / "1" / "golden" / "a.jpg").exists()
    assert not remove(folder, 77)
    assert not remove(folder / "none", 1)


def test_nobody_ever_sees_a_part_of_a_version(folder):
    numbers = range(1, 60)
    fill(folder, *numbers)
    stop, began, odd = threading.Event(), threading.Event(), []

    def look():
        while not stop.is_set():
            odd.extend(one for one in survey(folder).values() if len(one.marks) == 1 and one.path.exists())
            began.set()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert began.wait(10)
        assert all(remove(folder, number) for number in numbers)
    finally:
        stop.set()
        thread.join(10)
    assert odd == []
    assert names(folder) == []


def test_what_a_power_cut_left_is_cleared_and_nothing_else(folder, monkeypatch):
    fill(folder, 1, 2, ".adding-1", "removing-3", ".removed")
    monkeypatch.setattr(module.shutil, "rmtree", lambda *_, **__: None)  # the power is cut
    assert remove(folder, 1)
    assert remove(folder, 2)
    monkeypatch.undo()
    fill(folder, 2)
    assert len([name for name in names(folder) if name.startswith(PREFIX)]) == 2
    assert list(survey(folder)) == [2]
    clear(folder)
    assert names(folder) == [".adding-1", ".removed", "2", "removing-3"]
    clear(folder / "none")


def test_of_a_version_that_is_a_link_only_the_link_goes(folder, tmp_path):
    fill(tmp_path / "elsewhere", 1)
    fill(folder, 2)
    (folder / "1").symlink_to(tmp_path / "elsewhere" / "1")
    (folder / f"{PREFIX}5-ab").symlink_to(tmp_path / "elsewhere" / "1")
    assert prune(folder, keep=1, below=2, spared=[]) == [1]
    clear(folder)
    assert names(folder) == ["2"]
    assert (tmp_path / "elsewhere" / "1" / "golden" / "a.jpg").exists()


def test_a_link_within_a_version_is_not_followed(folder, tmp_path):
    fill(tmp_path / "elsewhere", 1)
    fill(folder, 1)
    (folder / "1" / "more").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder / "1" / "pipe")
    assert remove(folder, 1)
    assert names(folder) == []
    assert (tmp_path / "elsewhere" / "1" / "model.onnx").exists()


def test_a_number_can_be_removed_again_and_again(folder):
    for _ in itertools.repeat(None, 3):
        fill(folder, 1)
        assert remove(folder, 1)
    assert names(folder) == []
