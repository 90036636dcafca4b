"""PaddleDetection: how the picture was normalised is asked, and rows of others are not taken."""

import numpy as np
import pytest
from toy_heads import LAYOUTS, paddle_inputs, paddle_rows
from toy_outputs import Layout, evidence_of

from edged.decode.detect import recognise
from edged.decode.family import Evidence
from edged.decode.ppdet import PicoDet, PPYoloE, PPYoloEPlus
from edged.errors import ModelRejected
from edged.manifest import TensorSpec

FAMILIES = (PPYoloE(), PPYoloEPlus(), PicoDet())


def layout(name: str) -> Layout:
    return next(one for one in LAYOUTS if one.name == name)


def rows_evidence(*others: np.ndarray, **changes: object) -> Evidence:
    rows, number = paddle_rows([], 416, 416, 80, np.random.default_rng(0))
    known: dict[str, object] = {"inputs": paddle_inputs(416, 416)}
    return evidence_of(rows.astype(np.float32), number, *others, **(known | changes))


def test_rows_do_not_tell_how_the_picture_is_normalised_and_a_person_does() -> None:
    with pytest.raises(
        ModelRejected,
        match=r'ppyoloe or ppyoloe-plus or picodet .* family = "ppyoloe" or family = "ppyoloe-plus"',
    ):
        recognise(rows_evidence())
    assert recognise(rows_evidence(), "ppyoloe").input.mean == (0.485, 0.456, 0.406)
    assert recognise(rows_evidence(), "ppyoloe+").input.mean == (0, 0, 0)
    assert recognise(rows_evidence(), "PP-PicoDet").input.std == (0.229, 0.224, 0.225)


def test_decoded_boxes_are_of_two_and_with_four_levels_of_picodet() -> None:
    with pytest.raises(ModelRejected, match="ppyoloe or ppyoloe-plus"):
        recognise(layout("ppyoloe, without NMS").evidence())
    assert recognise(layout("picodet, without NMS").evidence()).family == "picodet"


def test_corners_with_scores_behind_are_not_taken_for_centres() -> None:
    with pytest.raises(ModelRejected, match=r"may be ppyoloe or ppyoloe-plus \("):
        recognise(layout("ppyoloe, without post-processing").evidence())


def test_rows_without_a_factor_beside_the_picture_are_taken_only_by_name() -> None:
    inputs = (TensorSpec("image", (1, 3, 416, 416), "float32"),)
    assert all(one.recognise(rows_evidence(inputs=inputs)) is None for one in FAMILIES)
    assert recognise(rows_evidence(inputs=inputs), "picodet").family == "picodet"


def test_other_outputs_beside_the_rows_make_it_something_else() -> None:
    masks = np.zeros((12, 28, 28), np.int32)
    assert all(one.recognise(rows_evidence(masks)) is None for one in FAMILIES)


def test_rows_in_another_order_are_not_taken() -> None:
    rows = paddle_rows([], 416, 416, 80, np.random.default_rng(0))[0].astype(np.float32)
    evidence = evidence_of(rows[:, ::-1], inputs=paddle_inputs(416, 416))
    assert all(one.recognise(evidence) is None for one in FAMILIES)


def test_more_classes_than_coco_has_get_none_of_its_names() -> None:
    rows = paddle_rows([], 416, 416, 80, np.random.default_rng(0))[0].astype(np.float32)
    rows[0, 0] = 364  # Objects365
    recognition = recognise(evidence_of(rows, inputs=paddle_inputs(416, 416)), "ppyoloe-plus")
    assert recognition.usual_labels == ()


def test_decoded_boxes_that_follow_no_cells_are_not_taken() -> None:
    boxes, scores = (one.copy() for one in layout("ppyoloe, without NMS").outputs([]))
    shuffled = boxes[:, np.random.default_rng(0).permutation(boxes.shape[1])]
    for changed in (shuffled, boxes / 416, boxes[..., [2, 3, 0, 1]]):
        evidence = evidence_of(changed, scores, inputs=paddle_inputs(416, 416))
        assert all(one.recognise(evidence) is None for one in FAMILIES)
