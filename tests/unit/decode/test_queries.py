"""Class logits and boxes, a row a query: what the columns mean, what is asked, and what is not taken."""

import numpy as np
import pytest
from toy_lists import LAYOUTS
from toy_outputs import Layout, Thing, evidence_of

from edged.decode.detect import recognise
from edged.decode.labels import COCO, COCO_90
from edged.decode.rtdetr import RtDetr
from edged.errors import ModelRejected

THING = Thing((40, 60, 200, 300), 1, 0.875)


def layout(name: str) -> Layout:
    return next(one for one in LAYOUTS if one.name == name)


def test_columns_that_nothing_explains_are_asked_about() -> None:
    one = layout("detr, three labels")
    with pytest.raises(
        ModelRejected, match=r"whether the last is 'no object'; .*3 labels if it is .*4 if not"
    ):
        recognise(one.evidence(labels=()))


def test_as_many_labels_as_columns_may_be_of_two_families() -> None:
    one = layout("deformable detr, three labels")
    with pytest.raises(ModelRejected, match=r'detr or rtdetr .*family = "detr" or family = "rtdetr"'):
        recognise(one.evidence())
    assert recognise(one.evidence(), "D-FINE").input.mean == (0, 0, 0)
    assert recognise(one.evidence(), "deformable-detr").input.mean == (0.485, 0.456, 0.406)


def test_eighty_columns_are_of_rtdetr_with_and_without_cocos_names() -> None:
    one = layout("rtdetr, Hugging Face")
    assert recognise(one.evidence()).family == "rtdetr"
    assert recognise(one.evidence(labels=COCO)).family == "rtdetr"


@pytest.mark.parametrize(("name", "columns"), [("detr", 92), ("deformable detr", 91), ("rfdetr", 91)])
def test_the_published_models_have_cocos_own_numbers(name: str, columns: int) -> None:
    one = layout(name)
    assert columns in {output.shape[-1] for output in one.outputs([])}
    recognition = recognise(one.evidence())
    assert recognition.usual_labels == COCO_90
    found = recognition.decoder(one.outputs([THING]), 0.5)
    assert COCO_90[found.class_id[0]] == "bicycle"
    assert recognise(one.evidence(labels=COCO_90)).class_count == 90
    assert recognise(one.evidence(labels=("N/A", *COCO_90)), one.family).class_count == 91


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelRejected, match="91 classes, its labels name 5"):
        recognise(layout("detr").evidence(labels=tuple("abcde")))
    with pytest.raises(ModelRejected, match="91 classes, its labels name 5"):
        recognise(layout("rfdetr").evidence(labels=tuple("abcde")))


def test_a_column_that_stands_for_nothing_is_asked_about() -> None:
    one = layout("rfdetr, three labels")
    with pytest.raises(
        ModelRejected, match=r'first or the last stands for nothing; .*\["background", \.\.\.\]'
    ):
        recognise(one.evidence(labels=("a", "b")))


@pytest.mark.parametrize("background", [0, 2])
def test_the_column_that_is_named_background_finds_nothing(background: int) -> None:
    one = layout("rfdetr, three labels")
    labels = ["a", "b"]
    labels.insert(background, "background_class83422")
    recognition = recognise(one.evidence(labels=tuple(labels)))
    things = [Thing(THING.box, class_id, 0.9) for class_id in range(3)]
    found = recognition.decoder(one.outputs(things), 0.5)
    assert sorted(labels[class_id] for class_id in found.class_id) == ["a", "b"]


def test_a_model_of_ones_own_without_labels_says_that_a_column_may_mean_nothing() -> None:
    recognition = recognise(layout("rfdetr, three labels").evidence(labels=()))
    assert recognition.class_count == 3
    assert "may stand for nothing" in recognition.notes[0]


def test_one_query_may_answer_with_two_classes_where_columns_are_apart() -> None:
    one = layout("rtdetr, Hugging Face")
    outputs = one.outputs([THING])
    row = outputs[0][0].max(axis=1).argmax()
    outputs[0][0, row, 7] = 1.0
    found = recognise(one.evidence()).decoder(outputs, 0.5)
    assert found.class_id.tolist() == [1, 7]
    np.testing.assert_array_equal(found.xyxy[0], found.xyxy[1])


@pytest.mark.parametrize(("min_score", "count"), [(0.0, 300 * 80), (1.0, 0)])
def test_the_ends_of_the_scores_are_no_special_case(min_score: float, count: int) -> None:
    one = layout("rtdetr, Hugging Face")
    assert len(recognise(one.evidence()).decoder(one.outputs([THING]), min_score)) == count


@pytest.mark.parametrize("name", ["detr", "rfdetr"])
def test_boxes_that_are_no_fractions_are_refused(name: str) -> None:
    one = layout(name)
    trial = one.outputs([])
    for part in one.boxes(trial):
        part[...] *= 400
    with pytest.raises(ModelRejected, match="no fractions of the input"):
        recognise(one.evidence(trial=tuple(trial)))


def test_lists_that_say_the_size_themselves_need_the_input_for_it() -> None:
    one = layout("rtdetr")
    with pytest.raises(ModelRejected):
        recognise(one.evidence(inputs=layout("rtdetr, Hugging Face").declared(416, 416)))


@pytest.mark.parametrize("columns", [4 + 3, 256, 4 + 79])
def test_rows_of_probabilities_alone_are_no_rtdetr(columns: int) -> None:
    trial = np.random.default_rng(0).random((1, 300, columns), np.float32)
    assert RtDetr().recognise(evidence_of(trial)) is None


def test_deimv2_is_told_what_its_file_does_not_say() -> None:
    assert "DEIMv2" in " ".join(recognise(layout("rtdetr").evidence()).notes)
