"""Boxes, scores and classes in an output each: look-alikes, labels with and without the background, and padding."""

import numpy as np
import pytest
from toy_lists import LAYOUTS, anchors_of
from toy_outputs import Layout, Thing, evidence_of

from edged.decode.detect import recognise
from edged.decode.family import Evidence
from edged.decode.retinanet import RetinaNet, anchor_sizes
from edged.errors import InferenceFailed, ModelRejected
from edged.manifest import TensorSpec

NOT_TAKEN = r"no detector of a known family|may be a classifier's answer"
THING = Thing((40, 60, 200, 300), 1, 0.875)


def layout(name: str) -> Layout:
    return next(one for one in LAYOUTS if one.name == name)


def found_in(evidence: Evidence, outputs: list[np.ndarray], family: str | None = None):  # type: ignore[no-untyped-def]
    return recognise(evidence, family).decoder(outputs, 0.5)


def test_lists_of_torchvision_and_automl_are_asked_about() -> None:
    with pytest.raises(
        ModelRejected, match=r'torchvision or automl .*family = "torchvision" or family = "automl"'
    ):
        recognise(layout("torchvision, a batch of one").evidence())


def test_lists_without_names_and_batch_are_asked_about() -> None:
    with pytest.raises(ModelRejected, match=r'family = "torchvision" or family = "maskrcnn-benchmark"'):
        recognise(layout("torchvision, neither names nor batch").evidence())


def test_the_background_of_automl_among_the_labels_settles_it() -> None:
    one = layout("torchvision, a batch of one")
    evidence = one.evidence(labels=("--bg--", "can", "carton"), trial=tuple(one.outputs([THING])[:3]))
    with pytest.raises(ModelRejected, match=r"found class .* the labels name 3"):
        recognise(evidence)
    trial = tuple(layout("automl, a batch of one").outputs([]))
    recognition = recognise(one.evidence(labels=("--bg--", "a", "b", "c"), trial=trial))
    assert recognition.family == "automl"
    assert recognition.input.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize("name", ["torchvision, three labels", "automl, numbered"])
@pytest.mark.parametrize("background", ["__background__", "Background", "--bg--", "???"])
def test_labels_may_begin_with_the_background(name: str, background: str) -> None:
    one = layout(name)
    plain = found_in(one.evidence(), one.outputs([THING]))
    with_it = found_in(one.evidence(labels=(background, *one.labels)), one.outputs([THING]), one.family)
    assert one.labels[plain.class_id[0]] == (background, *one.labels)[with_it.class_id[0]] == "b"


def test_lite_classes_count_from_0_and_its_label_files_from_the_background() -> None:
    one = layout("tfod, TensorFlow Lite")
    trial = tuple(one.outputs([]))
    labels = ("???", *(f"class {n}" for n in range(90)))
    found = found_in(one.evidence(labels=labels, trial=trial), one.outputs([THING]))
    assert labels[found.class_id[0]] == "class 1"


def test_what_is_classed_as_background_is_left_out() -> None:
    one = layout("torchvision, no batch")
    outputs = one.outputs([THING])
    outputs[1][0] = 0
    assert len(found_in(one.evidence(), outputs)) == 0


def test_classes_beyond_the_labels_are_refused() -> None:
    with pytest.raises(ModelRejected, match=r"found class \d+ .*correct labels in model.toml"):
        recognise(layout("rtdetr").evidence(labels=("a", "b")))


def test_names_of_the_published_models_are_not_used_for_classes_beyond_them() -> None:
    one = layout("ssd")
    trial = tuple(one.outputs([Thing((10, 10, 50, 50), 120, 0.5)], *one.size))
    assert recognise(one.evidence(trial=trial)).usual_labels == ()
    assert recognise(one.evidence()).usual_labels[0] == "person"


@pytest.mark.parametrize("name", ["ssd", "tfod", "customvision"])
def test_boxes_in_pixels_under_names_of_fractions_are_refused(name: str) -> None:
    one = layout(name)
    trial = one.outputs([])
    for part in one.boxes(trial):
        part[...] *= 400
    with pytest.raises(ModelRejected, match="no fractions"):
        recognise(one.evidence(trial=tuple(trial)))


def test_numbers_of_objects_that_are_no_numbers_are_an_error() -> None:
    one = layout("tfod")
    outputs = one.outputs([THING])
    outputs[0][:] = np.nan
    with pytest.raises(InferenceFailed, match="numbers of objects"):
        found_in(one.evidence(), outputs)


def test_classes_that_are_no_numbers_are_an_error() -> None:
    one = layout("tfod")
    outputs = one.outputs([THING])
    outputs[3][:] = np.inf
    with pytest.raises(InferenceFailed, match="classes"):
        found_in(one.evidence(), outputs)


def test_rows_come_and_go_from_picture_to_picture() -> None:
    one = layout("torchvision, no batch")
    recognition = recognise(one.evidence())
    nothing = [np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)]
    assert len(recognition.decoder(nothing, 0.25)) == 0
    assert len(recognition.decoder(one.outputs([THING]), 0.25)) == 1


def lists(*beside: np.ndarray, rows: int = 6) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.random((rows, 4), np.float32) * 400, axis=1)
    return boxes, rng.integers(1, 80, rows), rng.random(rows, np.float32) / 2, *beside


@pytest.mark.parametrize(
    "trial",
    [
        lists(np.array([416, 416])),  # Detectron2 says the size of the picture beside them
        (*lists()[:2], lists()[2] + 7),
        (lists()[0], lists(rows=5)[1], lists()[2]),
        (*lists()[:2], np.tile(lists()[2], (6, 1))),
        lists(rows=6)[1:],
    ],
)
def test_other_lists_are_not_taken(trial: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ModelRejected, match=NOT_TAKEN):
        recognise(evidence_of(*trial))


def test_lists_of_a_model_that_takes_more_than_a_picture_are_not_taken() -> None:
    inputs = (TensorSpec("images", (1, 3, 416, 416), "float32"), TensorSpec("sizes", (1, 2), "int64"))
    with pytest.raises(ModelRejected, match=NOT_TAKEN):
        recognise(layout("torchvision, without names").evidence(inputs=inputs))


def test_a_person_may_name_the_family_of_lists_whose_names_say_nothing() -> None:
    one = layout("torchvision, without names")
    assert recognise(one.evidence()).family == "torchvision"
    assert recognise(one.evidence(), "automl").input.std == (0.229, 0.224, 0.225)
    assert recognise(one.evidence(), "maskrcnn-benchmark").input.color == "BGR"


def test_scores_that_sum_to_one_by_chance_make_no_classifier_of_a_detector() -> None:
    one = layout("torchvision, no batch")
    boxes, labels, _ = one.outputs([THING, THING])
    trial = (boxes[:2], labels[:2], np.array([0.6, 0.4], np.float32))
    assert recognise(one.evidence(trial=trial)).family == "torchvision"


def test_the_published_masks_of_28_pixels_are_never_torchvisions() -> None:
    one = layout("Mask R-CNN of the zoo")
    recognition = recognise(one.evidence())
    assert recognition.min_score == 0.7
    assert recognition.notes == ("its masks are left out, boxes only",)


def test_maps_of_logits_are_no_retinanet_of_nvidia() -> None:
    one = layout("retinanet")
    trial = [output - 5 if number < 5 else output for number, output in enumerate(one.outputs([]))]
    with pytest.raises(ModelRejected, match="no probabilities; export it with its sigmoid"):
        recognise(one.evidence(trial=tuple(trial)))


def test_maps_at_other_strides_or_of_other_anchors_are_no_retinanet() -> None:
    trial = layout("retinanet").outputs([])
    assert RetinaNet().recognise(evidence_of(*trial, height=480, width=512)) is None
    assert RetinaNet().recognise(evidence_of(*trial[:8], height=480, width=640)) is None
    assert RetinaNet().recognise(evidence_of(*trial[5:], *trial[5:], height=480, width=640)) is not None


@pytest.mark.parametrize("stride", [8, 128])
def test_anchors_are_those_of_retinanet_examples(stride: int) -> None:
    anchors = anchors_of(stride)
    np.testing.assert_allclose(anchor_sizes(stride), anchors[:, 2:] - anchors[:, :2] + 1, rtol=1e-6)
