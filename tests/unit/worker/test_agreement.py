"""When two providers count as giving the same answer."""

import numpy as np
import pytest

from edged.worker.agreement import MAX_DIFFERENCE, difference

ANSWER = np.random.default_rng(3).random((1, 5, 84)).astype(np.float32)


def test_nothing_agrees_with_nothing() -> None:
    assert difference([], []) == 0
    empty = np.zeros((0, 4), np.float32)
    assert difference([empty], [empty]) == 0


@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.02])
def test_another_arithmetic_is_no_other_answer(noise: float) -> None:
    other = ANSWER * (1 + noise * np.random.default_rng(4).standard_normal(ANSWER.shape))
    assert difference([ANSWER], [other.astype(np.float32)]) < MAX_DIFFERENCE


def test_boxes_that_lie_elsewhere_are_another_answer() -> None:
    moved = ANSWER.copy()
    moved[:, :4] += 0.3
    assert difference([ANSWER], [moved]) > MAX_DIFFERENCE


def test_an_answer_of_zeros_deviates_by_all_of_it() -> None:
    assert difference([ANSWER], [np.zeros_like(ANSWER)]) == pytest.approx(1.0)


def test_rows_in_another_order_are_the_same_answer() -> None:
    rows = np.random.default_rng(5).random((1, 300, 6)).astype(np.float32)
    assert difference([rows], [rows[:, ::-1].copy()]) == 0


def test_nan_on_one_side_only_and_other_shapes_are_another_answer() -> None:
    broken = ANSWER.copy()
    broken[0, 0, 0] = np.nan
    assert difference([ANSWER], [broken]) == float("inf")
    assert difference([broken], [broken]) == 0
    assert difference([ANSWER], [ANSWER[:, :, :-1]]) == float("inf")


def test_numbers_of_classes_and_texts_are_not_compared() -> None:
    assert difference([np.array([1, 2])], [np.array([2, 1])]) == 0
    assert difference([np.array(["a"])], [np.array(["b"])]) == 0


def test_a_row_more_at_a_threshold_in_the_graph_is_the_same_answer() -> None:
    rows = np.random.default_rng(6).random((40, 6)).astype(np.float32) * 300
    for other in (rows[:-1], rows[3:], np.concatenate([rows, rows[:5]])):
        assert difference([rows, rows[:, 4]], [other, other[:, 4]]) < MAX_DIFFERENCE
    few, none = rows[:2], rows[:0]
    assert difference([few], [none]) == difference([none], [few]) == 0


def test_many_rows_more_or_rows_elsewhere_are_another_answer() -> None:
    rows = np.random.default_rng(7).random((40, 6)).astype(np.float32) * 300
    assert difference([rows], [rows[:20]]) == float("inf")
    assert difference([rows], [rows[:0]]) == float("inf")
    assert difference([rows], [rows[:-1] + 120]) > MAX_DIFFERENCE
