"""Versions are read off the names of folders, as installers write them."""

import sys

import pytest

from edged.inference.packages import installed


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A place that modules are imported from, the only one."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "not-there"), str(tmp_path)])
    return tmp_path


def test_a_name_is_found_however_it_is_written(place):
    for folder in (
        "onnxruntime-1.32.0.dist-info",
        "onnxruntime_ep_openvino-1.8.1.dist-info",
        "numpy-2.dist-info",
    ):
        (place / folder).mkdir()
    names = ("onnxruntime", "onnxruntime-openvino", "onnxruntime-ep-openvino")
    assert installed(names) == {"onnxruntime": "1.32.0", "onnxruntime-ep-openvino": "1.8.1"}


def test_what_python_would_import_counts(place, tmp_path, monkeypatch):
    (place / "onnxruntime-1.32.0.dist-info").mkdir()
    first = tmp_path / "first"
    (first / "onnxruntime-1.29.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(first), *sys.path])
    assert installed(("onnxruntime",)) == {"onnxruntime": "1.29.0"}


def test_other_installers_are_asked_for_their_own_records(place):
    (place / "onnxruntime.egg-info").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.20.1\n")
    assert installed(("onnxruntime", "onnxruntime-gpu")) == {"onnxruntime": "1.20.1"}


def test_nothing_is_found_where_nothing_is(place):
    assert installed(("onnxruntime",)) == {}
