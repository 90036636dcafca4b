"""Models of sensor rows, from their files to what they say: in this process, in a worker's, and as commands."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_models
from numpy.typing import NDArray
from toy_models import constant, node
from toy_tabular import FLOAT, INT64, ML, ROWS, STRING, gemm, linear, maps, save_rows, tensor, zip_map

from edged.bundle import model
from edged.cli.local import LocalModel
from edged.errors import InferenceFailed, ModelRejected, RuntimeMissing
from edged.lifecycle import Demand, ServedModel
from edged.rows import Scores
from edged.sections import ModelSettings
from edged.worker.client import WorkerProcess
from edged.worker.description import LoadRequest, ModelDescription, RowUse
from edged.worker.loading import load_model
from edged.worker.rowmodel import RowModel

NAMES = ("left", "right", "third")


def asked(path: Path, **changes: Any) -> LoadRequest:
    return LoadRequest(path=str(path), **({"providers": ("cpu",), "serves": "rows"} | changes))


def loaded(path: Path, **changes: Any) -> RowModel:
    found = load_model(asked(path, **changes))
    assert isinstance(found, RowModel)
    return found


def say(text: str, onnx_file: Path) -> Path:
    onnx_file.with_suffix(".toml").write_text(text)
    return onnx_file


def classifier(path: Path) -> Path:
    """Of rows of two: its scores are the softmax of the row, and of minus its sum."""
    nodes = [linear(NAMES), zip_map(NAMES)]
    return save_rows(path, nodes, [tensor("label", STRING, [None]), maps("maps", STRING)])


def neural_classifier(path: Path) -> Path:
    """The same without operators of trees and their like: a single output."""
    matmul, weight = gemm([[1.0, 0, -1], [0, 1, -1]], "z")
    nodes = [matmul, node("Softmax", ["z"], ["probabilities"], axis=1)]
    return save_rows(path, nodes, [tensor("probabilities", FLOAT, [None, 3])], [weight])


def mean_of_window(path: Path, shape: tuple[Any, ...] = (None, 4, 2), axes: tuple[int, ...] = (1, 2)) -> Path:
    nodes = [node("ReduceMean", ["x"], ["mean"], axes=list(axes), keepdims=0)]
    return save_rows(
        path, nodes, [tensor("mean", FLOAT, [shape[0]])], inputs=[tensor("x", FLOAT, list(shape))]
    )


def colours(path: Path) -> Path:
    """Of a text and a number: it knows three texts, and fails on any other."""
    nodes = [
        node("OneHotEncoder", ["colour"], ["hot"], domain=ML, cats_strings=["red", "green", "blue"], zeros=0),
        node("Reshape", ["hot", "shape"], ["flat"]),
        node("Concat", ["flat", "x"], ["joined"], axis=1),
        node("ReduceSum", ["joined", "axis"], ["sum"], keepdims=1),
        node("Add", ["sum", "x"], ["y"]),
    ]
    return save_rows(
        path,
        nodes,
        [tensor("y", FLOAT, [None, 1])],
        [constant("shape", [-1, 3], "int64"), constant("axis", [1], "int64")],
        [tensor("colour", STRING, [None, 1]), tensor("x", FLOAT, [None, 1])],
    )


def windows(rows: NDArray[Any], length: int = 1) -> NDArray[np.float64]:
    return np.asarray(rows, np.float64).reshape(-1, length, np.shape(rows)[-1])


def assert_each_alone_is_the_same(model: RowModel, numbers: NDArray[Any], texts: Any = ()) -> Scores:
    """What a model says about windows at once is what it says about each."""
    together = model.score(numbers, texts)[2]
    assert len(together) == len(numbers)
    for n in range(len(numbers)):
        alone = model.score(numbers[n : n + 1], texts[n : n + 1])[2]
        part = together.part(n, n + 1)
        assert list(alone.names) == list(part.names)
        assert np.array_equal(alone.class_id, part.class_id)
        assert np.array_equal(alone.anomaly, part.anomaly)
        np.testing.assert_allclose(alone.scores, part.scores, atol=1e-6)
        np.testing.assert_allclose(alone.values, part.values, rtol=1e-5)
    return together


def test_a_classifier_names_its_classes_and_scores_many_rows_at_once(tmp_path):
    found = loaded(classifier(tmp_path / "m.onnx"))
    description = found.description
    assert (description.task, description.family, description.labels) == ("tabular", "classifier", NAMES)
    assert (description.rows.features, description.rows.window) == (2, 1)
    assert description.rows.batch > 16
    assert [spec.shape for spec in description.trial] == [(3,), (3,)]
    scores = assert_each_alone_is_the_same(found, windows(ROWS))
    assert [NAMES[n] for n in scores.class_id] == ["left", "right", "third", "third", "left"]
    assert scores.scores.sum(axis=1) == pytest.approx(1)


def test_a_full_batch_is_answered(tmp_path):
    found = loaded(neural_classifier(tmp_path / "m.onnx"))
    rows = np.random.default_rng(0).random((found.description.rows.batch, 1, 2))
    scores = found.score(rows)[2]
    assert len(scores) == len(rows) > 16
    np.testing.assert_allclose(scores.scores[-1], found.score(rows[-1:])[2].scores[0], atol=1e-6)


def test_labels_txt_names_the_classes(tmp_path):
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    assert loaded(neural_classifier(tmp_path / "m.onnx")).description.labels == ("a", "b", "c")


def test_a_model_of_windows_gets_them_row_by_row(tmp_path):
    found = loaded(mean_of_window(tmp_path / "m.onnx"))
    assert (found.description.family, found.description.rows.window) == ("regressor", 4)
    scores = assert_each_alone_is_the_same(found, windows(np.arange(24).reshape(12, 2), 4))
    assert scores.values[:, 0].tolist() == [3.5, 11.5, 19.5]


def test_an_open_window_is_tried_with_that_of_the_sensor(tmp_path):
    use = RowUse("pump", ("a", "b"), 7)
    found = loaded(mean_of_window(tmp_path / "m.onnx", (None, None, 2)), rows=(use,))
    recipe = found.description.rows
    assert (recipe.window, recipe.values) == (0, 1 << 20)
    assert found.score(windows(np.ones((10, 2)), 5))[2].values.tolist() == [[1], [1]]


@pytest.mark.parametrize("shape", [(4, 2), (1, 4, 2)])
def test_without_a_batch_each_window_goes_alone(tmp_path, shape):
    axes = tuple(range(len(shape) - 2, len(shape)))
    nodes = [node("ReduceMean", ["x"], ["mean"], axes=list(axes), keepdims=0)]
    outputs, inputs = [tensor("mean", FLOAT, list(shape[:-2]))], [tensor("x", FLOAT, list(shape))]
    found = loaded(save_rows(tmp_path / "m.onnx", nodes, outputs, inputs=inputs))
    assert found.description.rows.batch == found.description.rows.at_once(4) == 1
    assert found.score(windows(np.arange(8).reshape(4, 2), 4))[2].values.tolist() == [[3.5]]


def test_rows_are_scaled_as_model_toml_says(tmp_path):
    path = mean_of_window(tmp_path / "m.onnx", (None, 2), (1,))
    say('task = "tabular"\n[input]\nscale = 2.0\nmean = [1, 2]\nstd = [1, 4]', path)
    assert loaded(path).score(windows([[3.0, 5.0]]))[2].values.tolist() == [[3.5]]


def test_a_model_that_mixes_the_windows_of_a_batch_gets_each_alone(tmp_path):
    nodes = [node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1), node("Sub", ["x", "mean"], ["apart"]),
             node("Add", ["apart", "x"], ["y"])]  # fmt: skip
    path = save_rows(tmp_path / "m.onnx", nodes, [tensor("y", FLOAT, [None, 2])])
    found = loaded(path)
    assert found.description.rows.batch == 1
    assert any("each is scored alone" in note for note in found.description.notes)


def test_a_model_whose_batch_is_open_in_name_only_gets_each_window_alone(tmp_path):
    nodes = [node("Reshape", ["x", "one"], ["r"]), node("ReduceMean", ["r"], ["mean"], axes=[1], keepdims=0)]
    path = save_rows(
        tmp_path / "m.onnx", nodes, [tensor("mean", FLOAT, [1])], [constant("one", [1, 2], "int64")]
    )
    found = loaded(path)
    assert found.description.rows.batch == 1
    assert found.score(windows([[1.0, 2.0]]))[2].values.tolist() == [[1.5]]


def test_a_model_that_gives_one_answer_to_a_batch_gets_each_window_alone(tmp_path):
    nodes = [node("ReduceMean", ["x"], ["mean"], keepdims=0)]
    found = loaded(save_rows(tmp_path / "m.onnx", nodes, [tensor("mean", FLOAT, [])]))
    assert found.description.rows.batch == 1
    assert found.score(windows([[1.0, 2.0]]))[2].values.tolist() == [[1.5]]


def test_a_model_that_knows_its_texts_is_tried_on_its_golden_rows(tmp_path):
    path = colours(tmp_path / "m.onnx")
    with pytest.raises(
        ModelRejected, match=r"does not run on a row.*name a file of rows that it takes in \[\[golden\]\]"
    ):
        loaded(path)
    (tmp_path / "rows.csv").write_text("colour,x\nblue,2\n")
    say('[[golden]]\ninput = "rows.csv"\nexpect = [{ value = 5 }]', path)
    found = loaded(path)
    recipe = found.description.rows
    assert (recipe.names, recipe.texts) == (("colour", "x"), (0,))
    assert recipe.batch > 16
    texts = ((("red",),), (("blue",),))
    assert assert_each_alone_is_the_same(found, windows([[1.0], [2.0]]), texts).values.tolist() == [[3], [5]]
    with pytest.raises(InferenceFailed):
        found.score(windows([[1.0]]), ((("pink",),),))


def test_a_model_of_positions_in_a_table_is_tried_on_its_first(tmp_path):
    nodes = [node("Gather", ["table", "x"], ["y"], axis=0)]
    path = save_rows(
        tmp_path / "m.onnx", nodes, [tensor("y", FLOAT, [None, 1])], [constant("table", [1.0, 2, 3])],
        [tensor("x", INT64, [None, 1])],
    )  # fmt: skip
    found = loaded(path)
    assert found.score(windows([[2.0], [0]]))[2].values.tolist() == [[3], [1]]
    with pytest.raises(InferenceFailed, match="inference failed"):
        found.score(windows([[7.0]]))
    with pytest.raises(InferenceFailed, match="takes int64 in 'x'"):
        found.score(windows([[np.nan]]))


def test_an_answer_that_is_not_a_number_fails_alone(tmp_path):
    path = save_rows(
        tmp_path / "m.onnx", [node("Log", ["x"], ["y"])], [tensor("y", FLOAT, [None, 1])],
        inputs=[tensor("x", FLOAT, [None, 1])],
    )  # fmt: skip
    found = loaded(path)
    with pytest.raises(InferenceFailed, match="NaN"):
        found.score(windows([[-1.0]]))
    assert found.score(windows([[1.0]]))[2].values.tolist() == [[0]]


def test_a_slow_model_gets_fewer_windows_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("edged.worker.rowmodel.BATCH_MS", 0.0001)
    assert loaded(neural_classifier(tmp_path / "m.onnx")).description.rows.batch == 1


def test_what_chooses_among_found_objects_is_said_not_to_be_used(tmp_path):
    found = loaded(neural_classifier(tmp_path / "m.onnx"), min_score=0.5)
    assert any("min_score and labels are not used" in note for note in found.description.notes)


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        ((RowUse("pump", ("a",)),), r"takes 2 fields, sensors\.pump\.fields names 1"),
        ((RowUse("pump", ("a", "b"), 9),), r"takes windows of 1 row, that of sensors\.pump has 9"),
        ((RowUse("pump", fixed=False),), r"that of sensors\.pump is a time"),
    ],
)
def test_a_sensor_that_gives_something_else_rejects_the_model_by_name(tmp_path, uses, said):
    path = neural_classifier(tmp_path / "m.onnx")
    with pytest.raises(ModelRejected, match=rf"m\.onnx: .*{said}"):
        loaded(path, rows=uses)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('family = "yolox"', "unknown family 'yolox'"),
        ('labels = ["a", "b"]', "3 classes, its labels name 2"),
        ('[input]\nfields = ["a", "b", "c"]', r"takes 2 fields, \[input\] fields names 3"),
        ("[input]\nstd = [1, 2, 3]", r"takes 2 numbers a row, \[input\] std has 3"),
        ('task = "detect"', "is for pictures, not for rows"),
    ],
)
def test_a_model_toml_that_contradicts_the_model_rejects_it_by_name(tmp_path, text, said):
    with pytest.raises(ModelRejected, match=rf"m\.onnx: .*{said}"):
        loaded(say(text, neural_classifier(tmp_path / "m.onnx")))


def test_a_model_of_pictures_is_not_given_rows_nor_one_of_rows_pictures(tmp_path):
    detector = toy_models.light_detector(tmp_path / "detector.onnx")
    with pytest.raises(
        ModelRejected, match=r"is for pictures, not for rows of a sensor.*name it at a camera"
    ):
        loaded(detector)
    with pytest.raises(
        ModelRejected, match=r"is for rows of a sensor, not for pictures.*name it at a sensor"
    ):
        load_model(asked(classifier(tmp_path / "m.onnx"), serves="pictures"))
    assert load_model(asked(detector, serves="any")).description.task == "detect"
    assert load_model(asked(tmp_path / "m.onnx", serves="any")).description.task == "tabular"


def test_windows_of_three_fields_may_be_pictures_until_a_sensor_wants_them(tmp_path):
    path = mean_of_window(tmp_path / "m.onnx", (None, 64, 3))
    assert loaded(path).description.rows.window == 64
    with pytest.raises(ModelRejected):
        load_model(asked(path, serves="any"))
    say('task = "tabular"', path)
    assert load_model(asked(path, serves="any")).description.task == "tabular"


def test_a_file_that_is_another_than_the_accepted_one_is_not_served(tmp_path):
    path = classifier(tmp_path / "m.onnx")
    digest = loaded(path).description.digest
    assert loaded(path, digest=digest).description.digest == digest
    with pytest.raises(ModelRejected, match="is another file"):
        loaded(path, digest="sha256:00")


def test_trees_run_on_the_cpu_provider_by_themselves(tmp_path):
    path = classifier(tmp_path / "m.onnx")
    auto = loaded(path, providers=("auto",)).description
    assert (auto.provider, auto.provider_asked, auto.provider_refused) == ("cpu", ("auto",), ())
    named = loaded(path, providers=("openvino", "cpu")).description
    assert named.provider == "cpu"
    assert named.provider_refused == ("openvino: operators of ai.onnx.ml run on the CPU provider",)
    with pytest.raises((ModelRejected, RuntimeMissing), match="openvino"):
        loaded(path, providers=("openvino",), require_provider=True)


def test_other_models_of_rows_run_where_they_are_to_and_say_the_same(tmp_path):
    found = loaded(neural_classifier(tmp_path / "m.onnx"), providers=("openvino:CPU", "cpu"))
    here = loaded(tmp_path / "m.onnx")
    assert_each_alone_is_the_same(found, windows(ROWS))
    np.testing.assert_allclose(
        found.score(windows(ROWS))[2].scores, here.score(windows(ROWS))[2].scores, atol=1e-3
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., WorkerProcess]]:
    """Starts processes of models of rows, loaded; ends them."""
    started: list[WorkerProcess] = []

    def start(path: Path, **changes: Any) -> WorkerProcess:
        started.append(WorkerProcess("toy", asked(path, **changes)))
        started[-1].load()
        return started[-1]

    yield start
    for process in started:
        process.close()


def test_a_process_says_what_the_model_says(tmp_path, serve):
    path = classifier(tmp_path / "m.onnx")
    process = serve(path, callers=2)
    local = LocalModel(asked(path))
    local.load()
    expected = loaded(path).score(windows(ROWS))[2]
    for scores in (
        process.score(0, windows(ROWS)).scores,
        process.score(1, windows(ROWS)).scores,
        local.score(0, windows(ROWS)).scores,
    ):
        assert scores.class_id.tolist() == expected.class_id.tolist()
        np.testing.assert_array_equal(scores.scores, expected.scores)
    assert process.description.labels == NAMES
    assert process.description == ModelDescription.from_dict(
        json.loads(json.dumps(process.description.to_dict()))
    )


def test_texts_go_to_the_process_and_one_it_does_not_know_fails_alone(tmp_path, serve):
    path = colours(tmp_path / "m.onnx")
    (tmp_path / "rows.csv").write_text("blue,2\n")
    process = serve(say('[[golden]]\ninput = "rows.csv"\nexpect = [{ value = 5 }]', path))
    one = windows([[2.0]])
    assert process.score(0, one, ((("blue",),),)).scores.values.tolist() == [[5]]
    with pytest.raises(InferenceFailed):
        process.score(0, one, ((("pink",),),))
    with pytest.raises(InferenceFailed, match="takes 1 text a row"):
        process.score(0, one)
    assert process.score(0, one, ((("blue",),),)).scores.values.tolist() == [[5]]


def test_integers_go_to_the_process_whole(tmp_path, serve):
    path = save_rows(
        tmp_path / "m.onnx", [node("Identity", ["x"], ["y"])], [tensor("y", INT64, [None, 2])],
        inputs=[tensor("x", INT64, [None, 2])],
    )  # fmt: skip
    process = serve(say('family = "outputs"', path))
    outputs = process.score(0, windows([[2.0**40 + 1, -3]])).scores.outputs
    assert list(outputs) == [{"y": [2**40 + 1, -3]}]


def test_a_model_that_needs_more_memory_than_allowed_is_rejected(tmp_path):
    nodes = [
        node("ConstantOfShape", ["size"], ["many"]),
        node("Exp", ["many"], ["more"]),
        node("ReduceMean", ["more"], ["one"], keepdims=0),
        node("Add", ["x", "one"], ["y"]),
    ]
    path = save_rows(
        tmp_path / "m.onnx",
        nodes,
        [tensor("y", FLOAT, [None, 2])],
        [constant("size", [400_000_000], "int64")],
    )
    process = WorkerProcess("toy", asked(path, max_memory_bytes=600 * 1024**2))
    try:
        with pytest.raises(ModelRejected, match=r"m\.onnx") as rejected:
            process.load()
    finally:
        process.close(0)
    assert "\n" not in str(rejected.value)


@pytest.mark.assets
def test_the_forest_of_wind_turbines_says_what_its_makers_say(assets, serve):
    wanted = json.loads((assets / "expected.json").read_text())["sensors"]["wind_turbine_rf_fault.onnx"]
    with (assets / "sensors" / wanted["input_csv"]).open() as file:
        rows = [[float(row[name]) for name in wanted["feature_order"]] for row in csv.DictReader(file)]
    process = serve(assets / "sensors" / "wind_turbine_rf_fault.onnx", providers=("openvino", "cpu"))
    description = process.description
    assert (description.provider, description.rows.features) == ("cpu", 53)
    assert "ai.onnx.ml" in description.provider_refused[0]
    scores = process.score(0, windows(np.array(rows))).scores
    assert [description.labels[n] for n in scores.class_id] == [row["label"] for row in wanted["rows"]]
    alone = [process.score(0, windows(np.array([row]))).scores.scores[0] for row in rows]
    np.testing.assert_allclose(scores.scores, alone, atol=1e-6)


@pytest.mark.assets
def test_the_forest_of_irises_says_what_its_makers_say(assets):
    wanted = json.loads((assets / "expected.json").read_text())["sensors"]["rf_iris.onnx"]
    rows = np.loadtxt(assets / "sensors" / "iris_data.csv", delimiter=",")
    found = loaded(assets / "sensors" / "rf_iris.onnx", providers=("auto",))
    scores = assert_each_alone_is_the_same(found, windows(rows))
    assert scores.class_id.tolist() == wanted["labels"]
    assert found.description.labels == ("0", "1", "2")


@pytest.mark.assets
def test_the_isolation_forest_says_what_its_makers_say(assets):
    probes = json.loads((assets / "expected.json").read_text())["sensors"][
        "wind_turbine_isolation_forest.onnx"
    ]["probes"]
    found = loaded(assets / "sensors" / "wind_turbine_isolation_forest.onnx", providers=("auto",))
    assert (found.description.family, found.description.provider) == ("anomaly", "cpu")
    assert found.description.rows.batch > 16
    rows = np.stack([np.zeros(81), np.ones(81), np.full(81, 1000.0), np.arange(81.0)])
    scores = assert_each_alone_is_the_same(found, windows(rows))
    wanted = [probes[name] for name in ("zeros", "ones", "all_1000", "0..80")]
    assert scores.anomaly.tolist() == [verdict == -1 for verdict, _ in wanted]
    np.testing.assert_allclose(scores.values[:, 0], [score for _, score in wanted], atol=1e-5)


@pytest.mark.assets
@pytest.mark.parametrize("name", ["nanodet_m_416.onnx", "yunet_n_320.onnx"])
def test_a_real_detector_is_not_given_rows(assets, name):
    with pytest.raises(ModelRejected, match="is for pictures, not for rows"):
        loaded(assets / "models" / name)


def test_the_bundled_model_takes_several_windows_at_once():
    found = loaded(model("bearing-vibration") / "1")
    recipe = found.description.rows
    assert (recipe.window, recipe.names) == (8192, ("x", "y", "z"))
    assert recipe.values <= 1 << 20
    numbers = np.random.default_rng(0).normal(size=(2, 8192, 3))
    assert_each_alone_is_the_same(found, numbers.astype(np.float32))


def edged(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "edged", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def steps(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    return {step["name"]: step["verdict"] for step in json.loads(done.stdout)["steps"]}


def test_the_bundled_model_of_bearings_passes_its_gate():
    done = edged("model", "test", "bearing-vibration")
    assert done.returncode == 0, done.stderr
    assert "tabular, classifier, windows of 8192 rows, 3 fields" in done.stdout
    assert "4 files of rows as expected" in done.stdout


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A classifier of rows with golden ones."""
    folder = tmp_path / "1"
    (folder / "golden").mkdir(parents=True)
    classifier(folder / "model.onnx")
    (folder / "golden" / "rows.csv").write_text("1,0\n0,2\n")
    expect(folder, '{ label = "left" }, { label = "right" }')
    return folder


def expect(folder: Path, what: str, name: str = "golden/rows.csv") -> None:
    (folder / "model.toml").write_text(f'[[golden]]\ninput = "{name}"\nexpect = [{what}]\n')


def test_golden_rows_as_expected_pass_their_step(version):
    done = edged("model", "test", version, "--json")
    assert (done.returncode, set(steps(done).values())) == (0, {"passed"}), done.stderr


@pytest.mark.parametrize(
    ("what", "name", "says"),
    [
        ('{ label = "left" }', "golden/rows.csv", "window 1: is 'right', not 'left'"),
        ("{ anomaly = true }", "golden/rows.csv", "expects an anomaly or none, and the model tells none"),
        ("{ value = 1 }", "golden/rows.csv", "expects a value, and the model gives none"),
        ('{ label = "lift" }', "golden/rows.csv", "expects 'lift', a label that the model does not have"),
        ('{ label = "left" }', "golden/none.csv", "is not there"),
        ('{ label = "left" }', "../rows.csv", "lies outside its folder"),
    ],
)
def test_golden_rows_that_are_otherwise_fail_their_step(version, what, name, says):
    expect(version, what, name)
    done = edged("model", "test", version, "--json")
    assert done.returncode == 65
    assert steps(done)["golden"] == "failed"
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_of_rows_is_described_as_served(version):
    document = json.loads(edged("model", "inspect", version, "--json").stdout)
    assert (document["servable"], document["task"], document["family"]) == (True, "tabular", "classifier")
    assert document["input"]["features"] == 2
    page = edged("model", "inspect", version).stdout
    assert "rows         each row, 2 fields, " in page
    assert "labels       left, right, third\n" in page


def test_looking_at_a_picture_with_a_model_of_rows_is_one_clear_line(version):
    done = edged("detect", "bus.jpg", "-m", version)
    assert done.returncode == 65
    assert "is for rows of a sensor, not for pictures; use `edged score`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.assets
def test_a_real_forest_is_no_detector(assets):
    forest = assets / "sensors" / "rf_iris.onnx"
    done = edged("detect", assets / "images" / "bus.jpg", "-m", forest)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (65, "", 1)
    document = json.loads(edged("model", "inspect", forest, "--json").stdout)
    assert (document["servable"], document["task"], document["family"]) == (True, "tabular", "classifier")


def test_a_sensor_that_names_too_few_fields_does_not_condemn_the_model(tmp_path: Path) -> None:
    version = tmp_path / "m" / "1"
    version.mkdir(parents=True)
    classifier(version / "model.onnx")

    def served(fields: tuple[str, ...]) -> bool:
        model = ServedModel(
            "m",
            ModelSettings(providers=("cpu",)),
            store=tmp_path,
            demand=Demand(1, "rows", (RowUse("pump", fields),)),
            on_change=lambda _: None,
        )
        try:
            return model.wait_ready()
        finally:
            assert model.stop()

    assert not served(("a",))
    assert not (tmp_path / "m" / "1.rejected.json").exists()
    assert served(("a", "b")), "the configuration was corrected"
