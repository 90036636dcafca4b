"""How many pictures are given to one inference, and what becomes of a batch's outputs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from toy_models import NAMES, constant, node, save_model, ultralytics, yolov8_table

from edged.errors import InferenceFailed
from edged.manifest import InputRecipe
from edged.worker import batching
from edged.worker.batching import choose, measure, split
from edged.worker.description import LoadRequest
from edged.worker.model import LoadedModel
from edged.worker.wire import pack_pictures, unpack_answers

RECIPE = InputRecipe(8, 8)


@pytest.mark.parametrize(
    ("measured", "max_ms", "batch"),
    [
        ({}, 250, 1),
        ({1: 10.0}, 250, 1),
        ({1: 10.0, 2: 19.5}, 250, 1),
        ({1: 10.0, 2: 19.0}, 250, 2),
        ({1: 10.0, 2: 15.0, 4: 29.5}, 250, 2),
        ({1: 10.0, 2: 15.0, 4: 20.0}, 250, 4),
        ({1: 10.0, 2: 15.0, 4: 20.0}, 16, 2),
        ({1: 10.0, 2: 19.8, 4: 30.0}, 250, 4),
        ({1: 100.0, 2: 110.0}, 50, 1),
    ],
)
def test_the_largest_that_pays_is_chosen_if_it_does_not_take_too_long(measured, max_ms, batch):
    assert choose(measured, max_ms=max_ms) == batch


def test_outputs_are_split_by_their_first_axis():
    boxes, scores = np.arange(12).reshape(2, 3, 2), np.arange(2.0)
    parts = split([boxes, scores], 2)
    assert parts is not None
    assert [[part.tolist() for part in one] for one in parts] == [
        [[[[0, 1], [2, 3], [4, 5]]], [0.0]],
        [[[[6, 7], [8, 9], [10, 11]]], [1.0]],
    ]


@pytest.mark.parametrize("shape", [(1, 3), (6, 3), ()], ids=["no axis", "rows of all pictures", "a number"])
def test_outputs_that_do_not_have_a_row_for_each_picture_cannot_be_split(shape):
    assert split([np.zeros((2, 3)), np.zeros(shape)], 2) is None


def tried(run, most: int = 8, max_ms: float = 1000.0) -> list[int]:
    return [size for size, _ in measure(run, RECIPE, most=most, max_ms=max_ms)]


def itself(tensor: np.ndarray) -> list[np.ndarray]:
    return [tensor.copy()]


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])])
def test_sizes_are_powers_of_two_up_to_what_is_wanted(monkeypatch, most, sizes):
    monkeypatch.setattr(batching, "_least_ms", lambda _run, _tensor: 1.0)
    assert tried(itself, most) == sizes


def test_sizes_end_where_the_memory_of_a_caller_does(monkeypatch):
    monkeypatch.setattr(batching, "_least_ms", lambda _run, _tensor: 1.0)
    monkeypatch.setattr(batching, "MAX_SLOT_BYTES", 3 * 8 * 8 * 3 * 4)
    assert tried(itself) == [1, 2, 3]


def test_sizes_end_where_no_batch_could_be_quick_enough_or_the_last_was_slower(monkeypatch):
    monkeypatch.setattr(batching, "_least_ms", lambda _run, tensor: float(len(tensor) ** 2))
    assert tried(itself) == [1, 2]
    monkeypatch.setattr(batching, "_least_ms", lambda _run, tensor: 100.0 + len(tensor))
    assert tried(itself, max_ms=150.0) == [1, 2]


def mixed(tensor: np.ndarray) -> list[np.ndarray]:
    return [tensor - tensor.mean()]  # so a picture's answer depends on its neighbours


def first_only(tensor: np.ndarray) -> list[np.ndarray]:
    return [np.repeat(tensor[:1], len(tensor), axis=0)]


def joined(tensor: np.ndarray) -> list[np.ndarray]:
    return [tensor.reshape(-1, 8)]


@pytest.mark.parametrize("run", [first_only, joined])
def test_a_model_that_answers_a_batch_otherwise_than_its_pictures_gets_one_at_a_time(run):
    assert tried(run) == [1]


def test_a_model_that_looks_at_the_neighbours_gets_one_at_a_time():
    def run(tensor: np.ndarray) -> Sequence[np.ndarray]:
        return mixed(tensor) if len(tensor) > 1 else [tensor * 0.5]

    assert tried(run) == [1]


def test_that_a_model_does_not_run_on_more_than_one_is_told():
    def run(tensor: np.ndarray) -> Sequence[np.ndarray]:
        if len(tensor) > 1:
            raise InferenceFailed("toy", "Reshape", "")
        return itself(tensor)

    with pytest.raises(InferenceFailed):
        tried(run)


def light_detector(path: Path) -> Path:
    """Finds one object, whose score is the brightness of its picture; of any number of pictures."""
    table = yolov8_table([(0, 1.0, 8, 8, 40, 40)])
    return save_model(
        path,
        [
            node("ReduceMean", ["images", "sides"], ["mean"], keepdims=1),
            node("Squeeze", ["mean", "last"], ["light"]),
            node("Mul", ["mask", "light"], ["seen"]),
            node("Add", ["rest", "seen"], ["output0"]),
        ],
        inputs={"images": ("batch", 3, 64, 64)},
        outputs={"output0": ("batch", *table.shape[1:])},
        constants=[
            constant("sides", [1, 2, 3], "int64"),
            constant("last", [3], "int64"),
            constant("mask", np.where(np.arange(6)[None, :, None] == 4, table, 0)),
            constant("rest", np.where(np.arange(6)[None, :, None] == 4, 0, table)),
        ],
        metadata=ultralytics(NAMES),
    )


def test_a_model_says_of_each_picture_of_a_batch_what_it_says_of_that_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(batching, "MIN_GAIN", 0.0)
    monkeypatch.setattr(batching, "_least_ms", lambda _run, tensor: float(len(tensor)) ** 0.5)
    path = light_detector(tmp_path / "light.onnx")
    model = LoadedModel(LoadRequest(str(path), providers=("cpu",), batch=4))
    assert (model.description.batch, set(model.description.batch_ms)) == (4, {"1", "2", "4"})
    assert model.description.slot_shape == (4, 3, 64, 64)
    assert model.description.takes_batches
    slot = (
        np.ones(model.description.slot_shape, np.float32)
        * np.array([0.3, 0.9, 0.0, 0.6])[:, None, None, None]
    )
    slot = slot.astype(np.float32)
    together = unpack_answers(model.serve(slot, pack_pictures(0, 4)).body, 4)
    assert [[round(score, 3) for score in found.score.tolist()] for found in together] == [
        [0.3],
        [0.9],
        [],
        [0.6],
    ]
    for number, found in enumerate(together):
        (alone,) = unpack_answers(model.serve(slot, pack_pictures(number, 1)).body, 1)
        assert np.array_equal(alone.xyxy, found.xyxy)
        assert np.array_equal(alone.score, found.score)


def test_a_model_that_is_asked_for_one_picture_is_not_measured(tmp_path):
    model = LoadedModel(LoadRequest(str(light_detector(tmp_path / "light.onnx")), providers=("cpu",)))
    assert (model.description.batch, dict(model.description.batch_ms)) == (1, {})
