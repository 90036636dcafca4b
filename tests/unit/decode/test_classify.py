"""Classifiers: what is one, what its numbers mean, and what must be asked."""

import numpy as np
import pytest
from toy_outputs import evidence_of

from edged.decode.detect import recognise
from edged.errors import InferenceFailed, ModelRejected
from edged.fit import Fit

LOGITS = np.float32([[2.0, -1.0, 0.5, 7.0, -3.0, 1.0, 0.0]])
EXPECTED = np.exp(LOGITS[0]) / np.exp(LOGITS[0]).sum()
SEVEN = tuple("abcdefg")


def test_logits_become_the_five_most_probable_classes_of_the_whole_picture() -> None:
    recognition = recognise(evidence_of(LOGITS, labels=SEVEN, height=224, width=192))
    found = recognition.decoder([LOGITS], 0.0)
    assert (recognition.task, recognition.overlapping, recognition.class_count) == ("classify", False, 7)
    assert found.class_id.tolist() == [3, 0, 5, 2, 6]
    np.testing.assert_allclose(found.score, EXPECTED[found.class_id], rtol=1e-5)
    assert found.xyxy.tolist() == [[0, 0, 192, 224]] * 5


def test_probabilities_are_taken_as_they_are() -> None:
    row = EXPECTED[None].astype(np.float32)
    found = recognise(evidence_of(row)).decoder([row], 0.0)
    np.testing.assert_allclose(found.score, np.sort(EXPECTED)[::-1][:5], rtol=1e-5)


SCORES = np.float32([[0.9, 0.1, 0.8, 0.3, 0.0, 1.0, 0.5]])


@pytest.mark.parametrize("ending", ["Sigmoid", "HardSigmoid", "com.microsoft:QLinearSigmoid"])
def test_scores_that_each_class_has_by_itself_stay_as_they_are(ending: str) -> None:
    recognition = recognise(evidence_of(SCORES, labels=SEVEN, endings={"output0": ending}))
    found = recognition.decoder([SCORES], 0.0)
    np.testing.assert_allclose(found.score, [1.0, 0.9, 0.8, 0.5, 0.3])
    assert "do not sum to 1" in recognition.notes[-1]


@pytest.mark.parametrize(
    "ending", ["Gemm", "MatMul", "Conv", "Add", "Relu", "Clip", "Div", "Mul", "Concat", ""]
)
def test_logits_that_happen_to_lie_in_0_to_1_are_logits(ending: str) -> None:
    endings = {"output0": ending} if ending else {}
    recognition = recognise(evidence_of(SCORES, labels=SEVEN, endings=endings))
    assert recognition.decoder([SCORES], 0.0).score.max() < 0.3
    assert not any("do not sum to 1" in note for note in recognition.notes)


def test_what_is_above_1_at_run_time_keeps_its_order() -> None:
    recognition = recognise(evidence_of(SCORES, labels=SEVEN, endings={"output0": "Sigmoid"}))
    row = np.float32([[1.1, 0.2, 3.0, 1.5, 0.1, 0.0, 0.3]])
    assert recognition.decoder([row], 0.0).class_id.tolist()[:3] == [2, 3, 0]


@pytest.mark.parametrize("shape", [(1, 7), (7,), (1, 7, 1, 1), (1, 1, 1, 7)])
def test_the_row_may_stand_in_a_map_of_one_pixel(shape: tuple[int, ...]) -> None:
    outputs = LOGITS.reshape(shape)
    assert recognise(evidence_of(outputs, labels=SEVEN)).decoder([outputs], 0.5).class_id.tolist() == [3]


@pytest.mark.parametrize("count", [10, 512, 128])
def test_a_row_that_nothing_calls_classes_is_asked_about(count: int) -> None:
    row = np.random.default_rng(0).normal(size=(1, count)).astype(np.float32)
    with pytest.raises(ModelRejected, match=r'embedding or a regression; say task = "classify"'):
        recognise(evidence_of(row))
    assert recognise(evidence_of(row, task="classify")).family == "classify"
    assert recognise(evidence_of(row), "classify").class_count == count
    assert recognise(evidence_of(row, metadata={"task": "classify"})).input.mean == (0, 0, 0)


@pytest.mark.parametrize("count", [1000, 1001])
def test_the_number_of_classes_of_imagenet_is_enough_and_the_preparation_is_said(count: int) -> None:
    recognition = recognise(evidence_of(np.random.default_rng(0).normal(size=(1, count)).astype(np.float32)))
    assert recognition.input.fit is Fit.CROP
    assert recognition.input.mean == (0.485, 0.456, 0.406)
    assert "torchvision" in recognition.notes[0]


def test_custom_vision_maps_names_to_probabilities() -> None:
    mapped = np.empty(1, object)
    mapped[0] = {"box": 0.75, "empty": 0.2, "pallet": 0.05}
    best = np.array([["box"]], object)
    recognition = recognise(evidence_of(best, mapped, metadata={"Image.BitmapPixelFormat": "Bgr8"}))
    assert recognition.usual_labels == ("box", "empty", "pallet")
    assert (recognition.input.color, recognition.input.scale) == ("BGR", 1.0)
    found = recognition.decoder([best, mapped], 0.1)
    assert found.class_id.tolist() == [0, 1]
    np.testing.assert_allclose(found.score, [0.75, 0.2])
    labelled = recognise(evidence_of(best, mapped, labels=("pallet", "empty", "box")))
    assert labelled.decoder([best, mapped], 0.5).class_id.tolist() == [2]


def test_labels_that_are_not_the_names_of_the_map_are_refused() -> None:
    mapped = np.empty(1, object)
    mapped[0] = {"box": 0.75, "empty": 0.25}
    with pytest.raises(ModelRejected, match=r"names its classes itself \(box, empty\)"):
        recognise(evidence_of(mapped, labels=("Kiste", "leer")))


def test_numbers_that_are_none_are_an_error() -> None:
    decoder = recognise(evidence_of(LOGITS, labels=SEVEN)).decoder
    with pytest.raises(InferenceFailed, match="NaN or infinity among its scores"):
        decoder([LOGITS * np.nan], 0.0)


def test_a_row_beside_other_numbers_is_no_classifier() -> None:
    scores, boxes = np.zeros((1, 300), np.float32), np.zeros((1, 300, 4), np.float32)
    with pytest.raises(ModelRejected, match="its outputs are"):
        recognise(evidence_of(scores, boxes))


def test_a_task_that_the_model_has_not_is_refused() -> None:
    row = EXPECTED[None].astype(np.float32)
    with pytest.raises(ModelRejected) as error:
        recognise(evidence_of(row, task="detect"))
    assert "is a classifier (output0 [1, 7] holds 7 probabilities" in error.value.problem
    assert error.value.problem.endswith('and model.toml says task = "detect"')
    with pytest.raises(ModelRejected, match="is a classifier"):
        recognise(evidence_of(row, task="detect"), "classify")
