"""YOLOv4 of the ONNX Model Zoo: what the table of families does not show."""

import numpy as np
import pytest
from toy_anchors import LAYOUTS, nhwc, raw_heads, yolov4
from toy_outputs import evidence_of

from edged.decode.detect import recognise
from edged.errors import ModelRejected

ZOO = next(layout for layout in LAYOUTS if layout.family == "yolov4")


def heads(classes: int) -> list[np.ndarray]:
    made = yolov4([], 416, 416, classes, np.random.default_rng(0))
    return [head.astype(np.float32) for head in made]


def test_the_order_of_the_heads_does_not_matter() -> None:
    expected = recognise(ZOO.evidence()).decoder(ZOO.outputs([]), 0.0)
    recognition = recognise(evidence_of(*heads(80)[::-1], inputs=nhwc(416, 416)))
    assert len(recognition.decoder(heads(80)[::-1], 0.0)) == len(expected) == 10647


def test_a_note_tells_that_its_anchors_are_not_in_the_file() -> None:
    assert "anchors are not in the file" in recognise(ZOO.evidence()).notes[0]


def test_a_model_trained_on_something_else_must_be_named() -> None:
    evidence = evidence_of(*heads(3), inputs=nhwc(416, 416))
    with pytest.raises(ModelRejected, match=r'anchors that the file does not hold; .*family = "yolov4"'):
        recognise(evidence)
    assert recognise(evidence, "yolov4").class_count == 3


def test_heads_whose_scores_are_logits_are_refused() -> None:
    trial = heads(80)
    trial[1][..., 4:] = np.log(trial[1][..., 4:])
    with pytest.raises(ModelRejected, match="scores are no probabilities; export"):
        recognise(evidence_of(*trial, inputs=nhwc(416, 416)))


def test_heads_without_raw_coordinates_are_refused() -> None:
    trial = [abs(head) for head in heads(80)]
    with pytest.raises(ModelRejected, match="no boxes in their first four columns"):
        recognise(evidence_of(*trial, inputs=nhwc(416, 416)))


def test_yolov5s_heads_are_not_yolov4s() -> None:
    trial = raw_heads([], 416, 416, 80, np.random.default_rng(0))
    with pytest.raises(ModelRejected, match="not of the family 'yolov4'"):
        recognise(evidence_of(*trial), "yolov4")


def test_two_of_its_heads_are_not_enough() -> None:
    with pytest.raises(ModelRejected, match="no detector of a known family"):
        recognise(evidence_of(*heads(80)[1:], inputs=nhwc(416, 416)))
