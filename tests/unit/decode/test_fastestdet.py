"""FastestDet: maps that look like its own and are not."""

import numpy as np
import pytest
from toy_heads import fastestdet
from toy_outputs import evidence_of

from edged.decode.detect import recognise
from edged.decode.fastestdet import FastestDet


def the_map(classes: int = 80) -> np.ndarray:
    made: np.ndarray = fastestdet([], 416, 416, classes, np.random.default_rng(0))[0].astype(np.float32)
    return made


def test_its_score_is_higher_than_a_product_and_so_is_its_threshold() -> None:
    assert recognise(evidence_of(the_map())).min_score == 0.5


def test_without_the_batch_it_is_the_same() -> None:
    assert recognise(evidence_of(the_map()[0])).class_count == 80


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one[..., :-1],  # not a cell each 16 pixels
        lambda one: one[:, :5],  # no classes
        lambda one: one[:, 1:],  # no objectness
        lambda one: np.concatenate([one[:, :5], one[:, 5:] * 3], axis=1),  # sums of 3
        lambda one: one[:, :-40],  # sums of less than 1
        lambda one: np.abs(np.concatenate([one[:, :5] / 10, one[:, 5:]], axis=1)).clip(0, 1),  # no box
        lambda one: np.concatenate([one, one]),
    ],
)
def test_a_map_that_is_not_quite_its_own_is_not_taken(change) -> None:  # type: ignore[no-untyped-def]
    assert FastestDet().recognise(evidence_of(change(the_map()))) is None


def test_a_segmentation_at_the_same_stride_is_not_taken() -> None:
    raised = np.exp(np.random.default_rng(0).normal(size=(1, 21, 26, 26))).astype(np.float32)
    assert FastestDet().recognise(evidence_of(raised / raised.sum(axis=1, keepdims=True))) is None
    assert FastestDet().recognise(evidence_of(np.log(raised))) is None


def test_a_second_output_makes_it_something_else() -> None:
    assert FastestDet().recognise(evidence_of(the_map(), the_map())) is None
