"""BlazeFace: other models of MediaPipe have other columns, and boxes must be in pixels."""

import numpy as np
import pytest
from toy_faces import LAYOUTS
from toy_outputs import Layout, Thing, evidence_of

from edged.decode.blazeface import BlazeFace
from edged.decode.detect import recognise
from edged.errors import ModelRejected

BLAZEFACE: Layout = next(one for one in LAYOUTS if one.name == "blazeface")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=20, size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("side", "trial"),
    [
        (128, (noise(1, 896, 18), noise(1, 896, 1))),  # palms, seven keypoints
        (128, (noise(1, 896, 12), noise(1, 896, 1))),  # bodies, four keypoints
        (224, (noise(1, 896, 16), noise(1, 896, 1))),
        (128, (noise(1, 2304, 16), noise(1, 2304, 1))),
        (128, (noise(1, 896, 16), noise(1, 896, 1), noise(1, 896, 1))),
        (128, (noise(1, 384, 16), noise(1, 512, 16), noise(1, 896, 1))),
    ],
)
def test_what_is_not_one_of_its_three_models_is_not_taken(side: int, trial: tuple[np.ndarray, ...]) -> None:
    assert BlazeFace().recognise(evidence_of(*trial, height=side, width=side)) is None


def test_an_input_that_is_not_square_is_not_taken() -> None:
    assert BlazeFace().recognise(evidence_of(*BLAZEFACE.outputs([]), height=96, width=128)) is None


def test_boxes_in_fractions_are_refused() -> None:
    boxes, scores = BLAZEFACE.outputs([])
    with pytest.raises(
        ModelRejected, match="not in pixels of the input; convert MediaPipe's file with tf2onnx"
    ):
        recognise(BLAZEFACE.evidence(trial=(boxes / 128, scores)))


def test_scores_that_have_their_sigmoid_get_no_second_one() -> None:
    def activated(outputs: list[np.ndarray]) -> list[np.ndarray]:
        return [outputs[0], (1 / (1 + np.exp(-np.maximum(outputs[1], -80)))).astype(np.float32)]

    recognition = recognise(BLAZEFACE.evidence(trial=tuple(activated(BLAZEFACE.outputs([])))))
    found = recognition.decoder(activated(BLAZEFACE.outputs([Thing((30, 30, 90, 80), 0, 0.75)])), 0.25)
    assert found.score.tolist() == pytest.approx([0.75], abs=1e-5)


def test_logits_beyond_any_exponential_are_scores_of_nothing_and_of_all() -> None:
    outputs = BLAZEFACE.outputs([])
    outputs[1][0, :2, 0] = 8000, -8000
    found = recognise(BLAZEFACE.evidence()).decoder(outputs, 0.25)
    assert found.score.tolist() == [1.0]


@pytest.mark.parametrize(("side", "least"), [(128, 0.5), (256, 0.65)])
def test_each_model_asks_for_the_score_of_its_own_graph(side: int, least: float) -> None:
    assert recognise(BLAZEFACE.evidence(side, side)).min_score == least
