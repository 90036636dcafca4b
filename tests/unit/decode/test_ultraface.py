"""UltraFace and its look-alikes: what is neither boxes nor offsets of its priors is refused."""

import numpy as np
import pytest
from toy_faces import LAYOUTS
from toy_outputs import Layout, evidence_of

from edged.decode.detect import recognise
from edged.decode.family import Evidence
from edged.decode.ultraface import UltraFace, ultraface_priors
from edged.errors import ModelRejected


def layout(name: str) -> Layout:
    return next(one for one in LAYOUTS if one.name == name)


def tried(name: str, scores: np.ndarray | None = None, boxes: np.ndarray | None = None) -> Evidence:
    """A trial of this layout with one of its outputs replaced."""
    known = layout(name).outputs([])
    trial = (known[0] if scores is None else scores, known[1] if boxes is None else boxes)
    return layout(name).evidence(trial=trial)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("height", "width", "count"), [(240, 320, 4420), (480, 640, 17640), (96, 128, 708)])
def test_there_are_as_many_priors_as_its_own_code_makes(height: int, width: int, count: int) -> None:
    assert ultraface_priors(height, width).shape == (count, 4)


def test_cells_share_an_input_that_they_do_not_divide_and_no_prior_is_larger_than_it() -> None:
    priors = ultraface_priors(240, 320)
    np.testing.assert_allclose(priors[:4], [[4, 4, 10, 10], [4, 4, 16, 16], [4, 4, 24, 24], [12, 4, 10, 10]])
    at_stride_32 = priors[3600 + 600 : 3600 + 600 + 160]  # 240 pixels are 8 cells of 30
    np.testing.assert_allclose(at_stride_32[0], [16, 15, 64, 64])
    np.testing.assert_allclose(priors[-1], [288, 210, 256, 240])


def test_boxes_that_follow_other_priors_are_refused_and_not_guessed() -> None:
    boxes = layout("ultraface").outputs([])[1]
    turned = boxes[:, np.random.default_rng(0).permutation(boxes.shape[1])]
    with pytest.raises(ModelRejected, match="neither lie where the priors are nor are offsets"):
        recognise(tried("ultraface", boxes=turned))


def test_boxes_in_pixels_are_refused() -> None:
    boxes = layout("ultraface").outputs([])[1] * np.array([320, 240, 320, 240], np.float32)
    with pytest.raises(ModelRejected, match=r"neither lie.*; export it with convert_to_onnx"):
        recognise(tried("ultraface", boxes=boxes))


def test_scores_that_are_neither_softmax_nor_logits_are_refused() -> None:
    scores = np.full((1, 4420, 2), 0.1, np.float32)
    with pytest.raises(ModelRejected, match="do not sum to 1; export it with softmax"):
        recognise(tried("ultraface", scores=scores))


def test_the_order_and_names_of_its_outputs_do_not_matter() -> None:
    scores, boxes = layout("ultraface, offsets").outputs([])
    found = recognise(evidence_of(boxes, scores, height=240, width=320))
    assert found.family == "ultraface"
    assert found.min_score == 0.7


def test_two_outputs_of_four_columns_without_names_are_not_taken() -> None:
    trial = layout("ultraface, three classes, offsets").outputs([])
    assert UltraFace().recognise(evidence_of(*trial, height=240, width=320)) is None


@pytest.mark.parametrize(
    "trial",
    [
        (noise(1, 8732, 81), noise(1, 8732, 4)),  # SSD300 as trained
        (noise(1, 3000, 4), noise(1, 3000, 21)),  # MobileNet-SSD of pytorch-ssd
        (noise(1, 16800, 4), noise(1, 16800, 2), noise(1, 16800, 10)),  # RetinaFace
    ],
)
def test_an_ssd_with_priors_of_its_own_is_refused_with_what_to_do(trial: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(
        ModelRejected, match="priors that are not in the file; export it with its boxes decoded"
    ):
        recognise(evidence_of(*trial, height=300, width=300))


def test_what_may_be_boxes_of_another_detector_is_left_to_others() -> None:
    boxes = np.abs(noise(1, 3000, 4))
    assert (
        UltraFace().recognise(evidence_of(np.abs(noise(1, 3000, 21)), boxes, height=300, width=300)) is None
    )
