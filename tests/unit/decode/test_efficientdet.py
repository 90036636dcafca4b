"""EfficientDet: rows of seven columns that are its own, and others."""

import numpy as np
from toy_heads import LAYOUTS
from toy_outputs import evidence_of

from edged.decode.detect import recognise
from edged.decode.efficientdet import EfficientDet
from edged.decode.labels import COCO_90

LAYOUT = next(one for one in LAYOUTS if one.family == "efficientdet")


def test_its_first_class_is_1_and_the_names_are_those_of_cocos_numbers() -> None:
    recognition = recognise(LAYOUT.evidence())
    row = np.array([[[0, 20, 10, 300, 200, 0.9, 1]]], np.float32)
    found = recognition.decoder([row], 0.25)
    assert recognition.usual_labels == COCO_90
    assert recognition.usual_labels[found.class_id[0]] == "person"
    np.testing.assert_array_equal(found.xyxy, [[10, 20, 200, 300]])


def test_one_of_its_two_names_is_enough() -> None:
    trial = LAYOUT.outputs([])
    assert recognise(evidence_of(*trial, inputs=LAYOUT.declared(512, 512))).family == "efficientdet"
    assert EfficientDet().recognise(evidence_of(*trial)) is None
    assert recognise(evidence_of(*trial), "efficientdet").family == "efficientdet"


def test_rows_that_are_something_else_are_not_taken() -> None:
    rows = LAYOUT.outputs([])[0]
    of_other_pictures = rows.copy()
    of_other_pictures[0, 3, 0] = 1
    for trial in (
        rows[..., :6],
        rows[0],
        rows[..., ::-1],
        of_other_pictures,
        rows + np.float32(0.5),
        rows.astype(np.int64),
    ):
        assert EfficientDet().recognise(LAYOUT.evidence(trial=(trial,))) is None
