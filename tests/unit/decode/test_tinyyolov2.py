"""Tiny YOLOv2 and Azure Custom Vision: one grid, two families."""

import numpy as np
import pytest
from toy_anchors import BGR_255, custom_vision, custom_vision_placed, grid_of, picture_called
from toy_outputs import Thing, evidence_of

from edged.decode.detect import recognise
from edged.decode.family import Array, Evidence
from edged.decode.labels import VOC
from edged.errors import ModelRejected
from edged.fit import Fit
from edged.manifest import TensorSpec


def evidence(write, classes: int, picture: str = "data", grid: str = "model_outputs0", **known) -> Evidence:  # type: ignore[no-untyped-def]
    trial = write([], 416, 416, classes, np.random.default_rng(0))[0].astype(np.float32)
    return called(trial, picture, grid, **known)


def called(trial: Array, picture: str, grid: str, **known) -> Evidence:  # type: ignore[no-untyped-def]
    outputs = (TensorSpec(grid, trial.shape, "float32"),)
    return evidence_of(trial, inputs=picture_called(picture)(416, 416), outputs=outputs, **known)


def test_their_names_tell_two_models_of_twenty_classes_apart() -> None:
    assert recognise(evidence(grid_of, 20, "image", "grid")).family == "tinyyolov2"
    assert recognise(evidence(custom_vision, 20)).family == "customvision-grid"


def test_without_their_names_twenty_classes_are_asked_about() -> None:
    line = 'family = "tinyyolov2" or family = "customvision-grid"'
    with pytest.raises(ModelRejected, match=f"may be tinyyolov2 or customvision-grid .*{line}"):
        recognise(evidence(grid_of, 20, "input", "output"))


def test_without_their_names_other_numbers_of_classes_must_be_named() -> None:
    unknown = evidence(custom_vision, 3, "input", "output")
    with pytest.raises(ModelRejected, match=r'may be the grid of a YOLOv2.*family = "customvision-grid"'):
        recognise(unknown)
    assert recognise(unknown, "customvision-grid").class_count == 3
    assert recognise(unknown, "tinyyolov2").class_count == 3


def test_tiny_yolov2_trained_on_something_else_must_be_named() -> None:
    trained = evidence(grid_of, 3, "image", "grid")
    with pytest.raises(ModelRejected, match=r'anchors that the file does not hold; .*family = "tinyyolov2"'):
        recognise(trained)
    assert recognise(trained, "tiny-yolov2").class_count == 3


def test_tiny_yolov2_takes_whole_rgb_and_names_what_voc_names() -> None:
    recognition = recognise(evidence(grid_of, 20, "image", "grid"))
    assert (recognition.input.color, recognition.input.scale, recognition.input.fit) == (
        "RGB",
        1.0,
        Fit.STRETCH,
    )
    assert recognition.usual_labels == VOC
    assert "anchors are not in the file" in recognition.notes[0]


@pytest.mark.parametrize(
    ("metadata", "color", "scale", "notes"),
    [
        (BGR_255, "BGR", 1.0, 0),
        ({"Image.BitmapPixelFormat": "Rgb8", "Image.NominalPixelRange": "Normalized_0_1"}, "RGB", 1 / 255, 0),
        ({"Image.BitmapPixelFormat": "Bgr8"}, "BGR", 1 / 255, 0),
        ({}, "BGR", 1.0, 1),
    ],
)
def test_custom_visions_metadata_says_how_its_picture_is_filled(
    metadata: dict[str, str], color: str, scale: float, notes: int
) -> None:
    recognition = recognise(evidence(custom_vision, 3, metadata=metadata))
    assert (recognition.input.color, recognition.input.scale) == (color, scale)
    assert len(recognition.notes) == notes


def test_the_trial_tells_whether_sigmoid_was_applied_to_the_centres() -> None:
    thing = Thing((100, 100, 200, 300), 0, 0.9)
    for write in (custom_vision, custom_vision_placed):
        outputs = write([thing], 416, 416, 3, np.random.default_rng(0))
        found = recognise(evidence(write, 3)).decoder(outputs, 0.5)
        np.testing.assert_allclose(found.xyxy, [thing.box], atol=0.01)


@pytest.mark.parametrize(
    "trial",
    [
        np.abs(grid_of([], 416, 416, 3, np.random.default_rng(0))[0]),  # no logits: ReLU or probabilities
        grid_of([], 416, 416, 3, np.random.default_rng(0))[0][:, :39],  # channels not shared by five anchors
        grid_of([], 208, 208, 3, np.random.default_rng(0))[0],  # cells of another stride
        grid_of([], 416, 416, 0, np.random.default_rng(0))[0],  # no classes
    ],
    ids=["positive", "channels", "stride", "no classes"],
)
def test_other_maps_are_no_grid_even_under_its_names(trial: np.ndarray) -> None:
    for names in (("data", "model_outputs0"), ("image", "grid")):
        with pytest.raises(ModelRejected, match="one map"):
            recognise(called(trial.astype(np.float32), *names))
