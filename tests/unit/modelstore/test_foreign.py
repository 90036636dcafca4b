"""What Custom Vision, AutoML, Triton, OpenVINO Model Server and MLflow say of a model, taken with care."""

import json
from pathlib import Path, PurePosixPath

import pytest

from edged.errors import ModelRejected
from edged.modelstore.foreign import mlflow_data, mlflow_model, newest_versions, told_by_others


def model_with(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    (folder / "model.onnx").write_bytes(b"onnx")
    return folder / "model.onnx"


def test_a_model_alone_is_told_nothing_of(tmp_path):
    assert told_by_others(model_with(tmp_path), "m") == {}


def test_custom_vision_says_its_task_and_its_labels(tmp_path):
    manifest = json.dumps({"DomainType": "Classification", "LabelFileName": "names.txt"})
    told = told_by_others(model_with(tmp_path, cvexport__manifest=manifest, names__txt="box\nbag\n"), "m")
    assert told["model.toml"].startswith(b'task = "classify"')
    assert told["labels.txt"] == b"box\nbag\n"


def test_a_broken_manifest_is_an_error_and_not_a_model_without_one(tmp_path):
    with pytest.raises(ModelRejected, match=r"^m: has a cvexport\.manifest that is no JSON"):
        told_by_others(model_with(tmp_path, cvexport__manifest="{"), "m")


def test_a_label_file_outside_the_folder_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("x")
    manifest = json.dumps({"LabelFileName": "../secret"})
    assert told_by_others(model_with(tmp_path / "in", cvexport__manifest=manifest), "m") == {}


@pytest.mark.parametrize(
    ("text", "labels"), [('["a", "b c"]', b"a\nb c\n"), ('{"a": 1}', None), ("[1, 2]", None), ("[]", None)]
)
def test_automl_lists_its_labels(tmp_path, text, labels):
    assert told_by_others(model_with(tmp_path, labels__json=text), "m").get("labels.txt") == labels


def test_triton_names_its_label_file_in_the_folder_above(tmp_path):
    onnx = model_with(tmp_path / "yolo" / "3")
    (tmp_path / "yolo" / "config.pbtxt").write_text('output [ { label_filename: "coco.txt" } ]  # a comment')
    (tmp_path / "yolo" / "coco.txt").write_text("person\n")
    assert told_by_others(onnx, "m")["labels.txt"] == b"person\n"


def test_of_each_folder_of_versions_the_greatest_counts():
    names = [PurePosixPath(n) for n in ("a/2/model.onnx", "a/10/model.onnx", "b/1/x.onnx", "c.onnx")]
    assert list(map(str, newest_versions(names))) == ["a/10/model.onnx", "b/1/x.onnx", "c.onnx"]


MLMODEL = """artifact_path: model
flavors:
  onnx:
    code: null
    data: net.onnx
    onnx_version: 1.16.0
  python_function:
    data: other.onnx
"""


def test_mlflow_names_its_file(tmp_path):
    (tmp_path / "MLmodel").write_text(MLMODEL)
    names = [PurePosixPath(n) for n in ("MLmodel", "net.onnx", "old.onnx")]
    assert mlflow_model(tmp_path, names) == PurePosixPath("net.onnx")
    assert mlflow_model(tmp_path, [PurePosixPath("MLmodel")]) is None
    assert mlflow_data("flavors:\n  sklearn:\n    data: x\n") is None
