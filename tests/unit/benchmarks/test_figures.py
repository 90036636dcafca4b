import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CPU = {"provider": "cpu"}


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.performance import figures

    return figures


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("docs_figures", ROOT / "docs" / "figures.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(1.1, False, True), (1.2, False, False), (1.2, True, True), (1.0, True, False), (None, True, None)],
)
def test_a_target_is_a_floor_or_a_ceiling(figures, value, at_least, met):
    assert figures.Figure(1, "x", value, target=1.1, at_least=at_least).met is met


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians(figures):
    assert figures.ratio([1.0, 20.0, 300.0], [1.0, 10.0, 100.0]) == (2.0, (1.0, 2.0, 3.0))


def test_showings_that_did_not_run_stay_as_they_are(figures, tmp_path):
    path = tmp_path / "performance.json"
    figures.keep([figures.Figure(3, "old", 1.0), figures.Figure(7, "old", 1.0)], CPU, busy_cores=0, path=path)
    figures.keep([figures.Figure(7, "new", 2.0, target=3.0)], CPU, busy_cores=0.5, path=path)
    figures.keep([figures.Figure(7, "other", 2.0)], {"provider": "openvino"}, busy_cores=0.5, path=path)
    kept = json.loads(path.read_text())["showings"]
    assert [kept[number]["cpu"]["figures"][0]["name"] for number in ("3", "7")] == ["old", "new"]
    assert kept["7"]["openvino"]["figures"][0]["name"] == "other"
    assert kept["7"]["cpu"]["figures"][0]["met"] is True
    assert kept["7"]["cpu"]["machine"]["cores"] >= 1


def test_the_table_says_what_was_met_what_was_not_and_what_was_not_measured(figures, tables, tmp_path):
    path = tmp_path / "performance.json"
    some = [
        figures.Figure(10 - 9, "a | b", 1.234, target=1.1, note="cpu"),
        figures.Figure(1, "c", 2.0, target=1.5, at_least=True),
        figures.Figure(1, "d", None, target=1.5, note="no model"),
    ]
    figures.keep(some, {"model": "m.onnx", "provider": "cpu", "rounds": 5}, busy_cores=0, path=path)
    text = tables.figures_of(json.loads(path.read_text()))
    assert "### 1. One camera, every frame" in text
    assert "| a \\| b | 1.23 × | at most 1.1 | no | cpu |" in text
    assert "| c | 2 × | at least 1.5 | yes |  |" in text
    assert "| d | – | at most 1.5 |  | no model |" in text


def test_every_showing_has_a_title(tables, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.performance.__main__ import SHOWINGS

    assert {str(number) for numbers in SHOWINGS for number in numbers} == set(tables.TITLES)


def test_the_page_about_performance_is_up_to_date(tables, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["figures.py", "--check"])
    assert tables.main() == 0
