"""Classifiers as files: a picture's labels come out of the same door as boxes do."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from toy_models import constant, node, save_model

COLOURS = ("red", "green", "blue")


def colour_classifier(path: Path, *, metadata: dict[str, str] | None = None) -> Path:
    """Which of three colours a picture has most of: logits, ten times the mean of each channel."""
    return save_model(
        path,
        [
            node("GlobalAveragePool", ["images"], ["means"]),
            node("Mul", ["means", "ten"], ["hot"]),
            node("Flatten", ["hot"], ["logits"]),
        ],
        outputs={"logits": (1, 3)},
        constants=[constant("ten", 10.0)],
        metadata=metadata,
    )


@pytest.fixture
def green(tmp_path: Path) -> Path:
    path = tmp_path / "green.png"
    cv2.imwrite(str(path), np.full((48, 64, 3), (0, 255, 0), np.uint8))
    return path


def run(picture: Path, model: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "edged", "detect", picture, "-m", model, "--provider", "cpu", "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def detections(picture: Path, model: Path) -> list[dict]:  # type: ignore[type-arg]
    done = run(picture, model)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["detections"]


def test_a_picture_gets_its_labels_best_first_with_what_was_looked_at_as_the_box(tmp_path, green):
    model = colour_classifier(tmp_path / "colours.onnx", metadata={"task": "classify"})
    (tmp_path / "colours.labels.txt").write_text("\n".join(COLOURS))
    found = detections(green, model)
    assert found[0]["label"] == "green"
    assert found[0]["score"] > 0.99
    assert sum(one["score"] for one in found) == pytest.approx(1, abs=1e-3)
    assert found[0]["box"] == [8, 0, 56, 48]  # the middle square of 64 × 48


def test_a_model_toml_makes_a_row_a_classifier_and_says_how_pictures_are_filled(tmp_path, green):
    model = colour_classifier(tmp_path / "colours.onnx")
    refused = run(green, model)
    assert refused.returncode == 65
    assert 'say task = "classify"' in refused.stderr
    (tmp_path / "colours.toml").write_text(
        'task = "classify"\nlabels = ["red", "green", "blue"]\n[input]\nfit = "stretch"\nmean = 0\nstd = 1\n'
    )
    found = detections(green, model)
    assert (found[0]["label"], found[0]["box"]) == ("green", [0, 0, 64, 48])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('task = "detect"', "is a classifier (logits [1, 3] holds 3 numbers"),
        ('task = "classify"\n[output]\nthreshold = 0.5', 'says task = "classify" and output.threshold'),
        ('task = "classify"\n[input]\nfields = ["x"]', 'says task = "classify" and input.fields'),
    ],
)
def test_a_model_toml_that_the_model_contradicts_is_refused_and_not_passed_over(tmp_path, green, text, said):
    model = colour_classifier(tmp_path / "colours.onnx")
    (tmp_path / "colours.labels.txt").write_text("\n".join(COLOURS))
    (tmp_path / "colours.toml").write_text(text)
    refused = run(green, model)
    assert refused.returncode == 65
    assert said in refused.stderr


def test_a_map_of_names_is_read_as_custom_vision_writes_it(tmp_path, green):
    zipped = node("ZipMap", ["shares"], ["loss"], domain="ai.onnx.ml", classlabels_strings=list(COLOURS))
    model = save_model(
        tmp_path / "custom.onnx",
        [
            node("GlobalAveragePool", ["images"], ["means"]),
            node("Flatten", ["means"], ["flat"]),
            node("Softmax", ["flat"], ["shares"]),
            zipped,
        ],
        outputs={"loss": None},
        domains=["ai.onnx.ml"],
        metadata={"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"},
    )
    loaded = onnx.load(model)
    share = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    loaded.graph.output[0].type.CopyFrom(
        helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, share))
    )
    onnx.save(loaded, model)
    found = detections(green, model)
    assert [one["label"] for one in found] == ["green", "blue", "red"]
    assert found[0]["score"] == pytest.approx(1)
