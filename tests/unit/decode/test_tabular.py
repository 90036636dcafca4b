"""What is read of models of rows that are neither classifiers nor anomaly detectors, and what all have in common."""

import json
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto
from toy_models import constant, node
from toy_tabular import FLOAT, INT64, ROWS, STRING, Toy, gemm, linear, maps, save_rows, tensor, zip_map

from edged.decode.tabular import recognise_rows
from edged.errors import InferenceFailed, ModelRejected


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.onnx"


def numbers(path, weights, shape=(None, 1), *more):
    first, constants = gemm(weights, "before" if more else "variable")
    return Toy(save_rows(path, [first, *more], [tensor("variable", FLOAT, shape)], [constants]))


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_are_values(path, count):
    weights = np.arange(2 * count).reshape(2, count)
    toy = numbers(path, weights)
    recognition, scores = toy.recognise(), toy.scores()
    assert (recognition.family, recognition.labels, recognition.notes) == ("regressor", (), ())
    assert scores.kind == "value"
    assert scores.values.dtype == np.float64
    np.testing.assert_allclose(scores.values, ROWS @ weights, rtol=1e-6)


def test_a_value_without_a_column_of_its_own_is_one_too(path):
    first, weights = gemm([[1.0], [2.0]], "column")
    nodes = [first, node("Reshape", ["column", "flat"], ["variable"])]
    constants = [weights, constant("flat", [-1], "int64")]
    toy = Toy(save_rows(path, nodes, [tensor("variable", FLOAT, [None])], constants))
    assert toy.recognise().family == "regressor"
    assert toy.scores().values.tolist() == [[1.0], [4.0], [-3.0], [-2.0], [1.0]]


def test_rows_end_to_end_in_one_column_are_told_apart(path):
    """As skl2onnx 1.20 exports an MLPRegressor of two values."""
    first, weights = gemm([[1.0, 0.0], [0.0, 1.0]], "before")
    nodes = [first, node("Reshape", ["before", "column"], ["variable"])]
    toy = Toy(
        save_rows(
            path,
            nodes,
            [tensor("variable", FLOAT, [None, 1])],
            [weights, constant("column", [-1, 1], "int64")],
        )
    )
    for windows in (1, 2, 5):
        np.testing.assert_allclose(toy.scores(ROWS[:windows], family="regressor").values, ROWS[:windows])


def test_one_window_may_come_without_a_batch(path):
    nodes = [node("ReduceSum", ["x", "axes"], ["variable"], keepdims=0)]
    given = [tensor("x", FLOAT, [1, 2])]
    toy = Toy(
        save_rows(path, nodes, [tensor("variable", FLOAT, [2])], [constant("axes", [0], "int64")], given)
    )
    assert toy.evidence(ROWS[:1]).trial[0].shape == (2,)
    assert toy.scores(ROWS[1:2], family="regressor").values.tolist() == [[0.0, 2.0]]


def test_labels_beside_values_are_a_contradiction(path):
    toy = numbers(path, np.ones((2, 3)))
    with pytest.raises(
        ModelRejected, match=r'gives 3 numbers a window, its labels name 2; .* family = "regressor"'
    ):
        toy.recognise(labels=("a", "b"))
    assert "labels are not used" in toy.recognise(labels=("a", "b"), family="regressor").notes[0]


def test_outputs_of_numbers_are_one_behind_the_other_where_they_are_said_to_be_values(path):
    (one, w1), (two, w2) = gemm([[1.0], [0.0]], "mean"), gemm([[0.0], [1.0]], "deviation")
    outputs = [tensor("mean", FLOAT, [None, 1]), tensor("deviation", FLOAT, [None, 1])]
    toy = Toy(save_rows(path, [one, two], outputs, [w1, w2]))
    assert toy.recognise().family == "outputs"
    assert toy.scores().outputs[1] == {"mean": [0.0], "deviation": [2.0]}
    np.testing.assert_allclose(toy.scores(family="regressor").values, ROWS)


def test_whatever_else_comes_out_is_passed_on_as_json_has_it(path):
    nodes = [
        linear(["a", "b"], label="word"),
        zip_map(["a", "b"]),
        node("Unsqueeze", ["x", "one"], ["cube"]),
        node("Cast", ["x"], ["flags"], to=TensorProto.BOOL),
    ]
    outputs = [
        tensor("word", STRING, [None]),
        maps("maps", STRING),
        tensor("cube", FLOAT, [None, 1, 2]),
        tensor("flags", TensorProto.BOOL, [None, 2]),
    ]
    toy = Toy(save_rows(path, nodes, outputs, [constant("one", [1], "int64")]))
    scores = toy.scores(family="outputs")
    assert len(scores) == 5
    first = scores.outputs[0]
    assert (first["word"], first["cube"], first["flags"]) == ("a", [[1.0, 0.0]], [True, False])
    assert first["maps"] == pytest.approx({"a": 0.731, "b": 0.269}, abs=1e-3)
    assert json.loads(json.dumps(scores.outputs)) == scores.outputs


def test_tensors_in_a_sequence_are_told_apart_by_windows(path):
    """As skl2onnx exports a MultiOutputClassifier."""
    parts = np.empty(2, object)
    parts[0], parts[1] = np.arange(6, dtype=np.float32).reshape(3, 2), np.zeros((3, 1), np.float32)
    evidence = numbers(path, [[1.0], [1.0]]).evidence()
    recognition = recognise_rows(replace(evidence, trial=(parts,)))
    assert recognition.family == "outputs"
    assert recognition.decoder([parts], evidence.fed).outputs[1] == {"variable": [[2.0, 3.0], [0.0]]}
    with pytest.raises(InferenceFailed, match=r"gave \[3, 2\] in 'variable' for 2 windows"):
        recognition.decoder([parts], evidence.fed[:2])


def test_windows_are_told_apart_on_the_axis_that_is_left_open(path):
    """As skl2onnx exports a forest of several labels: [3, N, 2], tried with three windows."""
    nodes = [node("Unsqueeze", ["x", "zero"], ["one"]), node("Tile", ["one", "times"], ["y"])]
    constants = [constant("zero", [0], "int64"), constant("times", [3, 1, 1], "int64")]
    toy = Toy(save_rows(path, nodes, [tensor("y", FLOAT, [3, None, 2])], constants))
    scores = toy.scores()
    assert len(scores) == 5
    assert scores.outputs[1] == {"y": [[0.0, 2.0]] * 3}


def test_too_much_for_a_message_is_refused(path):
    for shape, family in (((None, 5000), None), ((None, 5000), "outputs")):
        toy = numbers(path, np.ones((2, 5000)), shape)
        with pytest.raises(ModelRejected, match="gives 5,000 values a window in 'variable': too many"):
            toy.recognise(family=family)


def test_a_trial_that_is_not_finite_is_refused(path):
    toy = numbers(path, [[1.0], [1.0]])
    with pytest.raises(ModelRejected, match="gave NaN or infinity in 'variable' on a trial run"):
        toy.recognise(rows=np.array([[1.0, 0.0], [np.nan, 0.0]]))


def test_entries_that_do_not_count_the_windows_are_refused(path):
    toy = numbers(path, [[1.0], [1.0]], (1, 1), node("ReduceSum", ["before"], ["variable"], keepdims=1))
    recognition = numbers(path, [[1.0], [1.0]]).recognise()
    with pytest.raises(InferenceFailed, match="gave 1 entries in 'variable' for 3 windows"):
        recognition.decoder([np.ones((1, 1), np.float32)], ROWS[:3, None])
    with pytest.raises(ModelRejected, match="gives nothing for each window"):
        toy.recognise()


def test_values_that_are_not_finite_are_no_answer(path):
    recognition = numbers(path, [[1.0], [1.0]]).recognise()
    with pytest.raises(InferenceFailed, match="gave NaN or infinity in 'variable'"):
        recognition.decoder([np.array([[1.0], [np.inf]], np.float32)], ROWS[:2, None])


@pytest.mark.parametrize(
    ("family", "said"),
    [("clasifier", "did you mean 'classifier'"), ("yolox", "there are classifier, regressor, anomaly")],
)
def test_a_family_that_does_not_exist_names_those_that_do(path, family, said):
    with pytest.raises(ModelRejected, match=f"unknown family '{family}' in model.toml; .*{said}"):
        numbers(path, [[1.0], [1.0]]).recognise(family=family)


def test_what_gives_no_numbers_is_no_regressor(path):
    toy = Toy(save_rows(path, [linear([0, 1])], [tensor("label", INT64, [None])]))
    with pytest.raises(ModelRejected, match=r"is no regressor: it gives label integers \[N\]"):
        toy.recognise(family="regressor")
