"""Anomaly detectors of rows: verdicts, scores beside a threshold, reconstructions."""

import numpy as np
import pytest
from toy_models import constant, node
from toy_tabular import FLOAT, INT64, ROWS, Toy, gemm, save_rows, tensor

from edged.errors import InferenceFailed, ModelRejected

SUMS = ROWS.sum(axis=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.onnx"


def forest(path, shape=(None, 1), score="scores", factor=1):
    """As scikit-learn's detectors end: 1 or -1, and a score that is negative for what is strange."""
    flat = len(shape) == 1
    first, weights = gemm([[1.0], [1.0]], "column")
    nodes = [
        first,
        node("Squeeze", ["column", "one"], [score]) if flat else node("Identity", ["column"], [score]),
        node("Sign", [score], ["sign"]),
        node("Mul", ["sign", "factor"], ["times"]),
        node("Cast", ["times"], ["label"], to=INT64),
    ]
    constants = [weights, constant("one", [1], "int64"), constant("factor", factor)]
    return Toy(
        save_rows(path, nodes, [tensor("label", INT64, shape), tensor(score, FLOAT, shape)], constants)
    )


@pytest.mark.parametrize("shape", [(None, 1), (None,)], ids=str)
def test_minus_one_is_an_anomaly_and_the_score_is_the_models(path, shape):
    toy = forest(path, shape)
    recognition, scores = toy.recognise(), toy.scores()
    assert (recognition.family, recognition.labels, recognition.notes) == ("anomaly", (), ())
    assert scores.anomaly.tolist() == [False, False, True, True, False]
    assert scores.values.shape == (5, 1)
    assert scores.values.dtype == np.float64
    np.testing.assert_allclose(scores.values[:, 0], SUMS)


def test_a_threshold_beside_a_verdict_is_the_score_below_which_a_row_is_strange(path):
    assert forest(path).scores(threshold=-2).anomaly.tolist() == [False, False, True, False, False]
    assert forest(path).scores(threshold=0.9).anomaly.tolist() == [False, False, True, True, True]


def test_a_trial_of_usual_rows_only_tells_it_by_the_name_of_the_score(path):
    assert forest(path).recognise(rows=ROWS[:2]).family == "anomaly"
    assert forest(path, score="confidence").recognise(rows=ROWS[:2]).family == "classifier"
    assert forest(path, score="confidence").recognise(rows=ROWS[2:]).family == "anomaly"


def test_a_classifier_whose_classes_are_called_1_and_minus_1_is_none(path):
    recognition = forest(path).recognise(class_labels=("-1", "1"))
    assert (recognition.family, recognition.labels) == ("classifier", ("-1", "1"))
    assert forest(path).recognise(class_labels=("-1", "1"), family="anomaly").family == "anomaly"


def test_another_verdict_than_1_and_minus_1_is_no_answer(path):
    recognition = forest(path).recognise()
    outputs = [np.array([[1], [0]]), np.zeros((2, 1), np.float32)]
    with pytest.raises(InferenceFailed, match="gave another verdict than 1 and -1 in 'label'"):
        recognition.decoder(outputs, ROWS[:2, None])


@pytest.mark.parametrize("said", [None, "anomaly"])
@pytest.mark.parametrize("shape", [(None, 1), (None,)], ids=str)
def test_a_score_alone_is_strange_above_the_threshold(path, said, shape):
    first, weights = gemm([[1.0], [1.0]], "column")
    last = node("Reshape", ["column", "shape"], ["distance"])
    constants = [weights, constant("shape", [-1, 1][: len(shape)], "int64")]
    toy = Toy(save_rows(path, [first, last], [tensor("distance", FLOAT, shape)], constants))
    recognition, scores = toy.recognise(threshold=0.8, family=said), toy.scores(threshold=0.8, family=said)
    assert recognition.family == "anomaly"
    assert "above 0.8" in recognition.why
    assert scores.anomaly.tolist() == [True, True, False, False, False]
    np.testing.assert_allclose(scores.values[:, 0], SUMS)


def test_a_score_without_a_threshold_asks_for_one(path):
    first, weights = gemm([[1.0], [1.0]], "distance")
    toy = Toy(save_rows(path, [first], [tensor("distance", FLOAT, [None, 1])], [weights]))
    assert toy.recognise().family == "regressor"
    with pytest.raises(ModelRejected, match=r"a score and no verdict; .* \[output\] threshold = …"):
        toy.recognise(family="anomaly")


def test_what_has_no_score_is_no_anomaly_detector(path):
    first, weights = gemm(np.ones((2, 3)), "y")
    toy = Toy(save_rows(path, [first], [tensor("y", FLOAT, [None, 3])], [weights]))
    with pytest.raises(ModelRejected, match=r"is no anomaly detector: it gives y numbers \[N, 3\]"):
        toy.recognise(family="anomaly", threshold=1.0)


def autoencoder(path, shape=(None, 2), order=(0, 1), add=1.0):
    """Gives back what went in and something more."""
    nodes = [node("Add", ["x", "more"], ["sum"]), node("Transpose", ["sum"], ["y"], perm=order)]
    given = [tensor("x", FLOAT, shape)]
    given_back = [shape[n] for n in order]
    return Toy(save_rows(path, nodes, [tensor("y", FLOAT, given_back)], [constant("more", add)], given))


@pytest.mark.parametrize(("error", "wanted"), [(None, 5.0), ("mse", 5.0), ("mae", 2.0)])
def test_the_error_of_a_reconstruction_is_a_mean_over_the_window(path, error, wanted):
    toy = autoencoder(path, add=[1.0, 3.0])
    for threshold, strange in ((wanted - 0.1, True), (wanted + 0.1, False)):
        scores = toy.scores(threshold=threshold, error=error)
        np.testing.assert_allclose(scores.values, np.full((5, 1), wanted), rtol=1e-6)
        assert scores.anomaly.tolist() == [strange] * 5
    assert toy.recognise(threshold=1.0).family == "autoencoder"


@pytest.mark.parametrize(
    ("shape", "order"),
    [((None, 4, 3), (0, 1, 2)), ((None, 4, 3), (0, 2, 1))],
    ids=["rows first", "fields first"],
)
def test_windows_are_compared_value_by_value_in_either_order(path, shape, order):
    windows = np.random.default_rng(3).normal(size=(5, 4, 3))
    toy = autoencoder(path, shape, order)
    scores = toy.scores(windows, threshold=2.0)
    assert toy.recognise(rows=windows, threshold=2.0).family == "autoencoder"
    np.testing.assert_allclose(scores.values, np.ones((5, 1)), rtol=1e-5)


def test_a_reconstruction_without_a_threshold_is_passed_on_with_a_hint(path):
    recognition = autoencoder(path).recognise()
    assert recognition.family == "outputs"
    assert "if it is an autoencoder, say [output] threshold in model.toml" in recognition.notes[0]
    with pytest.raises(ModelRejected, match=r"gives back what went in.*\[output\] threshold = …"):
        autoencoder(path).recognise(family="autoencoder")


def test_another_size_is_no_reconstruction(path):
    first, weights = gemm(np.ones((2, 3)), "y")
    toy = Toy(save_rows(path, [first], [tensor("y", FLOAT, [None, 3])], [weights]))
    with pytest.raises(
        ModelRejected, match=r"is no autoencoder: it takes \[1, 2\] and gives y numbers \[N, 3\]"
    ):
        toy.recognise(family="autoencoder", threshold=1.0)
    recognition = toy.recognise(threshold=1.0)
    assert recognition.family == "regressor"
    assert recognition.notes == ("[output] threshold is not used: it is for anomalies",)


def test_what_is_compressed_on_the_way_is_left_out(path):
    first, weights = gemm(np.ones((2, 1)), "code")
    nodes = [first, node("Add", ["x", "code"], ["y"])]
    outputs = [tensor("y", FLOAT, [None, 2]), tensor("code", FLOAT, [None, 1])]
    recognition = Toy(save_rows(path, nodes, outputs, [weights])).recognise(threshold=1.0)
    assert recognition.family == "autoencoder"
    assert recognition.notes == ("also gives code, which is left out",)


def test_one_number_in_and_one_out_is_a_score_unless_an_error_is_asked_for(path):
    toy = autoencoder(path, (None, 1))
    rows = ROWS[:, :1]
    assert toy.recognise(rows=rows, threshold=1.0).family == "anomaly"
    assert toy.recognise(rows=rows, threshold=1.0, error="mae").family == "autoencoder"


def test_a_reconstruction_that_is_not_finite_is_no_answer(path):
    recognition = autoencoder(path).recognise(threshold=1.0)
    rows = np.array([[np.inf, 0.0]])
    with pytest.raises(InferenceFailed, match="gave NaN or infinity in 'y'"):
        recognition.decoder([rows.astype(np.float32)], rows[:, None])
