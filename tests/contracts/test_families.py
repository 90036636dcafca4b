"""What every family of detectors owes: one suite over the table of layouts in ``toy_outputs``."""

import numpy as np
import pytest
from toy_layouts import LAYOUTS, PICTURES_WHOLE
from toy_outputs import Layout, Thing

from edged.decode.detect import FAMILIES, recognise
from edged.decode.family import Recognition
from edged.decode.nms import suppress
from edged.detection import Detections
from edged.errors import InferenceFailed


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


EVERY_SIZE = [(layout, size) for layout in LAYOUTS for size in layout.sizes]
at_every_size = pytest.mark.parametrize(
    ("layout", "size"), EVERY_SIZE, ids=[f"{layout.name}-{size[0]}x{size[1]}" for layout, size in EVERY_SIZE]
)


def known(layout: Layout, size: tuple[int, int] | None = None) -> Recognition:
    """As a user would: the family is named only where nothing else tells it."""
    return recognise(layout.evidence(*(size or layout.size)), layout.family if layout.said else None)


def found_by(
    recognition: Recognition, layout: Layout, things: list[Thing], size: tuple[int, int], min_score: float
) -> Detections:
    return recognition.decoder(layout.outputs(things, *size), min_score)


@at_every_size
def test_a_picture_of_nothing_has_no_detections(layout: Layout, size: tuple[int, int]) -> None:
    found = found_by(known(layout, size), layout, [], size, 0.25)
    assert (found.xyxy.shape, found.score.shape, found.class_id.shape) == ((0, 4), (0,), (0,))


@at_every_size
def test_what_is_in_the_picture_is_found_where_it_is(layout: Layout, size: tuple[int, int]) -> None:
    things = things_in(*size, layout.classes)
    found = found_by(known(layout, size), layout, things, size, 0.25)
    found = suppress(found, iou=0.45, max_detections=300)
    assert len(found) == len(things)
    tolerance_px = max(layout.tolerance_px, 1.0 if layout.dtype == "float16" else 0)
    np.testing.assert_allclose(found.xyxy, [thing.box for thing in things], atol=tolerance_px)
    np.testing.assert_allclose(found.score, [thing.score for thing in things], atol=2e-3)
    assert found.class_id.tolist() == [thing.class_id for thing in things]


def test_exactly_one_family_takes_it(layout: Layout) -> None:
    evidence = layout.evidence()
    taken = [one.name for one in FAMILIES if isinstance(one.recognise(evidence), Recognition)]
    if layout.said:
        assert layout.family in taken
        assert len(taken) > 1
    else:
        assert taken == [layout.family]


def test_it_says_its_classes_and_whether_boxes_overlap(layout: Layout) -> None:
    recognition = known(layout)
    expected = layout.classes if layout.counts_classes else len(layout.labels)
    assert recognition.class_count == expected
    assert recognition.overlapping is layout.overlapping
    assert any(name in recognition.why for name in layout.output_names(layout.outputs([])))


def test_naming_the_family_changes_nothing(layout: Layout) -> None:
    assert recognise(layout.evidence(), layout.family).why == known(layout).why


def test_the_least_score_is_kept_and_what_is_below_is_not(layout: Layout) -> None:
    things = things_in(*layout.size, layout.classes)
    assert len(suppressed(known(layout), layout, things, 0.625)) == 2
    assert len(suppressed(known(layout), layout, things, 0.8)) == 1


def suppressed(recognition: Recognition, layout: Layout, things: list[Thing], min_score: float) -> Detections:
    found = found_by(recognition, layout, things, layout.size, min_score)
    return suppress(found, iou=0.45, max_detections=300)


def test_types_are_those_of_detections(layout: Layout) -> None:
    things = things_in(*layout.size, layout.classes)
    found = found_by(known(layout), layout, things, layout.size, 0.25)
    assert (found.xyxy.dtype, found.score.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int32)


def test_outputs_are_read_only(layout: Layout) -> None:
    outputs = layout.outputs(things_in(*layout.size, layout.classes))
    for output in outputs:
        output.setflags(write=False)
    before = [output.copy() for output in outputs]
    known(layout).decoder(outputs, 0.25)
    for output, copy in zip(outputs, before, strict=True):
        np.testing.assert_array_equal(output, copy)


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf])
def test_scores_that_are_no_numbers_are_an_error_and_not_an_empty_picture(
    layout: Layout, value: float
) -> None:
    outputs = layout.outputs(things_in(*layout.size, layout.classes))
    for position in layout.scores:
        outputs[position][...] = value
    with pytest.raises(InferenceFailed, match="NaN or infinity"):
        known(layout).decoder(outputs, 0.25)


def test_a_found_box_that_is_no_number_is_an_error(layout: Layout) -> None:
    outputs = layout.outputs(things_in(*layout.size, layout.classes))
    for part in layout.boxes(outputs):
        part[...] = np.nan
    with pytest.raises(InferenceFailed, match="boxes"):
        known(layout).decoder(outputs, 0.25)


def test_each_family_has_a_row_in_the_table() -> None:
    assert {layout.family for layout in LAYOUTS} | PICTURES_WHOLE == {family.name for family in FAMILIES}
