"""Distances as distributions, and which outputs belong to which level."""

import numpy as np
import pytest
from toy_heads import nanodet_pairs
from toy_outputs import evidence_of

from edged.decode.levels import mean_distances, pairs_of, strides_of


def heads(strides: tuple[int, ...] = (8, 16, 32), classes: int = 80) -> list[np.ndarray]:
    made = nanodet_pairs([], 416, 416, classes, np.random.default_rng(0), strides)
    return [one.astype(np.float32) for one in made]


def test_no_rows_have_no_distances() -> None:
    assert mean_distances(np.zeros((0, 32), np.float32)).shape == (0, 4)


def test_a_distance_is_the_mean_of_its_bins() -> None:
    certain = np.full((1, 4, 3), -50, np.float32)
    certain[0, :, 1] = 50
    half = np.array([[[50, 50, -50]] * 4], np.float32)
    np.testing.assert_allclose(mean_distances(certain.reshape(1, 12)), [[1, 1, 1, 1]])
    np.testing.assert_allclose(mean_distances(half.reshape(1, 12)), [[0.5, 0.5, 0.5, 0.5]])


def test_large_numbers_do_not_overflow() -> None:
    sides = np.tile(np.array([0, 3e38], np.float32), (1, 4))
    np.testing.assert_array_equal(mean_distances(sides), [[1, 1, 1, 1]])


@pytest.mark.parametrize(("rows", "strides"), [(3549, (8, 16, 32)), (3598, (8, 16, 32, 64)), (3550, None)])
def test_levels_are_known_by_their_cells(rows: int, strides: tuple[int, ...] | None) -> None:
    assert strides_of(rows, evidence_of()) == strides


@pytest.mark.parametrize("order", [(5, 0, 3, 1, 4, 2), (0, 3, 1, 4, 2, 5), (5, 4, 3, 2, 1, 0)])
def test_the_order_of_the_outputs_does_not_matter(order: tuple[int, ...]) -> None:
    made = heads()
    pairs = pairs_of(evidence_of(*(made[n] for n in order)))
    assert pairs is not None
    assert pairs.strides == (8, 16, 32)
    assert [(order[scores], order[sides]) for scores, sides in pairs.positions] == [(0, 3), (1, 4), (2, 5)]


def test_outputs_that_are_no_such_pairs_are_not_taken() -> None:
    made = heads()
    logits = [np.log(one) for one in made[:3]]
    chances = [np.abs(one) / 10 for one in made[3:]]
    four = [one[..., :4] for one in made[3:]]
    others = (
        made[:5],
        [*made[:5], made[5][:, :-1]],
        [*logits, *made[3:]],
        [*made[:3], *chances],
        [*made[:3], *four],
        [*made[:3], *(one[..., :30] for one in made[3:])],
        [made[0][..., :79], *made[1:]],
        [*made[:5], made[5][None]],
        [*made, made[0]],
        [],
    )
    for outputs in others:
        assert pairs_of(evidence_of(*outputs)) is None
