"""YOLO-NAS: what is padding, what is asked, and what a float picture means."""

import numpy as np
import pytest
from toy_heads import LAYOUTS, picture_of_bytes, yolonas_batch, yolonas_flat
from toy_outputs import Layout, Thing, evidence_of

from edged.decode.detect import recognise
from edged.decode.yolonas import YoloNas
from edged.errors import ModelRejected
from edged.manifest import TensorSpec

THING = Thing((10, 20, 200, 300), 7, 0.875)


def layout(name: str) -> Layout:
    return next(one for one in LAYOUTS if one.name == name)


@pytest.mark.parametrize("padding", [-1.0, 0.0, 1.0, np.nan])
def test_what_stands_behind_the_number_is_padding(padding: float) -> None:
    batch = layout("yolonas, batch")
    rng = np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        outputs = yolonas_batch([THING], 416, 416, 80, rng, padding=padding)
    found = recognise(batch.evidence()).decoder(outputs, 0.25)
    assert found.class_id.tolist() == [7]
    np.testing.assert_allclose(found.xyxy, [THING.box])


def test_a_picture_of_bytes_is_prepared_by_the_model_and_a_float_one_by_a_guess_that_is_told() -> None:
    batch = layout("yolonas, batch")
    assert recognise(batch.evidence()).notes == ()
    floats = (TensorSpec("input", (1, 3, 416, 416), "float32"),)
    assert "BGR" in recognise(batch.evidence(inputs=floats)).notes[0]


def test_scores_before_corners_are_asked_about() -> None:
    boxes, scores = layout("yolonas, without NMS").outputs([])
    answer = YoloNas().recognise(evidence_of(scores, boxes))
    assert isinstance(answer, str)
    assert 'corners first; if super-gradients made it, say family = "yolonas"' in answer
    with pytest.raises(ModelRejected):
        recognise(evidence_of(scores, boxes))
    assert recognise(evidence_of(scores, boxes), "yolo-nas").class_count == 80


def test_flat_rows_with_the_class_before_the_score_are_refused() -> None:
    rows = yolonas_flat([], 416, 416, 80, np.random.default_rng(0), others=9)[0].astype(np.float32)
    changed = {
        "outputs": (TensorSpec("flat_predictions", (None, 7), "float32"),),
        "inputs": picture_of_bytes(416, 416),
    }
    with pytest.raises(ModelRejected, match="export it in batch format"):
        recognise(evidence_of(rows[:, [0, 1, 2, 3, 4, 6, 5]], **changed))


def test_rows_of_seven_columns_under_another_name_are_not_taken() -> None:
    rows = yolonas_flat([], 416, 416, 80, np.random.default_rng(0), others=9)[0].astype(np.float32)
    assert YoloNas().recognise(evidence_of(rows)) is None


def test_four_outputs_of_other_sizes_are_not_taken() -> None:
    batch = layout("yolonas, batch")
    number, boxes, scores, classes = batch.outputs([])
    for trial in (
        (number, boxes, scores[:, :-1], classes),
        (number, boxes, scores, classes.astype(np.float32)),
        (number, boxes, scores + 5, classes),
        (number.repeat(2, axis=1), boxes, scores, classes),
    ):
        assert YoloNas().recognise(batch.evidence(trial=trial)) is None
