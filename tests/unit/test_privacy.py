"""What nobody may see, told by pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.privacy import CELLS, blank, blank_outside, blur

HALF = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))


def noise(height: int = 120, width: int = 160, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (height, width, 3), np.uint8)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_an_area_is_black_and_the_rest_as_it_was() -> None:
    picture, before = noise(), noise()
    blank(picture, [HALF], size=(160, 120))
    assert not picture[30:90, 40:120].any()
    kept = np.ones((120, 160), np.bool_)
    kept[27:94, 37:124] = False
    np.testing.assert_array_equal(picture[kept], before[kept])


@pytest.mark.parametrize("origin", [(0, 0), (30, 20), (100, 80)])
def test_a_part_of_a_frame_is_blanked_where_the_whole_would_be(origin: tuple[int, int]) -> None:
    whole = noise()
    part = whole[origin[1] :, origin[0] :].copy()
    triangle = ((0.1, 0.1), (0.9, 0.3), (0.5, 0.95))
    blank(whole, [triangle], size=(160, 120))
    blank(part, [triangle], size=(160, 120), origin=origin)
    other = (part != whole[origin[1] :, origin[0] :]).any(axis=2)
    assert other.mean() < 0.01  # single pixels along an edge that is cut elsewhere


def test_a_blurred_box_holds_no_more_than_a_few_colours() -> None:
    picture, before = noise(400, 400), noise(400, 400)
    blur(picture, boxes((100, 100, 200, 300)))
    inside = picture[100:300, 100:200].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) <= (CELLS + 2) * (CELLS // 2 + 3)
    np.testing.assert_array_equal(picture[:, :70], before[:, :70])


def test_what_a_blurred_box_holds_depends_on_means_alone() -> None:
    """Pixels in another order within each cell give the same picture: nothing of their order is left to be had back."""
    picture = np.zeros((64, 64, 3), np.uint8)
    other = picture.copy()
    picture[24:32], other[32:40] = 200, 200  # the same rows, moved within what becomes one cell
    blur(picture, boxes((26, 26, 38, 38)))
    blur(other, boxes((26, 26, 38, 38)))
    np.testing.assert_array_equal(picture[24:40, 24:40], other[24:40, 24:40])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-50, 250, width=32)] * 4), max_size=4),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_any_box_is_blurred_without_an_error_and_leaves_no_pixel_of_its_own(
    rows: list[tuple[float, ...]], x: int, y: int
) -> None:
    found = boxes(*[(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows])
    picture = noise()
    blur(picture[y:, x:], found, origin=(x, y))
    before = noise()
    for x1, y1, x2, y2 in found.tolist():
        left, top, right, bottom = max(x, int(x1)), max(y, int(y1)), min(160, int(x2)), min(120, int(y2))
        if right - left > 8 and bottom - top > 8:
            same = (picture[top:bottom, left:right] == before[top:bottom, left:right]).all(axis=2).mean()
            assert same < 0.02


def test_where_nobody_has_looked_is_black() -> None:
    picture, before = noise(), noise()
    blank_outside(picture[10:, 20:], [(40, 30, 80, 60), (60, 50, 100, 90)], origin=(20, 10))
    np.testing.assert_array_equal(picture[30:60, 40:80], before[30:60, 40:80])
    np.testing.assert_array_equal(picture[50:90, 60:100], before[50:90, 60:100])
    assert not picture[10:30, 20:].any()
    assert not picture[61:90, 40:59].any()
    blank_outside(before, [])
    assert before.any(axis=2).all()
