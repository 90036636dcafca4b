"""Classifiers of rows, in the layouts in which exporters write them."""

import numpy as np
import pytest
from onnx import numpy_helper
from toy_models import constant, node
from toy_tabular import FLOAT, INT64, ML, ROWS, STRING, Toy, gemm, linear, maps, save_rows, tensor, zip_map

from edged.errors import InferenceFailed, ModelRejected

NAMES = ["low", "mid", "top"]
CHOSEN = [0, 1, 2, 2, 0]
"""By `linear` of `ROWS`."""
THREE = [[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.onnx"


def softmaxed(weights=THREE):
    raised = np.exp(ROWS @ np.array(weights))
    return raised / raised.sum(axis=1, keepdims=True)


def with_tensor(path, classes, label_shape=(None,), **more):
    kind = STRING if isinstance(classes[0], str) else INT64
    outputs = [tensor("label", kind, label_shape), tensor("scores", FLOAT, [None, len(classes)])]
    return Toy(save_rows(path, [linear(classes, **more)], outputs))


def with_maps(path, classes):
    text = isinstance(classes[0], str)
    outputs = [tensor("label", STRING if text else INT64, [None]), maps("maps", STRING if text else INT64)]
    return Toy(save_rows(path, [linear(classes), zip_map(classes)], outputs))


def with_columns(path, classes):
    text = isinstance(classes[0], str)
    names = [f"{'s' if text else 'i'}{one}" for one in classes]
    outputs = [tensor("label", STRING if text else INT64, [None]), *(tensor(n, FLOAT, [None]) for n in names)]
    parts = [f"part{n}" for n in range(len(names))]
    nodes = [
        linear(classes),
        node("Split", ["scores", "ones"], parts, axis=1),
        *(node("Squeeze", [part, "one"], [name]) for part, name in zip(parts, names, strict=True)),
    ]
    constants = [constant("ones", [1] * len(names), "int64"), constant("one", [1], "int64")]
    return Toy(save_rows(path, nodes, outputs, constants))


@pytest.mark.parametrize("build", [with_tensor, with_maps, with_columns])
@pytest.mark.parametrize("classes", [NAMES, [0, 1, 2], [-1, 1, 5]], ids=str)
def test_label_and_scores_are_read_in_every_layout(path, build, classes):
    toy = build(path, classes)
    recognition, scores = toy.recognise(), toy.scores()
    assert recognition.family == "classifier"
    assert recognition.labels == tuple(map(str, classes))
    assert recognition.notes == ()
    assert scores.class_id.tolist() == CHOSEN
    assert scores.class_id.dtype == np.int32
    assert scores.scores.dtype == np.float32
    np.testing.assert_allclose(scores.scores, softmaxed(), atol=1e-6)
    assert len(scores.names) == 0


@pytest.mark.parametrize("label_shape", [(None, 1), (1,), (None,)], ids=str)
def test_a_label_is_read_whatever_shape_it_declares(path, label_shape):
    label = "flat" if label_shape == (None, 1) else "label"
    nodes = [linear([0, 1, 2], label=label)]
    if label == "flat":
        nodes.append(node("Unsqueeze", ["flat", "one"], ["label"]))
    outputs = [tensor("label", INT64, label_shape), tensor("scores", FLOAT, [None, 3])]
    toy = Toy(save_rows(path, nodes, outputs, [constant("one", [1], "int64")]))
    assert toy.scores().class_id.tolist() == CHOSEN


def test_of_one_window_the_answer_is_that_of_many(path):
    toy = with_maps(path, NAMES)
    for number, row in enumerate(ROWS):
        scores = toy.scores(row[None])
        assert scores.class_id.tolist() == [CHOSEN[number]]
        np.testing.assert_allclose(scores.scores, softmaxed()[number : number + 1], atol=1e-6)


def test_names_of_a_person_take_the_places_of_the_models(path):
    recognition = with_tensor(path, [0, 1, 2]).recognise(labels=("idle", "runs", "stuck"))
    assert (recognition.labels, recognition.notes) == (("idle", "runs", "stuck"), ())
    recognition = with_tensor(path, NAMES).recognise(labels=("idle", "runs", "stuck"))
    assert recognition.labels == ("idle", "runs", "stuck")
    assert recognition.notes == ("its class 'low' is called 'idle', and so on",)


def test_the_models_names_in_another_order_stay_where_they_are(path):
    toy = with_tensor(path, NAMES)
    assert toy.recognise(labels=("top", "mid", "low")).labels == tuple(NAMES)
    assert toy.scores(labels=("top", "mid", "low")).class_id.tolist() == CHOSEN


def test_more_or_fewer_names_than_classes_are_refused(path):
    with pytest.raises(ModelRejected, match="has 3 classes, its labels name 2; correct labels"):
        with_maps(path, NAMES).recognise(labels=("a", "b"))


def test_the_label_may_be_another_than_that_of_the_greatest_score(path):
    score, weights = gemm(THREE, "scores")
    nodes = [score, node("ArgMin", ["scores"], ["label"], axis=1, keepdims=0)]
    outputs = [tensor("label", INT64, [None]), tensor("scores", FLOAT, [None, 3])]
    toy = Toy(save_rows(path, nodes, outputs, [weights]))
    recognition, scores = toy.recognise(), toy.scores()
    assert scores.class_id.tolist() == (ROWS @ np.array(THREE)).argmin(axis=1).tolist()
    np.testing.assert_allclose(scores.scores, ROWS @ np.array(THREE), atol=1e-6)
    assert recognition.labels == ("0", "1", "2")
    assert "nothing names its classes" in recognition.notes[0]
    assert "no probabilities" in recognition.notes[1]


@pytest.mark.parametrize(
    ("classes", "labels"), [(["no", "yes"], ("no", "yes")), ([-1, 1], ("-1", "1"))], ids=["texts", "-1 and 1"]
)
def test_a_margin_of_two_classes_is_that_of_the_second(path, classes, labels):
    """As RidgeClassifier and LinearSVC are exported; -1 and 1 with a score looks like an anomaly detector."""
    margin, weights = gemm([[1.0], [1.0]], "scores")
    table = numpy_helper.from_array(
        np.array(classes, object if isinstance(classes[0], str) else "int32"), "classes"
    )
    kind = STRING if isinstance(classes[0], str) else INT64
    nodes = [
        margin,
        node("Greater", ["scores", "zero"], ["above"]),
        node("Cast", ["above"], ["index"], to=INT64),
        node("ArrayFeatureExtractor", ["classes", "index"], ["found"], domain=ML),
        node("Reshape", ["found", "all"], ["flat"]),
        node("Identity", ["flat"], ["label"])
        if kind == STRING
        else node("Cast", ["flat"], ["label"], to=INT64),
    ]
    outputs = [tensor("label", kind, [None]), tensor("scores", FLOAT, [None, 2])]
    constants = [weights, table, constant("zero", 0.0), constant("all", [-1], "int64")]
    toy = Toy(save_rows(path, nodes, outputs, constants))
    recognition, scores = toy.recognise(), toy.scores()
    assert (recognition.family, recognition.labels) == ("classifier", labels)
    assert scores.class_id.tolist() == [1, 1, 0, 0, 1]
    np.testing.assert_allclose(scores.scores[:, 1], ROWS.sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(scores.scores[:, 0], -ROWS.sum(axis=1), atol=1e-6)
    assert "no probabilities" in recognition.notes[0]


def test_a_label_alone_is_enough(path):
    toy = Toy(save_rows(path, [linear(NAMES)], [tensor("label", STRING, [None])]))
    scores = toy.scores()
    assert scores.class_id.tolist() == CHOSEN
    assert scores.scores.shape == (5, 0)


def test_texts_that_nothing_names_beforehand_are_told_window_by_window(path):
    toy = with_tensor(path, NAMES)
    recognition, scores = toy.recognise(class_labels=()), toy.scores(class_labels=())
    assert recognition.labels == ()
    assert recognition.notes == ("its classes are not known beforehand: their scores are left out",)
    assert scores.names == [NAMES[n] for n in CHOSEN]
    assert scores.class_id.tolist() == [-1] * 5
    assert scores.scores.shape == (5, 0)


def test_numbers_that_nothing_names_beforehand_are_their_own_names(path):
    nodes = [linear([3, -4, 9])]
    toy = Toy(save_rows(path, nodes, [tensor("label", INT64, [None])]))
    scores = toy.scores(class_labels=())
    assert scores.names == ["3", "-4", "9", "9", "3"]
    assert scores.class_id.tolist() == [3, -1, 9, 9, 3]


def test_numbers_without_a_name_of_their_own_count_the_names_of_a_person(path):
    toy = Toy(save_rows(path, [linear([0, 1, 2])], [tensor("label", INT64, [None])]))
    recognition = toy.recognise(class_labels=(), labels=("a", "b", "c"))
    assert recognition.labels == ("a", "b", "c")
    assert toy.scores(class_labels=(), labels=("a", "b", "c")).class_id.tolist() == CHOSEN
    with pytest.raises(ModelRejected, match="answers 2, which is none of its 2 labels"):
        toy.recognise(class_labels=(), labels=("a", "b"))


def test_names_of_an_inner_classifier_are_not_taken_for_the_models(path):
    """scikit-learn's stacking holds classifiers of 0 and 1 whatever its own classes are called."""
    toy = with_tensor(path, [-1, 1, 5])
    assert toy.recognise(class_labels=("0", "1")).labels == ()
    assert toy.scores(class_labels=("0", "1", "2")).names == ["-1", "1", "5", "5", "-1"]


def test_a_class_that_the_trial_did_not_show_keeps_its_own_name(path):
    score, weights = gemm(THREE, "scores")
    nodes = [
        score,
        node("ArgMax", ["scores"], ["index"], axis=1, keepdims=0),
        node("Mul", ["index", "three"], ["label"]),
    ]
    outputs = [tensor("label", INT64, [None]), tensor("scores", FLOAT, [None, 3])]
    toy = Toy(save_rows(path, nodes, outputs, [weights, constant("three", 3, "int64")]))
    recognition = toy.recognise(rows=ROWS[[0, 4]])
    scores = recognition.decoder(toy.run(ROWS), ROWS[:, None])
    assert scores.class_id.tolist() == [0, -1, -1, -1, 0]
    assert scores.names == ["0", "3", "6", "6", "0"]


def one_row(path, weights, *more):
    """PyTorch's: numbers and nothing else."""
    count = np.array(weights).shape[1]
    first, constants = gemm(weights, "logits" if more else "y")
    nodes = [first, *more]
    return Toy(save_rows(path, nodes, [tensor("y", FLOAT, [None, count])], [constants]))


def test_probabilities_alone_are_a_classifiers(path):
    toy = one_row(path, THREE, node("Softmax", ["logits"], ["y"], axis=1))
    recognition, scores = toy.recognise(), toy.scores()
    assert (recognition.family, recognition.labels) == ("classifier", ("0", "1", "2"))
    assert scores.class_id.tolist() == CHOSEN
    np.testing.assert_allclose(scores.scores, softmaxed(), atol=1e-6)


def test_logits_are_a_classifiers_where_there_are_as_many_names(path):
    toy = one_row(path, THREE)
    assert toy.recognise().family == "regressor"
    recognition, scores = toy.recognise(labels=tuple(NAMES)), toy.scores(labels=tuple(NAMES))
    assert (recognition.family, recognition.labels) == ("classifier", tuple(NAMES))
    assert "through softmax" in recognition.notes[0]
    np.testing.assert_allclose(scores.scores, softmaxed(), atol=1e-6)
    with pytest.raises(ModelRejected, match="gives 3 numbers a window, its labels name 2"):
        toy.recognise(labels=("a", "b"))
    assert toy.recognise(labels=("a", "b"), family="regressor").family == "regressor"


def test_numbers_are_a_classifiers_where_model_toml_says_so(path):
    assert one_row(path, THREE).recognise(family="classifier").labels == ("0", "1", "2")
    with pytest.raises(ModelRejected, match="has 3 classes, its labels name 2"):
        one_row(path, THREE).recognise(family="classifier", labels=("a", "b"))


def test_a_sigmoid_of_two_names_is_the_chance_of_the_second(path):
    toy = one_row(path, [[1.0], [1.0]], node("Sigmoid", ["logits"], ["y"]))
    scores = toy.scores(labels=("no", "yes"))
    chance = 1 / (1 + np.exp(-ROWS.sum(axis=1)))
    np.testing.assert_allclose(scores.scores, np.stack([1 - chance, chance], axis=1), atol=1e-6)
    assert scores.class_id.tolist() == [1, 1, 0, 0, 1]


def test_a_number_of_two_names_is_the_logit_of_the_second(path):
    toy = one_row(path, [[1.0], [1.0]])
    recognition, scores = toy.recognise(labels=("no", "yes")), toy.scores(labels=("no", "yes"))
    chance = 1 / (1 + np.exp(-ROWS.sum(axis=1)))
    np.testing.assert_allclose(scores.scores[:, 1], chance, atol=1e-6)
    assert recognition.notes == ("its number is taken as the logit of the second class",)


def test_independent_chances_are_left_as_they_are(path):
    toy = one_row(path, THREE, node("Sigmoid", ["logits"], ["y"]))
    recognition, scores = toy.recognise(labels=tuple(NAMES)), toy.scores(labels=tuple(NAMES))
    np.testing.assert_allclose(scores.scores, 1 / (1 + np.exp(-ROWS @ np.array(THREE))), atol=1e-6)
    assert "a probability of its own" in recognition.notes[0]


def test_several_labels_at_once_are_passed_on(path):
    score, weights = gemm(THREE, "scores")
    nodes = [
        score,
        node("Greater", ["scores", "zero"], ["above"]),
        node("Cast", ["above"], ["label"], to=INT64),
    ]
    outputs = [tensor("label", INT64, [None, 3]), tensor("scores", FLOAT, [None, 3])]
    toy = Toy(save_rows(path, nodes, outputs, [weights, constant("zero", 0.0)]))
    assert toy.recognise().family == "outputs"
    assert toy.scores().outputs[2]["label"] == [0, 0, 1]
    with pytest.raises(ModelRejected, match="is no classifier: it gives label integers"):
        toy.recognise(family="classifier")


def test_a_constant_list_of_names_beside_them_is_left_alone(path):
    """skl2onnx's ``output_class_labels``; with as many classes as windows it could be taken for the label."""
    table = numpy_helper.from_array(np.array(NAMES, object), "table")
    outputs = [
        tensor("label", STRING, [None]),
        tensor("scores", FLOAT, [None, 3]),
        tensor("class_labels", STRING, [3]),
    ]
    toy = Toy(
        save_rows(path, [linear(NAMES), node("Identity", ["table"], ["class_labels"])], outputs, [table])
    )
    for windows in (2, 3, 5):
        recognition = toy.recognise(rows=ROWS[:windows])
        assert recognition.decoder(toy.run(ROWS), ROWS[:, None]).class_id.tolist() == CHOSEN


def test_too_many_classes_for_a_message_are_refused(path):
    toy = one_row(path, np.ones((2, 5000)), node("Softmax", ["logits"], ["y"], axis=1))
    with pytest.raises(ModelRejected, match="gives 5,000 values a window in 'y': too many for a message"):
        toy.recognise()


@pytest.mark.parametrize("build", [with_tensor, with_maps, with_columns])
def test_scores_that_are_not_finite_are_no_answer(path, build):
    toy = build(path, NAMES)
    recognition, rows = toy.recognise(), np.array([[1.0, 0.0], [np.nan, 0.0]])
    with pytest.raises(InferenceFailed, match=r"gave NaN or infinity in '(scores|maps|slow)'"):
        recognition.decoder(toy.run(rows), rows[:, None])


def test_a_map_that_lacks_a_class_is_no_answer(path):
    toy = with_maps(path, NAMES)
    recognition, outputs = toy.recognise(), toy.run(ROWS)
    del outputs[1][3]["mid"]
    with pytest.raises(InferenceFailed, match="gave a map without 'mid' in 'maps'"):
        recognition.decoder(outputs, ROWS[:, None])


def test_no_windows_give_no_scores(path):
    recognition = with_tensor(path, NAMES).recognise()
    empty = [np.zeros(0, object), np.zeros((0, 3), np.float32)]
    assert len(recognition.decoder(empty, np.zeros((0, 1, 2)))) == 0
