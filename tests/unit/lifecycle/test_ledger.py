"""What is known of a model's versions outlives edged, and a file that became another one is another version to try."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edged.errors import CannotWrite, InputNotFound, NotAllowed
from edged.lifecycle import ledger as module
from edged.lifecycle.ledger import COPIES, Ledger, Version
from edged.modelstore.home import Home
from edged.modelstore.pins import read_pin, write_pin
from edged.modelstore.pruning import PREFIX
from edged.modelstore.records import (
    Rejection,
    Service,
    read_rejection,
    read_service,
    rejection_file,
    write_rejection,
)


class Shelf:
    """A model ``m`` in a store, and the ledger of a daemon that can be started again."""

    def __init__(self, store: Path, *, path: Path | None = None, keep_versions: int = 0) -> None:
        self.store, self.path, self.keep_versions = store, path, keep_versions
        self.folder = store / "m"
        self._now_s = 0.0
        self.restart()

    def restart(self) -> None:
        home = Home(self.store, "m", self.path, keep=True)
        self.ledger = Ledger("m", home, keep_versions=self.keep_versions)

    def put(self, number: int | str, content: bytes = b"", **others: str) -> None:
        """A version; ``b"x…"`` is no message of protocol buffers, so nothing is missing at its end."""
        folder = self.folder / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(content or f"x{number}".encode())
        for name, text in others.items():
            (folder / name.replace("_", ".")).write_text(text)

    def look(self) -> list[int]:
        """What is acceptable once everything has been left alone for long."""
        self.ledger.look(self._now_s)
        self.ledger.warn(self._now_s)
        self._now_s += 60.0
        acceptable = sorted(self.ledger.look(self._now_s))
        self.ledger.warn(self._now_s)
        return acceptable

    def version(self, number: int) -> Version:
        return self.ledger.find(number)

    def reject(self, number: int) -> None:
        self.ledger.reject(self.version(number), step="golden", reason="does not find emu")


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "store").mkdir()
    return Shelf(tmp_path / "store")


def read_only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def refuse(*_: object) -> None:
        raise NotAllowed("store", "is read-only", "make it writable")

    for name in names:
        monkeypatch.setattr(module, name, refuse)


# What stands there


def test_nothing_is_there_where_there_is_no_folder(shelf):
    assert shelf.look() == []
    assert (shelf.ledger.found, shelf.ledger.waiting, shelf.ledger.rejections) == ({}, {}, {})
    assert shelf.ledger.pinned is None


def test_a_version_is_acceptable_once_it_has_been_left_alone(shelf):
    shelf.put(1)
    ledger = shelf.ledger
    assert ledger.look(0.0) == {}
    assert list(ledger.found) == [1]
    assert ledger.waiting == {1: "it was touched a moment ago"}
    assert list(ledger.look(60.0)) == [1]
    assert ledger.waiting == {}


def test_a_number_that_is_not_there_is_an_error_with_those_that_are(shelf):
    with pytest.raises(InputNotFound) as none:
        shelf.version(3)
    assert str(none.value) == "models.m: has no version 3; there are none"
    for number in (10, 2, 1):
        shelf.put(number)
    with pytest.raises(InputNotFound) as other:
        shelf.version(3)
    assert str(other.value) == "models.m: has no version 3; there are 1, 2, 10"
    with pytest.raises(InputNotFound, match="has no version None"):
        shelf.ledger.find(None)


def test_a_version_is_found_before_it_was_looked_at_with_the_digest_of_its_file(shelf):
    shelf.put(2, b"x")
    found = shelf.version(2)
    assert found.number == 2
    assert found.digest == "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert found.content.startswith("sha256:")
    assert found.content != found.digest
    assert shelf.ledger.known(2) == found
    assert shelf.ledger.known(3) is None
    assert shelf.ledger.known(None) is None


def test_a_version_is_read_once_while_nobody_touches_it(shelf, monkeypatch):
    shelf.put(1)
    first = shelf.version(1)
    with monkeypatch.context() as broken:
        broken.setattr(module, "content_digest", lambda _: pytest.fail("it was read again"))
        assert shelf.version(1) is first
    shelf.put(1, b"xother")
    assert shelf.version(1).digest != first.digest


def test_a_version_whose_model_is_unclear_has_no_digest_and_is_no_error(shelf):
    shelf.put(1, a_onnx="xa", b_onnx="xb")
    (shelf.folder / "1" / "model.onnx").unlink()
    assert shelf.version(1).digest == ""


def test_a_pipe_in_the_place_of_a_model_is_not_waited_for(shelf):
    (shelf.folder / "1").mkdir(parents=True)
    os.mkfifo(shelf.folder / "1" / "model.onnx")
    assert shelf.version(1).digest == ""


def test_a_version_stands_until_it_is_touched_or_gone(shelf):
    shelf.put(1)
    version = shelf.version(1)
    assert shelf.ledger.still_stands(version)
    shelf.put(2)
    assert shelf.ledger.still_stands(version)
    (shelf.folder / "1" / "labels.txt").write_text("cat\n")
    assert not shelf.ledger.still_stands(version)
    version = shelf.version(1)
    assert shelf.ledger.still_stands(version)
    shutil.rmtree(shelf.folder / "1")
    assert not shelf.ledger.still_stands(version)


def test_a_version_that_was_only_touched_is_the_same_where_it_stands_now(shelf):
    shelf.put(1)
    version = shelf.version(1)
    os.utime(shelf.folder / "1" / "model.onnx", (1, 1))
    touched = shelf.ledger.home.look()[1]
    refreshed = shelf.ledger.refreshed(version, touched)
    assert refreshed is not None
    assert refreshed.standing == touched != version.standing
    assert replace(refreshed, standing=version.standing) == version
    shelf.put(1, labels_txt="cat\n")
    assert shelf.ledger.refreshed(version, shelf.ledger.home.look()[1]) is None


# What was rejected


def test_a_rejected_version_is_not_acceptable_any_more_and_the_record_says_why(shelf):
    shelf.put(1)
    shelf.put(2)
    assert shelf.look() == [1, 2]
    shelf.reject(2)
    assert shelf.look() == [1]
    record = read_rejection(shelf.folder, 2)
    assert record == shelf.ledger.rejections[2]
    assert record is not None
    version = shelf.version(2)
    assert (record.version, record.digest, record.content) == (2, version.digest, version.content)
    assert (record.step, record.reason) == ("golden", "does not find emu")
    assert record.at.endswith("Z")
    assert shelf.ledger.is_rejected(version)
    assert not shelf.ledger.is_rejected(shelf.version(1))


def test_a_rejection_outlives_edged(shelf):
    shelf.put(1)
    shelf.put(2)
    shelf.reject(2)
    before = shelf.ledger.rejections
    shelf.restart()
    assert shelf.ledger.rejections == {}
    assert shelf.look() == [1]
    assert shelf.ledger.rejections == before


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    "others",
    [
        {"content": b"xother"},
        {"model_toml": "[output]\nmin_score = 0.5\n"},
        {"labels_txt": "cat\n"},
    ],
    ids=["model", "manifest", "labels"],
)
def test_a_rejection_is_lifted_when_any_file_of_the_version_changes(shelf, others, restarted):
    shelf.put(1, model_toml="")
    shelf.reject(1)
    assert shelf.look() == []
    shelf.put(1, **others)
    if restarted:
        shelf.restart()
    assert shelf.look() == [1]
    assert shelf.ledger.rejections == {}
    assert not rejection_file(shelf.folder, 1).exists()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_rejected_version_that_was_only_touched_or_copied_anew_stays_rejected(shelf, restarted):
    shelf.put(1)
    shelf.reject(1)
    assert shelf.look() == []
    os.utime(shelf.folder / "1" / "model.onnx", (1, 1))
    assert shelf.look() == []
    shutil.copytree(shelf.folder / "1", shelf.folder / ".copy")
    shutil.rmtree(shelf.folder / "1")
    if restarted:
        shelf.restart()
    assert shelf.look() == []
    (shelf.folder / ".copy").rename(shelf.folder / "1")
    assert shelf.look() == []
    assert 1 in shelf.ledger.rejections


def test_a_rejected_version_is_not_read_again_at_every_look(shelf, monkeypatch):
    shelf.put(1)
    shelf.look()
    shelf.reject(1)
    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(module.Ledger, "identify", lambda *_: pytest.fail("it was read again"))
            assert shelf.look() == []
        os.utime(shelf.folder / "1" / "model.onnx", (1, 1))
        assert shelf.look() == []


def test_one_that_is_rejected_again_where_nothing_can_be_written_any_more_stays_so(shelf, monkeypatch):
    shelf.put(1)
    shelf.reject(1)
    assert shelf.look() == []
    shelf.ledger.forgive(1)
    read_only(monkeypatch, "write_rejection")
    shelf.reject(1)
    assert shelf.look() == []


def test_a_version_is_tried_again_when_it_is_forgiven(shelf):
    shelf.put(1)
    shelf.reject(1)
    assert shelf.look() == []
    shelf.ledger.forgive(1)
    assert shelf.look() == [1]
    assert shelf.ledger.rejections == {}
    assert not rejection_file(shelf.folder, 1).exists()
    shelf.restart()
    assert shelf.look() == [1]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_person_may_take_the_record_away(shelf, restarted):
    shelf.put(1)
    shelf.reject(1)
    if restarted:
        shelf.restart()
    assert shelf.look() == []
    rejection_file(shelf.folder, 1).unlink()
    assert shelf.look() == [1]


@pytest.mark.parametrize(("digest", "acceptable"), [("its", []), ("sha256:another", [1])])
def test_a_record_that_knows_the_model_alone_is_judged_by_that(shelf, digest, acceptable):
    shelf.put(1)
    digest = shelf.version(1).digest if digest == "its" else digest
    write_rejection(shelf.folder, Rejection(version=1, digest=digest, reason="by hand"))
    assert shelf.look() == acceptable


def test_a_record_of_nonsense_rejects_nothing(shelf):
    shelf.put(1)
    rejection_file(shelf.folder, 1).write_bytes(b"\x00" * 100)
    assert shelf.look() == [1]


def test_in_a_store_that_cannot_be_written_a_rejection_holds_until_edged_ends(shelf, monkeypatch):
    shelf.put(1)
    with monkeypatch.context() as broken:
        read_only(broken, "write_rejection")
        with capture_logs() as logs:
            shelf.reject(1)
        assert [one["event"] for one in logs] == ["version rejected", "the rejection was not written down"]
        assert shelf.look() == []
        os.utime(shelf.folder / "1" / "model.onnx", (1, 1))
        assert shelf.look() == []
        assert not rejection_file(shelf.folder, 1).exists()
    shelf.restart()
    assert shelf.look() == [1]


def test_a_rejection_kept_in_memory_is_lifted_by_another_file_too(shelf, monkeypatch):
    shelf.put(1)
    read_only(monkeypatch, "write_rejection")
    shelf.reject(1)
    assert shelf.look() == []
    shelf.put(1, b"xother")
    assert shelf.look() == [1]


def test_a_version_that_is_gone_is_not_told_as_rejected(shelf):
    shelf.put(1)
    shelf.put(2)
    shelf.reject(2)
    shutil.rmtree(shelf.folder / "2")
    assert shelf.look() == [1]
    assert shelf.ledger.rejections == {}
    shelf.put(2, b"xother")
    assert shelf.look() == [1, 2]


def test_folders_that_look_like_versions_and_are_none_are_named_once(shelf):
    for number in (1, 3):
        shelf.put(number)
    for name in ("v2", "007", "1.5", "9" * 20):
        shelf.put(name)
    (shelf.folder / "4" / "model.onnx").mkdir(parents=True)
    (shelf.folder / "5").mkdir()
    (shelf.folder / "notes").mkdir()
    (shelf.folder / ".staging").mkdir()
    (shelf.folder / ".staging" / "model.onnx").touch()
    with capture_logs() as logs:
        shelf.ledger.warn(0.0)
        assert not logs, "they may be on their way in"
        assert shelf.look() == [1, 3]
        shelf.look()
    assert {(Path(line["folder"]).name, line["why"].partition(":")[0]) for line in logs} == {
        ("v2", "its name is not that of a version"),
        ("007", "its name is not that of a version"),
        ("1.5", "its name is not that of a version"),
        ("9" * 20, "its name is not that of a version"),
        ("4", "it holds no file"),
        ("5", "it holds no .onnx file"),
    }
    assert len(logs) == 6


def test_others_see_rejections_that_are_replaced_and_never_changed(shelf):
    shelf.put(1)
    before = shelf.ledger.rejections
    shelf.reject(1)
    assert before == {}
    rejected = shelf.ledger.rejections
    shelf.ledger.forgive(1)
    assert list(rejected) == [1]


# What is served


def test_a_pin_outlives_edged_and_is_read_at_each_look(shelf):
    shelf.put(1)
    shelf.ledger.pin(1)
    assert shelf.ledger.pinned == 1
    shelf.restart()
    shelf.look()
    assert shelf.ledger.pinned == 1
    write_pin(shelf.folder, 7)
    shelf.look()
    assert shelf.ledger.pinned == 7
    shelf.ledger.pin(None)
    assert shelf.ledger.pinned is None
    assert read_pin(shelf.folder) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("7", "version 7 is pinned and is not there: put it there, or delete the file pinned"),
        ("v1", "the file pinned says 'v1', which is not the number of a version: correct it, or delete it"),
        ("0", "the file pinned says '0', which is not the number of a version: correct it, or delete it"),
        ("1\n", ""),
        ("", ""),
    ],
)
def test_a_pin_that_leads_nowhere_is_said_once(shelf, content, problem):
    shelf.put(1)
    (shelf.folder / "pinned").write_text(content)
    with capture_logs() as logs:
        shelf.look()
        shelf.look()
    assert shelf.ledger.pin_problem == problem
    assert [line["why"] for line in logs if line["log_level"] == "warning"] == ([problem] if problem else [])
    shelf.ledger.pin(1)
    shelf.look()
    assert shelf.ledger.pin_problem == ""


def test_a_pin_that_cannot_be_written_is_an_error_and_changes_nothing(shelf, monkeypatch):
    shelf.put(1)
    shelf.ledger.pin(1)
    read_only(monkeypatch, "write_pin")
    with pytest.raises(NotAllowed):
        shelf.ledger.pin(2)
    assert shelf.ledger.pinned == 1


def test_what_serves_well_is_trusted_after_a_restart(shelf):
    for number in (1, 2, 3):
        shelf.put(number)
    shelf.ledger.trust(shelf.version(2), previous=1, spared=2)
    shelf.restart()
    service = shelf.ledger.trusted
    assert service == Service(version=2, digest=shelf.version(2).digest, previous=1)
    standings = shelf.ledger.home.look()
    assert shelf.ledger.trusted_among(standings) == 2
    assert shelf.ledger.trusted_among({1: standings[1], 3: standings[3]}) is None


def test_a_version_with_other_bytes_is_not_trusted(shelf):
    shelf.put(1)
    shelf.ledger.trust(shelf.version(1), previous=None, spared=1)
    shelf.put(1, b"xother")
    shelf.restart()
    assert shelf.ledger.trusted_among(shelf.ledger.home.look()) is None


def test_a_version_that_could_not_be_read_is_never_trusted(shelf):
    shelf.put(1, a_onnx="xa", b_onnx="xb")
    (shelf.folder / "1" / "model.onnx").unlink()
    shelf.ledger.trust(shelf.version(1), previous=None, spared=1)
    assert shelf.ledger.trusted is not None
    assert shelf.ledger.trusted_among(shelf.ledger.home.look()) is None


def test_nothing_is_trusted_where_nothing_served(shelf):
    shelf.put(1)
    assert shelf.ledger.trusted is None
    assert shelf.ledger.trusted_among(shelf.ledger.home.look()) is None


def test_what_is_written_down_already_is_not_written_again(shelf, monkeypatch):
    shelf.put(1)
    shelf.ledger.trust(shelf.version(1), previous=None, spared=1)
    monkeypatch.setattr(module, "write_service", lambda *_: pytest.fail("it wears out the disk"))
    shelf.ledger.trust(shelf.version(1), previous=None, spared=1)


def test_trust_that_cannot_be_written_down_is_one_line_in_the_log(shelf, monkeypatch):
    shelf.put(1)
    read_only(monkeypatch, "write_service")
    with capture_logs() as logs:
        shelf.ledger.trust(shelf.version(1), previous=None, spared=1)
    assert [one["event"] for one in logs] == ["what serves was not written down"]
    assert read_service(shelf.folder) is None


def versions(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_older_versions_than_are_kept_go_when_one_serves_well(shelf):
    shelf.keep_versions = 2
    shelf.restart()
    for number in (1, 2, 3, 4, 5):
        shelf.put(number)
    shelf.reject(1)
    with capture_logs() as logs:
        shelf.ledger.trust(shelf.version(4), previous=3, spared=4)
    assert versions(shelf.folder) == ["3", "4", "5"], "what is newer is still to be tried"
    assert [one["version"] for one in logs if one["event"] == "old version removed"] == [1, 2]
    assert not rejection_file(shelf.folder, 1).exists()


def test_the_pinned_the_previous_and_the_serving_version_are_spared(shelf):
    shelf.keep_versions = 1
    shelf.restart()
    for number in (1, 2, 3, 4, 5, 6):
        shelf.put(number)
    shelf.ledger.pin(1)
    shelf.ledger.trust(shelf.version(6), previous=4, spared=2)
    assert versions(shelf.folder) == ["1", "2", "4", "6"]


def test_all_versions_stay_where_all_are_kept(shelf):
    for number in range(1, 9):
        shelf.put(number)
    shelf.ledger.trust(shelf.version(8), previous=7, spared=8)
    assert len(versions(shelf.folder)) == 8


def test_what_a_power_cut_left_of_a_removal_is_cleared_away(shelf):
    shelf.put(1)
    (shelf.folder / f"{PREFIX}7-abcd").mkdir()
    shelf.restart()
    assert versions(shelf.folder) == ["1"]


# A single file


@pytest.fixture
def single(tmp_path):
    (tmp_path / "store").mkdir()
    file = tmp_path / "detector.onnx"
    file.write_bytes(b"x1")
    return Shelf(tmp_path / "store", path=file)


def settle(shelf: Shelf, number: int) -> Path:
    version = shelf.version(number)
    path = shelf.ledger.settle_in(version, whole=True)
    shelf.ledger.trust(version, previous=None, spared=number)
    return path


def test_a_single_file_is_rejected_in_memory_until_something_of_it_is_kept(single):
    assert single.look() == [1]
    single.reject(1)
    assert single.look() == []
    single.path.write_bytes(b"x2")
    assert single.look() == [1]
    assert list(single.store.iterdir()) == []


def test_a_single_file_cannot_be_trusted_or_pinned_for_ever_before_it_is_kept(single):
    single.ledger.pin(1)
    single.ledger.trust(single.version(1), previous=None, spared=1)
    assert single.ledger.pinned == 1
    assert single.ledger.trusted is None
    assert list(single.store.iterdir()) == []


def test_a_single_file_that_serves_is_kept_and_a_few_before_it(single):
    for n in range(1, COPIES + 3):
        single.path.write_bytes(f"x{n}".encode())
        assert max(single.look()) == n
        path = settle(single, n)
        assert path == single.store / ".kept" / "m" / str(n)
        assert (path / "model.onnx").read_bytes() == f"x{n}".encode()
    assert versions(single.store / ".kept" / "m") == ["3", "4", "5"]


def test_what_is_kept_of_a_single_file_is_the_same_version_by_other_names(single):
    served = single.version(1)
    settle(single, 1)
    assert single.look() == [1]
    kept = single.ledger.found[1]
    assert kept.path != served.standing.path
    assert single.ledger.refreshed(served, kept) == replace(served, standing=kept)


def test_a_single_file_that_was_only_touched_is_what_is_kept(single):
    settle(single, 1)
    os.utime(single.path, (1, 1))
    assert single.look() == [1, 2]
    assert single.ledger.is_kept(single.ledger.found[2])
    assert single.look() == [1]
    single.path.write_bytes(b"x2")
    assert single.look() == [1, 2]
    assert not single.ledger.is_kept(single.ledger.found[2])


@pytest.mark.parametrize("error", [CannotWrite("store", "disk full"), OSError(28, "No space left on device")])
def test_a_single_file_that_cannot_be_kept_serves_from_where_it_is(single, monkeypatch, error):
    def fail(*_: Any, **__: Any) -> Path:
        raise error

    version = single.version(1)
    monkeypatch.setattr(single.ledger.home, "accepted", fail)
    with capture_logs() as logs:
        assert single.ledger.settle_in(version, whole=True) == single.path
    assert [one["event"] for one in logs] == ["the version could not be kept in the store"]
