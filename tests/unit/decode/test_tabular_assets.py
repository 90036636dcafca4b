"""Real models of rows: public ones, and the one that comes with edged."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from toy_tabular import Toy

from edged.manifest import model_files, read_labels, read_manifest

BUNDLED = Path(__file__).parents[3] / "models" / "bearing-vibration" / "1"


@pytest.fixture(scope="module")
def expected(assets):
    return json.loads((assets / "expected.json").read_text())["sensors"]


@pytest.mark.assets
def test_a_forest_names_the_faults_of_a_wind_turbine(assets, expected):
    wanted = expected["wind_turbine_rf_fault.onnx"]
    with (assets / "sensors" / wanted["input_csv"]).open() as file:
        rows = np.array(
            [[float(row[name]) for name in wanted["feature_order"]] for row in csv.DictReader(file)]
        )
    toy = Toy(assets / "sensors" / "wind_turbine_rf_fault.onnx")
    recognition, scores = toy.recognise(rows=rows[:3]), toy.scores(rows)
    assert (recognition.family, recognition.labels) == ("classifier", ("AF", "EF", "FF", "GF", "MF", "NF"))
    assert recognition.notes == ()
    assert [recognition.labels[n] for n in scores.class_id] == [row["label"] for row in wanted["rows"]]
    probabilities = [[row["probabilities"][name] for name in recognition.labels] for row in wanted["rows"]]
    np.testing.assert_allclose(scores.scores, probabilities, atol=1e-4)


@pytest.mark.assets
def test_a_forest_names_irises(assets, expected):
    wanted = expected["rf_iris.onnx"]
    rows = np.loadtxt(assets / "sensors" / "iris_data.csv", delimiter=",")
    toy = Toy(assets / "sensors" / "rf_iris.onnx")
    names = tuple(wanted["classes"].values())
    recognition, scores = toy.recognise(rows=rows[:3], labels=names), toy.scores(rows, labels=names)
    assert (recognition.family, recognition.labels) == ("classifier", names)
    assert scores.class_id.tolist() == wanted["labels"]
    np.testing.assert_allclose(scores.scores[0], list(wanted["probabilities_row0"].values()), atol=1e-6)
    assert toy.recognise(rows=rows[:3]).labels == ("0", "1", "2")


@pytest.mark.assets
def test_an_isolation_forest_tells_what_is_strange(assets, expected):
    probes = expected["wind_turbine_isolation_forest.onnx"]["probes"]
    rows = np.stack([np.zeros(81), np.ones(81), np.full(81, 1000.0), np.arange(81.0)])
    toy = Toy(assets / "sensors" / "wind_turbine_isolation_forest.onnx")
    scores = toy.scores(rows)
    wanted = [probes[name] for name in ("zeros", "ones", "all_1000", "0..80")]
    assert toy.recognise(rows=rows).family == "anomaly"
    assert scores.anomaly.tolist() == [verdict == -1 for verdict, _ in wanted]
    np.testing.assert_allclose(scores.values[:, 0], [score for _, score in wanted], atol=1e-5)


def test_the_bundled_model_names_its_golden_windows():
    files = model_files(BUNDLED)
    manifest, labels = read_manifest(files.manifest), read_labels(files.labels)
    windows = np.stack(
        [np.loadtxt(BUNDLED / golden.input, delimiter=",", skiprows=1) for golden in manifest.golden]
    )
    toy = Toy(files.onnx)
    recognition, scores = toy.recognise(rows=windows[:3], labels=labels), toy.scores(windows, labels=labels)
    assert (recognition.family, recognition.labels, recognition.notes) == ("classifier", labels, ())
    assert [labels[n] for n in scores.class_id] == [golden.expect[0].label for golden in manifest.golden]
    np.testing.assert_allclose(scores.scores.sum(axis=1), 1, atol=1e-5)
