"""Where a model looks: crops, tiles, and where something moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.geometry import Region
from edged.regions import MAX_MOVING, MIN_SIDE_PX, regions_of

MODEL = (416, 416)
FULL_HD = Region(0, 0, 1920, 1080)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def moving(*rows: tuple[float, float, float, float], size=(1920, 1080), **known) -> tuple[Region, ...]:
    return regions_of(*size, model=MODEL, motion=boxes(*rows), **known)


def test_without_wishes_it_is_the_frame() -> None:
    assert regions_of(1920, 1080, model=MODEL) == (FULL_HD,)
    assert moving() == (FULL_HD,)


def test_a_crop_is_a_part_in_fractions() -> None:
    assert regions_of(1920, 1080, model=MODEL, crop=(0.25, 0.5, 0.75, 1.0)) == (Region(480, 540, 960, 540),)
    assert regions_of(1920, 1080, model=MODEL, crop=(0.1, 0, 0.2, 1)) == (Region(192, 0, 192, 1080),)


def test_a_crop_of_nearly_nothing_still_shows_something() -> None:
    assert regions_of(1920, 1080, model=MODEL, crop=(0.5, 0.5, 0.5001, 0.5001)) == (Region(944, 524, 34, 34),)


def test_tiles_follow_the_area_row_by_row_in_the_shape_of_the_model() -> None:
    assert regions_of(1920, 1080, model=MODEL, tiles=(2, 1)) == (
        FULL_HD,
        Region(0, 0, 1080, 1080),
        Region(840, 0, 1080, 1080),
    )
    found = regions_of(1920, 1080, model=MODEL, tiles=(3, 2), overlap=0)
    assert [(region.x, region.y) for region in found[1:]] == [
        (0, 0), (640, 0), (1280, 0), (0, 440), (640, 440), (1280, 440),
    ]  # fmt: skip
    assert {(region.width, region.height) for region in found[1:]} == {(640, 640)}


def test_tiles_of_a_crop_stay_inside_it() -> None:
    area, *tiles = regions_of(1920, 1080, model=MODEL, crop=(0.5, 0, 1, 1), tiles=(2, 2))
    assert area == Region(960, 0, 960, 1080)
    assert len(tiles) == 4
    assert min(tile.x for tile in tiles) == 960


def test_tiles_that_would_show_nothing_larger_are_left_out() -> None:
    assert regions_of(1920, 1080, model=MODEL, tiles=(1, 2)) == (FULL_HD,)
    assert regions_of(37, 21, model=MODEL, tiles=(8, 8)) == (Region(0, 0, 37, 21),)


def test_small_motion_is_seen_at_full_resolution() -> None:
    assert moving((900, 500, 940, 560)) == (FULL_HD, Region(712, 322, 416, 416))


def test_motion_at_the_edge_is_seen_by_a_region_inside_the_frame() -> None:
    assert moving((1900, 0, 1920, 20)) == (FULL_HD, Region(1504, 0, 416, 416))


def test_motion_close_together_is_seen_by_one_region() -> None:
    assert len(moving((900, 500, 940, 560), (1000, 600, 1040, 640))) == 2
    assert len(moving((100, 100, 140, 160), (1500, 800, 1540, 860))) == 3


def test_large_motion_is_seen_reduced_and_very_large_motion_not_again() -> None:
    _, region = moving((400, 200, 900, 900))
    assert region.width == region.height == 910
    assert moving((0, 0, 1500, 1000)) == (FULL_HD,)


def test_motion_that_a_tile_shows_as_large_is_not_looked_at_again() -> None:
    tiled = regions_of(800, 600, model=MODEL, tiles=(2, 2))
    assert moving((100, 100, 140, 160), size=(800, 600), tiles=(2, 2)) == tiled


def test_motion_outside_the_crop_does_not_count() -> None:
    assert moving((100, 100, 140, 160), crop=(0.5, 0, 1, 1)) == (Region(960, 0, 960, 1080),)


def test_a_frame_no_larger_than_the_model_needs_no_closer_look() -> None:
    assert moving((100, 100, 140, 160), size=(416, 300)) == (Region(0, 0, 416, 300),)


def test_the_largest_motion_goes_first_and_no_more_than_so_many() -> None:
    many = [(900.0 * column, 700.0 * row, 900 * column + 20 + row, 700 * row + 20 + column)
            for row in range(4) for column in range(4)]  # fmt: skip
    found = moving(*many, size=(3840, 2880))
    assert len(found) == 1 + MAX_MOVING
    assert (found[1].x, found[1].y) == (2502, 1902)


side = st.integers(1, 2200)
corners = st.tuples(*[st.floats(0, 1)] * 4).map(lambda at: (*sorted(at[::2]), *sorted(at[1::2])))


@settings(deadline=None, max_examples=60)
@given(
    side, side, st.tuples(st.integers(8, 700), st.integers(8, 700)), corners,
    st.tuples(st.integers(1, 8), st.integers(1, 8)), st.floats(0, 0.5), st.lists(corners, max_size=20),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_regions_of_anything(width, height, model, crop, tiles, overlap, motion, random) -> None:
    crop = (crop[0], crop[2], max(crop[1], crop[0]), max(crop[3], crop[2]))
    rows = [(x1 * width, y1 * height, x2 * width, y2 * height) for x1, x2, y1, y2 in motion]
    wishes = {"model": model, "crop": crop, "tiles": tiles, "overlap": overlap}
    found = regions_of(width, height, motion=boxes(*rows), **wishes)
    area = found[0]
    assert len(set(found)) == len(found) <= 1 + tiles[0] * tiles[1] + MAX_MOVING
    for region in found:
        x1, y1, x2, y2 = region.xyxy
        assert 0 <= area.x <= x1 < x2 <= area.x + area.width <= width
        assert 0 <= area.y <= y1 < y2 <= area.y + area.height <= height
        assert x1 % 2 == y1 % 2 == 0
        assert region.width % 2 == 0 or x2 == width
        assert region.height % 2 == 0 or y2 == height
        assert region.width >= min(MIN_SIDE_PX, width)
        assert region.height >= min(MIN_SIDE_PX, height)
    random.shuffle(rows)
    assert regions_of(width, height, motion=boxes(*rows), **wishes) == found


@given(side, side, st.tuples(st.integers(1, 8), st.integers(1, 8)), st.floats(0, 0.5))
@settings(deadline=None, max_examples=60)
def test_tiles_leave_no_gap(width, height, tiles, overlap) -> None:
    found = regions_of(width, height, model=MODEL, tiles=tiles, overlap=overlap)[1:]
    if not found:
        return
    seen = np.zeros((height, width), bool)
    for x, y, wide, high in found:
        seen[y : y + high, x : x + wide] = True
    assert seen.all()


@pytest.mark.parametrize("rows", [[(5, 5, 5, 9)], [(9, 9, 3, 3)], [(-50, -50, -10, -10)]])
def test_motion_without_area_in_the_frame_is_none(rows) -> None:
    assert moving(*rows) == (FULL_HD,)
