"""Which family: what is refused, what must be asked, and what settles it."""

import numpy as np
import pytest
from toy_outputs import (
    LAYOUTS,
    Layout,
    evidence_of,
    yolov5,
    yolov8,
    yolov8_pose_fractions,
    yolov8_turned,
    yolox_decoded,
)

from edged.decode.detect import recognise
from edged.errors import ModelRejected
from edged.manifest import TensorSpec


def layout(name: str) -> Layout:
    return next(one for one in LAYOUTS if one.name == name)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize(
    ("trial", "says"),
    [
        ([noise(1, 10)], "may be a classifier's answer"),
        ([noise(1, 512)], "may be a classifier's answer"),
        ([noise(1, 6, 256, 256)], "one map"),
        ([noise(1, 85, 22, 22)], "one map"),
        ([noise(1, 4420, 2), noise(1, 4420, 4)], "its outputs are"),
        ([noise(1, 300, 4), noise(1, 300, 91)], "its outputs are"),
        ([noise(1, 3549, 4), noise(1, 3549, 80) * 0.02], "no boxes in its first four columns"),
        ([noise(1, 8, 6)], "its outputs are"),
        ([noise(5).astype("int64"), noise(5, 4), noise(5)], "its outputs are"),
        ([], "its outputs are"),
    ],
)
def test_what_is_no_detector_of_a_known_family_is_refused_in_a_sentence(
    trial: list[np.ndarray], says: str
) -> None:
    with pytest.raises(ModelRejected, match=says):
        recognise(evidence_of(*trial))


@pytest.mark.parametrize("task", ["obb", "depth"])
def test_other_tasks_are_refused_by_name(task: str) -> None:
    with pytest.raises(ModelRejected, match=task):
        recognise(layout("yolov8").evidence(metadata={"task": task}))


def test_a_detector_that_model_toml_calls_a_classifier_is_refused_and_its_own_task_is_taken() -> None:
    evidence = layout("yolov8").evidence(task="classify")
    for family in (None, "yolov8"):
        with pytest.raises(ModelRejected) as error:
            recognise(evidence, family)
        assert error.value.problem.startswith("is a detector (")
        assert error.value.problem.endswith('and model.toml says task = "classify"')
    assert recognise(layout("yolov8").evidence(task="detect")).family == "yolov8"


def test_a_trial_that_gives_nan_is_refused() -> None:
    trial = layout("yolov8").outputs([])
    trial[0][0, 0, 0] = np.nan
    with pytest.raises(ModelRejected, match="trial run"):
        recognise(layout("yolov8").evidence(trial=tuple(trial)))


def test_yolov5_that_leaves_the_decoding_to_the_caller_is_refused() -> None:
    # All columns between 0 and 1, as the sigmoid left them; only a published YOLOv5-Lite's anchors are known.
    trial = noise(1, 3 * 3549, 8)
    with pytest.raises(ModelRejected, match="relative to cells and anchors; export"):
        recognise(evidence_of(trial))


def test_scores_without_their_activation_are_refused() -> None:
    rng = np.random.default_rng(0)
    trial = yolov8([], 416, 416, 3, rng)[0]
    trial[:, 4:] = rng.normal(scale=5, size=trial[:, 4:].shape)
    with pytest.raises(ModelRejected, match="no probabilities"):
        recognise(evidence_of(trial))


def test_boxes_that_follow_no_cells_are_refused() -> None:
    trial = layout("yolov8").outputs([])[0]
    trial = trial[:, :, np.random.default_rng(0).permutation(trial.shape[2])]
    with pytest.raises(ModelRejected, match="do not lie where the cells are"):
        recognise(evidence_of(trial))


def test_56_rows_without_names_may_be_a_pose_and_a_label_settles_it() -> None:
    trial = yolov8_pose_fractions([], 416, 416, 1, np.random.default_rng(0))[0]
    with pytest.raises(ModelRejected, match=r'52 classes.*labels = \["person"\]'):
        recognise(evidence_of(trial))
    settled = recognise(evidence_of(trial, labels=("person",)))
    assert settled.class_count == 1
    assert "keypoints" in settled.notes[0]


def test_52_labels_make_56_rows_52_classes() -> None:
    labels = tuple(f"card {n}" for n in range(52))
    trial = yolov8([], 416, 416, 52, np.random.default_rng(0))[0]
    assert recognise(evidence_of(trial, labels=labels)).class_count == 52


@pytest.mark.parametrize(("write", "classes"), [(yolov8_turned, 2), (yolox_decoded, 1)])
def test_rows_that_two_families_could_have_written_are_asked_about(write, classes: int) -> None:  # type: ignore[no-untyped-def]
    trial = write([], 416, 416, classes, np.random.default_rng(0))[0]
    assert trial.shape[2] == 6
    with pytest.raises(ModelRejected, match=r'yolox or yolov8.*family = "yolox" or family = "yolov8"'):
        recognise(evidence_of(trial))
    assert recognise(evidence_of(trial), "yolox").class_count == 1
    assert recognise(evidence_of(trial), "yolov8").class_count == 2


def test_labels_settle_rows_that_two_families_could_have_written() -> None:
    trial = yolov8_turned([], 416, 416, 2, np.random.default_rng(0))[0]
    assert recognise(evidence_of(trial, labels=("a", "b"))).family == "yolov8"
    assert recognise(evidence_of(trial, labels=("a",))).family == "yolox"


def test_labels_that_do_not_fit_are_refused_with_both_numbers() -> None:
    with pytest.raises(ModelRejected, match="80 classes, its labels name 3"):
        recognise(layout("yolox").evidence(labels=("a", "b", "c")))
    with pytest.raises(ModelRejected, match=r"found class .* the labels name 2"):
        recognise(layout("end2end").evidence(labels=("a", "b")))


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelRejected, match=r"unknown family 'yolo-x'.*did you mean 'yolox'"):
        recognise(layout("yolox").evidence(), "yolo-x")
    with pytest.raises(ModelRejected, match="known are yolox"):
        recognise(layout("yolox").evidence(), "qqqq")


def test_a_family_that_does_not_fit_is_refused_and_not_replaced() -> None:
    with pytest.raises(ModelRejected, match="not of the family 'end2end'"):
        recognise(layout("yolox").evidence(), "end2end")


def test_names_people_know_lead_to_the_layout() -> None:
    assert recognise(layout("yolov5").evidence(), "YOLOv7").family == "yolov5"
    assert recognise(layout("yolov8").evidence(), "yolo11").family == "yolov8"


def test_the_old_export_of_yolov5_with_its_maps_beside_is_served() -> None:
    rng = np.random.default_rng(0)
    maps = [rng.random((1, 3, side, side, 85), np.float32) for side in (52, 26, 13)]
    table = yolov5([], 416, 416, 80, rng)[0]
    assert recognise(evidence_of(table, *maps)).family == "yolov5"
    assert recognise(evidence_of(*maps, table)).family == "yolov5"


def test_declared_sizes_do_not_matter_only_those_of_the_trial() -> None:
    outputs = (TensorSpec("output", (1, None, "anything"), "float32"),)
    assert recognise(layout("yolox").evidence(outputs=outputs)).family == "yolox"


def test_each_input_is_filled_as_its_training_did() -> None:
    assert recognise(layout("yolox").evidence()).input.color == "BGR"
    assert recognise(layout("yolox").evidence()).input.scale == 1.0
    for name in ("yolov5", "yolov6", "yolov8", "end2end"):
        assert recognise(layout(name).evidence()).input.color == "RGB"
        assert recognise(layout(name).evidence()).input.scale == 1 / 255
