"""What every family of detectors owes: one suite over the table of layouts in ``toy_outputs``."""

import numpy as np
import pytest
from toy_outputs import LAYOUTS, Layout, Thing

from edged.decode.detect import FAMILIES, recognise
from edged.decode.family import Recognition
from edged.decode.nms import suppress
from edged.detection import Detections
from edged.errors import InferenceFailed

SIZES = [(416, 416), (640, 640), (256, 448), (640, 384), (96, 96)]


def things_in(height: int, width: int, classes: int) -> list[Thing]:
    """Three things of different sizes, apart from each other."""
    return [
        Thing((0.08 * width, 0.1 * height, 0.3 * width, 0.4 * height), 0, 0.875),
        Thing((0.5 * width, 0.2 * height, 0.95 * width, 0.9 * height), classes - 1, 0.75),
        Thing((0.05 * width, 0.6 * height, 0.4 * width, 0.95 * height), classes // 2, 0.5),
    ]


@pytest.fixture(params=LAYOUTS, ids=lambda layout: layout.name)
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.param


def found_by(
    recognition: Recognition, layout: Layout, things: list[Thing], size: tuple[int, int], min_score: float
) -> Detections:
    return recognition.decoder(layout.outputs(things, *size), min_score)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_picture_of_nothing_has_no_detections(layout: Layout, size: tuple[int, int]) -> None:
    found = found_by(recognise(layout.evidence(*size)), layout, [], size, 0.25)
    assert (found.xyxy.shape, found.score.shape, found.class_id.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_is_in_the_picture_is_found_where_it_is(layout: Layout, size: tuple[int, int]) -> None:
    things = things_in(*size, layout.classes)
    found = found_by(recognise(layout.evidence(*size)), layout, things, size, 0.25)
    found = suppress(found, iou=0.45, max_detections=300)
    assert len(found) == len(things)
    tolerance_px = 1.0 if layout.dtype == "float16" else 0.01
    np.testing.assert_allclose(found.xyxy, [thing.box for thing in things], atol=tolerance_px)
    np.testing.assert_allclose(found.score, [thing.score for thing in things], atol=2e-3)
    assert found.class_id.tolist() == [thing.class_id for thing in things]


def test_exactly_one_family_takes_it(layout: Layout) -> None:
    evidence = layout.evidence()
    taken = [one.name for one in FAMILIES if isinstance(one.recognise(evidence), Recognition)]
    assert taken == [layout.family]


def test_it_says_its_classes_and_whether_boxes_overlap(layout: Layout) -> None:
    recognition = recognise(layout.evidence())
    expected = layout.classes if layout.family != "end2end" else len(layout.labels)
    assert recognition.class_count == expected
    assert recognition.overlapping is layout.overlapping
    assert "output0" in recognition.why


def test_naming_the_family_changes_nothing(layout: Layout) -> None:
    assert recognise(layout.evidence(), layout.family).why == recognise(layout.evidence()).why


def test_the_least_score_is_kept_and_what_is_below_is_not(layout: Layout) -> None:
    things = things_in(416, 416, layout.classes)
    recognition = recognise(layout.evidence())
    assert len(found_by(recognition, layout, things, (416, 416), 0.625)) == 2
    assert len(found_by(recognition, layout, things, (416, 416), 0.8)) == 1


def test_types_are_those_of_detections(layout: Layout) -> None:
    found = found_by(
        recognise(layout.evidence()), layout, things_in(416, 416, layout.classes), (416, 416), 0.25
    )
    assert (found.xyxy.dtype, found.score.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int32)


def test_outputs_are_read_only(layout: Layout) -> None:
    outputs = layout.outputs(things_in(416, 416, layout.classes))
    for output in outputs:
        output.setflags(write=False)
    before = outputs[0].copy()
    recognise(layout.evidence()).decoder(outputs, 0.25)
    np.testing.assert_array_equal(outputs[0], before)


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf])
def test_scores_that_are_no_numbers_are_an_error_and_not_an_empty_picture(
    layout: Layout, value: float
) -> None:
    outputs = layout.outputs([])
    outputs[0][...] = value
    with pytest.raises(InferenceFailed, match="NaN or infinity"):
        recognise(layout.evidence()).decoder(outputs, 0.25)


def test_a_found_box_that_is_no_number_is_an_error(layout: Layout) -> None:
    things = things_in(416, 416, layout.classes)
    outputs = layout.outputs(things)
    table = outputs[0].reshape(outputs[0].shape[-2:])
    turned = layout.family == "yolov8" and "turned" not in layout.name
    boxes = table[:4] if turned else table[:, :4]
    boxes[...] = np.nan
    with pytest.raises(InferenceFailed, match="boxes"):
        recognise(layout.evidence()).decoder(outputs, 0.25)


def test_each_family_has_a_row_in_the_table() -> None:
    assert {layout.family for layout in LAYOUTS} == {family.name for family in FAMILIES}
