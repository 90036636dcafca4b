"""Where the bundled models and the video are found, and what a person may call a model."""

import shutil
from pathlib import Path

import pytest

from edged import bundle
from edged.errors import InputNotFound


def bundled(home: Path, *names: str) -> None:
    for name in names:
        folder = home / "models" / name / "1"
        folder.mkdir(parents=True)
        (folder / "model.onnx").touch()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of an installed package."""
    folder = tmp_path / "site" / "edged"
    folder.mkdir(parents=True)
    monkeypatch.setattr(bundle, "PACKAGE", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_wheel_has_them_inside_and_a_checkout_beside_the_package(package):
    bundled(package.parent, "codes")
    assert bundle.model("codes") == package.parent / "models" / "codes"
    bundled(package / "bundled", "codes", "bearings")
    assert bundle.model("codes") == package / "bundled" / "models" / "codes"
    assert bundle.model_names() == ["bearings", "codes"]


def test_a_folder_without_a_model_is_none(package):
    (package / "bundled" / "models" / "codes" / "train").mkdir(parents=True)
    assert bundle.model_names() == []


def test_a_model_that_is_missing_is_named_with_where_it_was_looked_for(package):
    with pytest.raises(InputNotFound, match=r"bundled model codes: is not in .*site"):
        bundle.model("codes")


def test_golden_rows_are_found_by_their_label_and_missed(package):
    bundled(package / "bundled", "bearings")
    rows = package / "bundled" / "models" / "bearings" / "1" / "golden" / "inner.csv"
    with pytest.raises(InputNotFound, match=r"inner\.csv: rows of a bundled model are missing"):
        bundle.golden("bearings", "inner")
    rows.parent.mkdir()
    rows.touch()
    assert bundle.golden("bearings", "inner") == rows


def test_the_video_is_found_and_missed(package):
    video = package / "bundled" / "demo" / "conveyor.mp4"
    video.parent.mkdir(parents=True)
    with pytest.raises(InputNotFound, match=r"conveyor\.mp4: the video of the demo is missing"):
        bundle.demo_video()
    video.touch()
    assert bundle.demo_video() == video


def test_a_path_that_is_there_goes_before_a_bundled_model_of_that_name(package):
    bundled(package / "bundled", "codes")
    assert bundle.model_path(Path("codes")) == package / "bundled" / "models" / "codes"
    Path("codes").mkdir()
    assert bundle.model_path(Path("codes")) == Path("codes")


def test_what_is_neither_path_nor_name_is_answered_with_the_names(package):
    bundled(package / "bundled", "codes", "bearings")
    with pytest.raises(InputNotFound, match=r"no such model; .*bundled model: bearings, codes"):
        bundle.model_path(Path("code"))
    with pytest.raises(InputNotFound, match="no such model"):
        bundle.model_path(Path("folder/codes"))
    shutil.rmtree(package / "bundled")
    with pytest.raises(InputNotFound, match=r"a folder that holds one$"):
        bundle.model_path(Path("codes"))
