"""Laying frames into inputs, and the way back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.geometry import FEW, Fit, Region, place

side = st.integers(1, 5000)
input_side = st.integers(8, 1280)
fits = st.sampled_from(list(Fit))


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize("fit", list(Fit))
def test_no_boxes_come_back_as_no_boxes(fit: Fit) -> None:
    transform = place(1920, 1080, 640, 640, fit).transform
    assert transform.to_frame(boxes()).shape == (0, 4)
    assert transform.to_model(boxes()).shape == (0, 4)


def test_full_hd_in_640_lies_as_ultralytics_lays_it() -> None:
    placement = place(1920, 1080, 640, 640, Fit.LETTERBOX)
    assert (placement.resized, placement.origin) == ((640, 360), (0, 140))


def test_full_hd_in_416_lies_as_yolox_lays_it() -> None:
    placement = place(1920, 1080, 416, 416, Fit.LETTERBOX_TOPLEFT)
    assert (placement.resized, placement.origin) == ((416, 234), (0, 0))


def test_an_odd_rest_goes_to_the_lower_right() -> None:
    placement = place(100, 33, 64, 64, Fit.LETTERBOX)
    assert placement.resized == (64, 21)
    assert placement.origin == (0, 21)


def test_stretch_fills_the_input() -> None:
    placement = place(1920, 1080, 320, 240, Fit.STRETCH)
    assert (placement.resized, placement.origin, placement.crop) == ((320, 240), (0, 0), (0, 0, 1920, 1080))


def test_crop_takes_the_middle() -> None:
    placement = place(1920, 1080, 640, 640, Fit.CROP)
    assert placement.crop == (420, 0, 1080, 1080)
    assert placement.resized == (640, 640)
    found = placement.transform.to_frame(boxes((0, 0, 640, 640)))
    np.testing.assert_allclose(found, boxes((420, 0, 1500, 1080)), atol=0.01)


@given(side, side, input_side, input_side, fits)
def test_a_frame_never_leaves_the_input_and_never_vanishes(
    frame_width: int, frame_height: int, width: int, height: int, fit: Fit
) -> None:
    placement = place(frame_width, frame_height, width, height, fit)
    (x, y), (wide, high) = placement.origin, placement.resized
    assert wide >= 1
    assert high >= 1
    assert 0 <= x <= x + wide <= width
    assert 0 <= y <= y + high <= height
    left, top, cut_wide, cut_high = placement.crop
    assert 0 <= left <= left + cut_wide <= frame_width
    assert 0 <= top <= top + cut_high <= frame_height


@given(side, side, input_side, input_side, fits)
def test_the_transform_says_where_the_resized_part_lies(
    frame_width: int, frame_height: int, width: int, height: int, fit: Fit
) -> None:
    placement = place(frame_width, frame_height, width, height, fit)
    left, top, cut_wide, cut_high = placement.crop
    (x, y), (wide, high) = placement.origin, placement.resized
    there = placement.transform.to_model(boxes((left, top, left + cut_wide, top + cut_high)))
    np.testing.assert_allclose(there, boxes((x, y, x + wide, y + high)), rtol=1e-5, atol=2e-3)


@given(side, side, input_side, input_side, fits, st.tuples(*[st.floats(0, 1)] * 4))
def test_boxes_come_back_to_where_they_were(
    frame_width: int,
    frame_height: int,
    width: int,
    height: int,
    fit: Fit,
    at: tuple[float, float, float, float],
) -> None:
    transform = place(frame_width, frame_height, width, height, fit).transform
    (x1, x2), (y1, y2) = sorted(at[:2]), sorted(at[2:])
    there = boxes((x1 * frame_width, y1 * frame_height, x2 * frame_width, y2 * frame_height))
    back = transform.to_frame(transform.to_model(there))
    # float32 in the input: an input pixel of a strongly reduced frame is many frame pixels wide.
    precise_px = 1e-3 + 4e-7 * width / transform.scale_x + 4e-7 * height / transform.scale_y
    precise_px += 4e-7 * (
        abs(transform.offset_x) / transform.scale_x + abs(transform.offset_y) / transform.scale_y
    )
    np.testing.assert_allclose(back, there, rtol=1e-5, atol=precise_px)


@given(side, side, fits, st.tuples(*[st.floats(0, 1)] * 4), st.tuples(*[st.floats(0, 1)] * 4))
def test_boxes_of_a_region_come_back_to_where_they_were(
    frame_width: int, frame_height: int, fit: Fit, part: tuple[float, ...], at: tuple[float, ...]
) -> None:
    x, y = int(part[0] * (frame_width - 1)), int(part[1] * (frame_height - 1))
    region = Region(x, y, 1 + int(part[2] * (frame_width - x - 1)), 1 + int(part[3] * (frame_height - y - 1)))
    placement = place(frame_width, frame_height, 640, 384, fit, region=region)
    left, top, wide, high = placement.crop
    assert x <= left <= left + wide <= x + region.width
    assert y <= top <= top + high <= y + region.height
    (x1, x2), (y1, y2) = sorted(at[:2]), sorted(at[2:])
    there = boxes(
        (x + x1 * region.width, y + y1 * region.height, x + x2 * region.width, y + y2 * region.height)
    )
    back = placement.transform.to_frame(placement.transform.to_model(there))
    np.testing.assert_allclose(back, there, rtol=1e-4, atol=1e-2)


@given(side, side, fits, st.lists(st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4), max_size=5))
def test_boxes_come_back_inside_the_frame(
    frame_width: int, frame_height: int, fit: Fit, rows: list[tuple[float, float, float, float]]
) -> None:
    found = place(frame_width, frame_height, 640, 384, fit).transform.to_frame(boxes(*rows))
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert (found <= [frame_width, frame_height] * 2).all()


def test_a_box_in_the_padding_comes_back_without_area() -> None:
    transform = place(1920, 1080, 640, 640, Fit.LETTERBOX).transform
    found = transform.to_frame(boxes((100, 10, 200, 100)))
    assert found[0, 1] == found[0, 3] == 0


coordinates = st.floats(width=32)  # what is no number too
rows_of_boxes = st.lists(
    st.tuples(coordinates, coordinates, coordinates, coordinates), min_size=1, max_size=FEW
)


@given(rows_of_boxes, side, side, fits, st.booleans())
def test_few_boxes_come_back_as_they_do_among_many(
    rows: list[tuple[float, float, float, float]], width: int, height: int, fit: Fit, in_part: bool
) -> None:
    region = Region(width // 3, height // 3, width - width // 3, height - height // 3) if in_part else None
    transform = replace(place(width, height, 640, 384, fit).transform, region=region)
    few = boxes(*rows)
    with np.errstate(all="ignore"):
        among_many = transform.to_frame(np.tile(few, (FEW + 1, 1)))[: len(few)]
        np.testing.assert_array_equal(transform.to_frame(few), among_many)
