"""Grids and what centres are relative to."""

import numpy as np
import pytest

from edged.decode.grid import STRIDES, Units, count_rows, fit_grid, is_grid, make_grid

SIZES = [(640, 640), (416, 416), (256, 448), (96, 96), (64, 64), (100, 180)]


def test_640_by_640_has_8400_cells_and_25200_rows_of_three_anchors() -> None:
    assert count_rows(640, 640, (8, 16, 32)) == 8400
    assert count_rows(640, 640, (8, 16, 32), anchors=3) == 25200


def test_rows_run_by_level_then_anchor_then_y_then_x() -> None:
    grid = make_grid(16, 32, (8, 16), anchors=2)
    assert grid.cells[:8].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [0, 1], [1, 1], [2, 1], [3, 1]]
    assert grid.cells[8:16].tolist() == grid.cells[:8].tolist()
    assert grid.stride.tolist() == [8] * 16 + [16] * 4
    assert len(grid.stride) == count_rows(16, 32, (8, 16), anchors=2)


def test_a_number_of_rows_that_no_grid_has_is_no_grid() -> None:
    assert not is_grid(300, 640, 640, anchors=1)
    assert fit_grid(np.zeros((300, 2), np.float32), 640, 640, anchors=1) is None


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("strides", STRIDES, ids=str)
@pytest.mark.parametrize("anchors", [1, 3])
@pytest.mark.parametrize("units", list(Units))
def test_centres_near_their_cells_tell_their_units(
    size: tuple[int, int], strides: tuple[int, ...], anchors: int, units: Units
) -> None:
    height, width = size
    grid = make_grid(height, width, strides, anchors)
    within = 0.5 + np.random.default_rng(1).normal(scale=0.4, size=grid.cells.shape)
    centres = (grid.cells + within) * grid.stride[:, None]
    xy = {Units.PIXELS: centres, Units.FRACTIONS: centres / [width, height], Units.CELLS: within}[units]
    fitted = fit_grid(xy.astype(np.float32), height, width, anchors)
    assert fitted is not None
    assert (fitted[0].strides, fitted[1]) == (strides, units)


def test_centres_anywhere_fit_no_grid() -> None:
    xy = np.random.default_rng(0).uniform(0, 640, (8400, 2)).astype(np.float32)
    assert fit_grid(xy, 640, 640, anchors=1) is None
