"""Files of rows whose outcome is known: read, scored, and compared with what is expected."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edged.errors import BadInput, InferenceFailed, ModelRejected, WorkerLost
from edged.manifest import ExpectedObject, Golden, Manifest, RowRecipe
from edged.rows import Scores, Windows
from edged.worker.answer import Scored
from edged.worker.description import RowUse
from edged.worker.goldenrows import format_of, golden_windows, prove_rows, read_windows, scored

PAIR = RowRecipe(features=2, names=("a", "b"), window=1, batch=4, values=8)
LABELS = ("low", "high")


class Answers:
    """A model whose answer is that of a function of the (N, W, F) numbers."""

    def __init__(self, says: Callable[[np.ndarray], Scores]) -> None:
        self._says, self.asked = says, []

    def score(self, _lane: int, numbers: np.ndarray, texts: Any = ()) -> Scored:
        self.asked.append((numbers.shape, texts))
        return Scored(self._says(numbers), 1.0, 0.0)


def classes(numbers: np.ndarray) -> Scores:
    """``high`` where the first number is above 10."""
    high = (numbers[:, 0, 0] > 10).astype(np.int32)
    return Scores("class", class_id=high, scores=np.stack([1 - high, high], axis=1).astype(np.float32))


def anomalies(numbers: np.ndarray) -> Scores:
    score = numbers.reshape(len(numbers), -1).sum(axis=1, keepdims=True)
    return Scores("anomaly", anomaly=score[:, 0] > 10, values=score)


def sums(numbers: np.ndarray) -> Scores:
    return Scores("value", values=numbers.reshape(len(numbers), -1).sum(axis=1, keepdims=True))


def raw(numbers: np.ndarray) -> Scores:
    return Scores("outputs", outputs=[{"y": 1.0}] * len(numbers))


def write(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def prove(
    path: Path,
    *expect: dict[str, Any],
    says: Callable[[np.ndarray], Scores] = classes,
    recipe: RowRecipe = PAIR,
    labels: tuple[str, ...] = LABELS,
) -> None:
    description: Any = SimpleNamespace(path="m.onnx", rows=recipe, labels=labels)
    golden = Golden(input=path.name, expect=tuple(ExpectedObject(**one) for one in expect))
    prove_rows(Answers(says), description, path, golden)  # type: ignore[arg-type]


def test_the_name_says_how_rows_are_written():
    names = ["a.json", "a.JSONL", "a.ndjson", "a.csv", "a.tsv", "a"]
    assert [format_of(name) for name in names] == ["json"] * 3 + ["csv"] * 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "1,2\n3,4\n"),
        ("rows.csv", "b,a\n2,1\n4,3\n"),
        ("rows.csv", "time,b,a\n2026-01-01T00:00:00Z,2,1\n2026-01-01T00:00:01Z,4,3\n"),
        ("rows.csv", "p,q\n1,2\n3,4"),
        ("rows.csv", "first,second\n1,2\n3,4"),
        ("rows.csv", "\ufeffa;b\r\n1;2\r\n3;4\r\n"),
        ("rows.jsonl", '{"b": 2, "a": 1}\n{"a": 3, "b": 4}\n'),
        ("rows.json", "[[1, 2], [3, 4]]"),
    ],
    ids=["no header", "header", "more columns", "a sensor's names", "other names", "semicolons", "JSON lines", "JSON"],
)  # fmt: skip
def test_a_file_is_read_by_the_names_of_the_model_then_of_a_sensor_then_by_position(tmp_path, name, text):
    windows = read_windows(write(tmp_path, text, name), PAIR, ("p", "q"))
    assert windows.numbers.tolist() == [[[1, 2]], [[3, 4]]]


def test_a_file_is_cut_into_windows_of_the_models_length(tmp_path):
    path = write(tmp_path, "".join(f"{n}\n" for n in range(7)))
    windows = read_windows(path, RowRecipe(features=1, window=3))
    assert windows.numbers[:, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_model_of_any_window_gets_the_whole_file(tmp_path):
    path = write(tmp_path, "".join(f"{n}\n" for n in range(7)))
    assert read_windows(path, RowRecipe(features=1, window=0)).numbers.shape == (1, 7, 1)


def test_texts_are_read_too(tmp_path):
    recipe = RowRecipe(features=2, texts=(1,), window=2)
    windows = read_windows(write(tmp_path, "1,red\n2,blue\n"), recipe)
    assert windows.numbers.tolist() == [[[1], [2]]]
    assert [list(map(tuple, texts)) for texts in windows.texts] == [[("red",), ("blue",)]]


def test_a_file_of_texts_has_one_a_line(tmp_path):
    recipe = RowRecipe(features=1, texts=(0,), window=1)
    windows = read_windows(write(tmp_path, "the pump, it hums\nall is well\n", "rows.txt"), recipe)
    assert [texts[0][0] for texts in windows.texts] == ["the pump, it hums", "all is well"]


@pytest.mark.parametrize(
    ("text", "window", "said"),
    [
        ("1,2\n3,x\n", 1, r"line 2: .*'x', not a number"),
        ("1,2,3\n", 1, "line 1: .*3 values"),
        ("a,b\n1,2\n3,4\n", 3, "has 2 rows, a window 3"),
        ("1,2\n", 3, "has 1 row, a window 3"),
        ("", 1, "has no rows"),
        ("", 0, "has no rows"),
    ],
)
def test_a_file_that_is_no_good_is_said_to_be_with_its_line(tmp_path, text, window, said):
    path = write(tmp_path, text)
    with pytest.raises(BadInput, match=rf"rows\.csv: {said}"):
        read_windows(path, replace(PAIR, window=window))


def test_a_file_that_cannot_be_opened_is_said_to_be(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        read_windows(tmp_path, PAIR)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("edged.worker.goldenrows.MAX_FILE_BYTES", 10)
    with pytest.raises(BadInput, match="is larger than 10 bytes"):
        read_windows(write(tmp_path, "1,2\n" * 5), PAIR)


def test_more_windows_than_go_at_once_go_in_batches(tmp_path):
    windows = read_windows(write(tmp_path, "".join(f"{n},0\n" for n in range(9))), PAIR)
    answers = Answers(sums)
    parts = list(scored(answers, PAIR, windows))  # type: ignore[arg-type]
    assert [shape[0] for shape, _ in answers.asked] == [4, 4, 1]
    assert [part.sequence for part, _, _ in parts] == [0, 4, 8]
    assert np.concatenate([scores.values for _, scores, _ in parts])[:, 0].tolist() == list(range(9))


def test_no_windows_ask_nothing():
    empty = Windows("s", "", 0, np.zeros((0, 1, 2)), [], np.zeros(0), np.zeros(0), 0.0)
    assert list(scored(Answers(sums), PAIR, empty)) == []  # type: ignore[arg-type]


def test_a_window_that_does_not_fit_is_an_error(tmp_path):
    recipe = RowRecipe(features=1, window=0, values=5)
    windows = read_windows(write(tmp_path, "1\n" * 6), recipe)
    with pytest.raises(BadInput, match="windows of 6 rows are too long"):
        list(scored(Answers(sums), recipe, windows))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("says", "expect"),
    [
        (classes, [{"label": "low"}, {"label": "high"}]),
        (anomalies, [{"anomaly": False}, {"anomaly": True}]),
        (anomalies, [{"anomaly": False, "value": 3}, {"value": 24}]),
        (sums, [{"value": 3.002}, {"value": 24.02}]),
    ],
)
def test_what_is_as_expected_passes(tmp_path, says, expect):
    prove(write(tmp_path, "1,2\n11,13\n"), *expect, says=says)


def test_a_single_expectation_holds_for_all_windows(tmp_path):
    prove(write(tmp_path, "1,2\n3,4\n5,6\n"), {"label": "low"})
    with pytest.raises(ModelRejected, match=r"window 1: is 'high', not 'low'"):
        prove(write(tmp_path, "1,2\n13,4\n5,6\n"), {"label": "low"})


@pytest.mark.parametrize(
    ("says", "expect", "said"),
    [
        (classes, {"label": "high"}, r"m\.onnx: golden rows 'rows\.csv', window 0: is 'low', not 'high'; do not serve"),
        (classes, {"label": "hgih"}, "expects 'hgih', a label that the model does not have"),
        (classes, {"anomaly": True}, "expects an anomaly or none, and the model tells none"),
        (classes, {"value": 1}, "expects a value, and the model gives none"),
        (classes, {"label": "low", "value": 1}, "expects more than the label"),
        (classes, {"label": "low", "box": (0, 0, 1, 1)}, "expects a box, and rows have none"),
        (anomalies, {"label": "low"}, "expects a label, and the model is no classifier"),
        (anomalies, {"anomaly": True}, "is no anomaly"),
        (anomalies, {"anomaly": False, "value": 3.1}, "is 3, not 3.1"),
        (sums, {"value": 3.01}, "is 3, not 3.01"),
        (sums, {"anomaly": False}, "the model tells none"),
        (raw, {"value": 1}, "gives none"),
    ],
)  # fmt: skip
def test_what_is_otherwise_is_said_in_clear_words(tmp_path, says, expect, said):
    with pytest.raises(ModelRejected, match=said):
        prove(write(tmp_path, "1,2\n"), expect, says=says)


def test_an_anomaly_where_there_must_be_none_is_one(tmp_path):
    with pytest.raises(ModelRejected, match="window 0: is an anomaly"):
        prove(write(tmp_path, "10,2\n"), {"anomaly": False}, says=anomalies)


def test_a_large_value_may_differ_by_a_part_of_it(tmp_path):
    path = write(tmp_path, "1000,1000\n")
    prove(path, {"value": 1999}, says=sums)
    with pytest.raises(ModelRejected, match="is 2000, not 1990"):
        prove(path, {"value": 1990}, says=sums)


def test_a_label_that_is_not_known_beforehand_can_be_expected(tmp_path):
    def named(numbers: np.ndarray) -> Scores:
        return Scores("class", class_id=np.full(len(numbers), -1, np.int32), names=["odd"] * len(numbers))

    path = write(tmp_path, "1,2\n")
    prove(path, {"label": "odd"}, says=named, labels=())
    with pytest.raises(ModelRejected, match="is 'odd', not 'even'"):
        prove(path, {"label": "even"}, says=named, labels=())


@pytest.mark.parametrize("expect", [[], [{"label": "low"}] * 2])
def test_as_many_expectations_as_windows_or_one_there_must_be(tmp_path, expect):
    with pytest.raises(ModelRejected, match=rf"3 windows, {len(expect)} expected"):
        prove(write(tmp_path, "1,2\n3,4\n5,6\n"), *expect)


def test_a_file_that_is_no_good_rejects_the_model(tmp_path):
    with pytest.raises(ModelRejected, match=r"m\.onnx: golden rows 'rows\.csv': line 1: .*not a number"):
        prove(write(tmp_path, "1,x\n"), {"label": "low"})


def test_a_model_that_gives_no_answer_is_rejected_and_a_process_that_died_is_not_the_models_fault(tmp_path):
    path = write(tmp_path, "1,2\n")

    def fails(_: np.ndarray) -> Scores:
        raise InferenceFailed("m", "gave NaN")

    def dies(_: np.ndarray) -> Scores:
        raise WorkerLost("m", "its process died")

    with pytest.raises(ModelRejected, match="gave NaN"):
        prove(path, {"label": "low"}, says=fails)
    with pytest.raises(WorkerLost):
        prove(path, {"label": "low"}, says=dies)


def goldens(*names: str) -> Manifest:
    return Manifest(golden=tuple(Golden(name, (ExpectedObject(value=0.0),)) for name in names))


def test_a_trial_takes_the_first_window_of_the_first_file_that_can_be_read(tmp_path):
    write(tmp_path, "1,x\n", "broken.csv")
    write(tmp_path, "1,2\n3,4\n", "good.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    manifest = goldens("missing.csv", "pipe.csv", "folder.csv", "broken.csv", "good.csv")
    found = golden_windows(tmp_path / "m.onnx", manifest, PAIR, ())
    assert found is not None
    assert (found[0].tolist(), list(found[1])) == ([[[1, 2]]], [])


def test_a_trial_takes_nothing_from_outside_the_models_folder(tmp_path):
    inside = tmp_path / "model"
    inside.mkdir()
    outside = write(tmp_path, "1,2\n")
    manifest = goldens("../rows.csv", str(outside))
    assert golden_windows(inside / "m.onnx", manifest, PAIR, ()) is None


def test_a_trial_reads_the_columns_that_a_sensor_names(tmp_path):
    write(tmp_path, "t,q,p\n9,2,1\n")
    recipe = replace(PAIR, names=())
    found = golden_windows(tmp_path / "m.onnx", goldens("rows.csv"), recipe, (RowUse("s", ("p", "q")),))
    assert found is not None
    assert found[0].tolist() == [[[1, 2]]]


def test_json_rows_of_a_golden_file_may_be_named(tmp_path):
    path = write(tmp_path, json.dumps({"b": 13, "a": 1}), "one.json")
    prove(path, {"label": "low"})
