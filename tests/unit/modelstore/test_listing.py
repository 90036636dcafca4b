from pathlib import Path

import pytest

from edged.errors import BadInput, InputNotFound
from edged.modelstore.digests import onnx_digest
from edged.modelstore.listing import Shelf, bytes_of, names_in, shelf_of
from edged.modelstore.pins import write_pin
from edged.modelstore.records import Rejection, Service, write_rejection, write_service
from edged.modelstore.survey import content_digest


def put(folder: Path, *versions: int) -> Path:
    for version in versions:
        (folder / str(version)).mkdir(parents=True)
        (folder / str(version) / "model.onnx").write_text(f"version {version}")
    return folder


def test_names_are_those_of_folders_files_and_what_was_kept_of_files_elsewhere(tmp_path):
    for folder in (
        "b/1",
        ".adding-1/1",
        ".kept/c/1",
        ".kept/d/1",
        ".kept/.adding-2",
        "no name",
        "lost+found",
    ):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("c.onnx", "a.onnx", ".hidden.onnx", "edged.toml"):
        (tmp_path / file).touch()
    assert names_in(tmp_path) == ["a", "b", "c", "d"]


def test_a_store_that_cannot_be_looked_at_is_an_error(tmp_path):
    with pytest.raises(InputNotFound, match="no such store"):
        names_in(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be read"):
        names_in(tmp_path / "file")


def test_a_model_without_anything_written_of_it_has_versions_and_no_more(tmp_path):
    put(tmp_path / "m", 1, 2)
    shelf = shelf_of(tmp_path, "m")
    assert (set(shelf.versions), shelf.newest) == ({1, 2}, 2)
    assert (shelf.served, shelf.previous, shelf.pinned, shelf.file, shelf.file_version) == (None,) * 5


def test_a_model_without_versions_has_nothing_to_go_back_to(tmp_path):
    shelf = Shelf("m", tmp_path, {})
    assert (shelf.newest, shelf.version_before()) == (None, None)


def test_what_was_served_before_counts_only_as_another_version(tmp_path):
    folder = put(tmp_path / "m", 1, 2)
    write_service(folder, Service(version=2, digest="", previous=1))
    assert (shelf_of(tmp_path, "m").served, shelf_of(tmp_path, "m").previous) == (2, 1)
    write_service(folder, Service(version=2, digest="", previous=2))
    assert shelf_of(tmp_path, "m").previous is None


@pytest.mark.parametrize("by", ["content", "digest"])
def test_a_rejection_holds_until_the_files_are_others(tmp_path, by):
    folder = put(tmp_path / "m", 1)
    standing = shelf_of(tmp_path, "m").versions[1]
    seen = {"content": content_digest(standing.path), "digest": onnx_digest(standing.path)}
    write_rejection(folder, Rejection(version=1, step="golden", **{by: seen[by]}))
    rejection = shelf_of(tmp_path, "m").rejection(1)
    assert rejection is not None
    assert rejection.step == "golden"
    (folder / "1" / "model.onnx").write_text("mended")
    assert shelf_of(tmp_path, "m").rejection(1) is None


def test_a_rejection_of_what_is_not_there_is_none(tmp_path):
    folder = put(tmp_path / "m", 1)
    write_rejection(folder, Rejection(version=2))
    assert shelf_of(tmp_path, "m").rejection(2) is None


def test_a_single_file_counts_as_the_kept_version_that_it_is_or_as_the_next(tmp_path):
    (tmp_path / "m.onnx").write_text("version 1")
    assert shelf_of(tmp_path, "m").file_version == 1
    kept = put(tmp_path / ".kept" / "m", 1, 2)
    write_pin(kept, 1)
    for content, number in [("version 2", 2), ("another", 3), ("version 1", 3)]:
        (tmp_path / "m.onnx").write_text(content)
        shelf = shelf_of(tmp_path, "m")
        assert (shelf.file_version, shelf.newest, shelf.folder, shelf.pinned) == (number, number, kept, 1)


def test_a_folder_goes_before_a_file_of_its_name(tmp_path):
    put(tmp_path / "m", 4)
    (tmp_path / "m.onnx").touch()
    shelf = shelf_of(tmp_path, "m")
    assert (set(shelf.versions), shelf.file, shelf.folder) == ({4}, None, tmp_path / "m")


def test_the_bytes_of_a_version_are_those_of_all_its_files_and_its_digest_that_of_the_model(tmp_path):
    folder = put(tmp_path / "m", 1)
    (folder / "1" / "weights.bin").write_bytes(bytes(100))
    standing = shelf_of(tmp_path, "m").versions[1]
    assert bytes_of(standing) == len("version 1") + 100
    assert onnx_digest(standing.path).startswith("sha256:")
    (folder / "1" / "model.onnx").unlink()
    assert onnx_digest(standing.path) == ""
