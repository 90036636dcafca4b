"""Frames to tensors, beside a plain reference: convert the whole frame exactly, resize, pad, turn over, scale."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import BadInput, EdgedError
from edged.frame import ColorMatrix, Frame, PixelLayout
from edged.geometry import Fit, Region, place
from edged.manifest import InputRecipe
from edged.preprocess import MAX_KNOWN_PLACEMENTS, MAX_KNOWN_TENSORS, Preparer, to_bgr, yuv_to_rgb

SIZES = [(1, 1), (2, 3), (7, 5), (64, 48), (65, 47), (640, 3), (2, 500), (333, 129), (1280, 720), (101, 1001)]
MATRICES = [(matrix, full) for matrix in ColorMatrix for full in (True, False)]


def frame_of(layout: PixelLayout, width: int, height: int, *planes: np.ndarray, **known: Any) -> Frame:
    return Frame("front", 7, 0.0, 0.0, width, height, layout, tuple(planes), **known)


def smooth(height: int, width: int, seed: int, around: float = 128, swing: float = 50) -> np.ndarray:
    """One gentle wave over the picture, the same picture at any size."""
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    wave = np.sin(2 * (y[:, None] + 0.3 * seed)) + np.cos(2 * (x[None] - 0.7 * seed))
    return np.rint(around + swing / 2 * wave).astype(np.uint8)


def yuv_frame(width: int, height: int, across: int = 2, down: int = 2, **known: Any) -> Frame:
    chroma = (-(-height // down), -(-width // across))
    planes = smooth(height, width, 0), smooth(*chroma, 1, swing=16), smooth(*chroma, 2, swing=16)
    return frame_of(PixelLayout.YUV, width, height, *planes, **known)


def as_nv12(frame: Frame) -> Frame:
    luma, first, second = frame.planes
    pairs = np.dstack([first, second])
    return frame_of(
        PixelLayout.NV12,
        frame.width,
        frame.height,
        luma,
        pairs,
        matrix=frame.matrix,
        full_range=frame.full_range,
    )


def bgr_frame(width: int, height: int, seed: int = 0) -> Frame:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return frame_of(PixelLayout.BGR, width, height, picture)


def sampled(plane: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear, at positions measured in pixels of the plane, centres at halves, edges repeated."""
    y, x = np.clip(y - 0.5, 0, plane.shape[0] - 1), np.clip(x - 0.5, 0, plane.shape[1] - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, plane.shape[0] - 1), np.minimum(left + 1, plane.shape[1] - 1)
    part_y, part_x = (y - top)[:, None], (x - left)[None]
    values = plane.astype(float)
    upper = values[top][:, left] * (1 - part_x) + values[top][:, right] * part_x
    lower = values[below][:, left] * (1 - part_x) + values[below][:, right] * part_x
    return upper * (1 - part_y) + lower * part_y


def whole_rgb(frame: Frame) -> np.ndarray:
    """The full frame by the exact formula, float64 (H, W, 3), red first."""
    y, x = np.arange(frame.height) + 0.5, np.arange(frame.width) + 0.5
    planes = [frame.planes[0].astype(float)]
    for plane in frame.planes[1:]:
        down, across = (
            (1 if plane.shape[0] == frame.height else 2),
            (1 if plane.shape[1] == frame.width else 2),
        )
        planes.append(sampled(plane, y / down, x / across))
    return np.clip(
        np.dstack([*planes, np.ones_like(planes[0])]) @ yuv_to_rgb(frame.matrix, frame.full_range).T, 0, 255
    )


def reference(frame: Frame, recipe: InputRecipe, region: Region | None = None) -> np.ndarray:
    """Levels of the small picture, float64 (H, W, 3), red first; padding included."""
    placement = place(frame.width, frame.height, recipe.width, recipe.height, recipe.fit, region=region)
    left, top, cut_wide, cut_high = placement.crop
    (x, y), (wide, high) = placement.origin, placement.resized
    picture = whole_rgb(frame)[top : top + cut_high, left : left + cut_wide]
    rows, columns = (np.arange(high) + 0.5) * cut_high / high, (np.arange(wide) + 0.5) * cut_wide / wide
    levels = np.full((recipe.height, recipe.width, 3), float(recipe.pad))
    levels[y : y + high, x : x + wide] = np.dstack(
        [sampled(picture[..., channel], rows, columns) for channel in range(3)]
    )
    return levels


def prepared(
    frame: Frame, recipe: InputRecipe, preparer: Preparer | None = None, region: Region | None = None
) -> np.ndarray:
    """The tensor, over memory that held something else."""
    out = np.full(recipe.shape, 77, recipe.dtype)
    (preparer or Preparer(recipe)).prepare(frame, out, region)
    return out


def plain(frame: Frame, recipe: InputRecipe) -> np.ndarray:
    """What anybody would write with OpenCV for a BGR picture."""
    placement = place(frame.width, frame.height, recipe.width, recipe.height, recipe.fit)
    left, top, cut_wide, cut_high = placement.crop
    (x, y), (wide, high) = placement.origin, placement.resized
    part = frame.planes[0][top : top + cut_high, left : left + cut_wide]
    canvas = np.full((recipe.height, recipe.width, 3), recipe.pad, np.uint8)
    canvas[y : y + high, x : x + wide] = cv2.resize(part, (wide, high), interpolation=cv2.INTER_LINEAR)
    pixels = canvas[..., ::-1] if recipe.color == "RGB" else canvas
    values = (pixels.astype(float) * recipe.scale - recipe.mean) / recipe.std
    tensor = values.transpose(2, 0, 1)[None] if recipe.layout == "NCHW" else values[None]
    return tensor.astype(recipe.dtype)


MAX_DIFFERENCE = 4.5
"""Of 255: each plane is rounded to 8 bits before the conversion, which weighs chroma up to twofold."""


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("chroma", [(2, 2), (2, 1), (1, 1), (1, 2)], ids=["420", "422", "444", "440"])
def test_yuv_equals_converting_the_whole_frame_first(
    fit: Fit, size: tuple[int, int], chroma: tuple[int, int]
) -> None:
    frame = yuv_frame(*size, *chroma, matrix=ColorMatrix.BT709, full_range=False)
    recipe = InputRecipe(72, 96, layout="NHWC", dtype="uint8", fit=fit)
    difference = np.abs(prepared(frame, recipe)[0] - reference(frame, recipe))
    assert difference.max() <= MAX_DIFFERENCE
    assert difference.mean() <= 1


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 400), st.integers(1, 400), st.integers(8, 128), st.integers(8, 128), st.sampled_from(list(Fit)),
    st.sampled_from(MATRICES),
)  # fmt: skip
def test_yuv_of_any_size_in_an_input_of_any_size(
    width: int, height: int, input_width: int, input_height: int, fit: Fit, colours: tuple[ColorMatrix, bool]
) -> None:
    frame = yuv_frame(width, height, matrix=colours[0], full_range=colours[1])
    recipe = InputRecipe(input_height, input_width, layout="NHWC", dtype="uint8", fit=fit)
    difference = np.abs(prepared(frame, recipe)[0] - reference(frame, recipe))
    assert difference.max() <= MAX_DIFFERENCE
    assert difference.mean() <= 1


@pytest.mark.parametrize(("matrix", "full"), MATRICES)
@pytest.mark.parametrize("color", ["RGB", "BGR"])
def test_colours_are_right_to_a_level(matrix: ColorMatrix, full: bool, color: Any) -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 52, 3)
    planes = [np.ascontiguousarray(cube[..., channel]) for channel in range(3)]
    height, width = planes[0].shape
    frame = frame_of(PixelLayout.YUV, width, height, *planes, matrix=matrix, full_range=full)
    recipe = InputRecipe(height, width, color=color, dtype="uint8")
    expected = whole_rgb(frame)[..., :: 1 if color == "RGB" else -1].transpose(2, 0, 1)
    assert np.abs(prepared(frame, recipe)[0] - expected).max() <= 1


@pytest.mark.parametrize(
    ("yuv", "matrix", "full", "rgb"),
    [
        ((235, 128, 128), ColorMatrix.BT601, False, (255, 255, 255)),
        ((16, 128, 128), ColorMatrix.BT709, False, (0, 0, 0)),
        ((255, 128, 128), ColorMatrix.BT709, True, (255, 255, 255)),
        ((81, 90, 240), ColorMatrix.BT601, False, (255, 0, 0)),
        ((63, 102, 240), ColorMatrix.BT709, False, (255, 0, 0)),
        ((76, 85, 255), ColorMatrix.BT601, True, (255, 0, 0)),
        ((74, 97, 240), ColorMatrix.BT2020, False, (255, 0, 0)),
        ((32, 240, 118), ColorMatrix.BT709, False, (0, 0, 255)),
    ],
)
def test_colours_of_the_test_card_are_right(
    yuv: tuple[int, int, int], matrix: ColorMatrix, full: bool, rgb: tuple[int, int, int]
) -> None:
    planes = [np.full((8, 8), value, np.uint8) for value in yuv]
    picture = to_bgr(frame_of(PixelLayout.YUV, 8, 8, *planes, matrix=matrix, full_range=full))
    assert np.abs(picture[4, 4, ::-1].astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
@pytest.mark.parametrize("color", ["RGB", "BGR"])
def test_a_still_picture_equals_the_plain_way_exactly(fit: Fit, layout: Any, dtype: Any, color: Any) -> None:
    for size in ((640, 427), (33, 65), (96, 72), (5, 700)):
        frame = bgr_frame(*size)
        recipe = InputRecipe(72, 96, layout=layout, dtype=dtype, color=color, fit=fit)
        np.testing.assert_array_equal(prepared(frame, recipe), plain(frame, recipe))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    "numbers",
    [
        {"scale": 1 / 255},
        {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        {"mean": (103.53, 116.28, 123.675), "std": (57.375, 57.12, 58.395), "pad": 0},
        {"mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0)},
    ],
)
def test_scaled_values_are_those_of_the_plain_way(layout: Any, numbers: dict[str, Any]) -> None:
    frame = bgr_frame(333, 129)
    recipe = InputRecipe(72, 96, layout=layout, **numbers)
    np.testing.assert_allclose(prepared(frame, recipe), plain(frame, recipe), rtol=0, atol=1e-6)
    halves = InputRecipe(72, 96, layout=layout, dtype="float16", **numbers)
    np.testing.assert_allclose(prepared(frame, halves), plain(frame, halves), rtol=1e-3, atol=0)


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nv12_is_the_same_picture_as_yuv(fit: Fit, size: tuple[int, int]) -> None:
    frame = yuv_frame(*size, matrix=ColorMatrix.BT709, full_range=False)
    recipe = InputRecipe(64, 64, fit=fit, scale=1 / 255)
    # OpenCV rounds one channel and two differently, by a level of chroma, which is two levels of red or blue.
    np.testing.assert_allclose(
        prepared(as_nv12(frame), recipe), prepared(frame, recipe), rtol=0, atol=3.01 / 255
    )


def test_a_preparer_leaves_nothing_of_the_last_frame_behind() -> None:
    recipe = InputRecipe(64, 96, scale=1 / 255)
    preparer = Preparer(recipe)
    frames = [
        yuv_frame(320, 100),
        bgr_frame(50, 300),
        as_nv12(yuv_frame(96, 64)),
        yuv_frame(7, 5),
        yuv_frame(320, 100),
    ]
    for frame in frames * 2:
        np.testing.assert_array_equal(prepared(frame, recipe, preparer), prepared(frame, recipe))


def test_more_sizes_than_are_remembered_are_all_right() -> None:
    recipe = InputRecipe(16, 16)
    preparer = Preparer(recipe)
    for width in range(1, MAX_KNOWN_PLACEMENTS + 30):
        frame = bgr_frame(width, 9)
        np.testing.assert_array_equal(prepared(frame, recipe, preparer), plain(frame, recipe))


def test_the_transform_brings_boxes_back() -> None:
    recipe = InputRecipe(640, 640)
    transform = Preparer(recipe).prepare(yuv_frame(1920, 1080), np.empty(recipe.shape, np.float32))
    assert transform == place(1920, 1080, 640, 640, Fit.LETTERBOX).transform


def test_padded_rows_and_read_only_planes_are_read() -> None:
    frame = yuv_frame(100, 60)
    wide = [np.full((plane.shape[0], plane.shape[1] + 28), 255, np.uint8) for plane in frame.planes]
    views = []
    for memory, plane in zip(wide, frame.planes, strict=True):
        memory[:, : plane.shape[1]] = plane
        view = memory[:, : plane.shape[1]]
        view.setflags(write=False)
        views.append(view)
    padded = frame_of(PixelLayout.YUV, 100, 60, *views)
    for size in (64, 60, 100):
        recipe = InputRecipe(size, 100)
        np.testing.assert_array_equal(prepared(padded, recipe), prepared(frame, recipe))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_grey_models_get_the_luma(layout: Any) -> None:
    recipe = InputRecipe(48, 64, channels=1, color="GRAY", layout=layout, dtype="uint8")
    limited = yuv_frame(64, 48, full_range=False)
    expected = np.clip((limited.planes[0].astype(float) - 16) * 255 / 219, 0, 255)
    assert np.abs(prepared(limited, recipe).reshape(48, 64) - expected).max() <= 0.51
    full = yuv_frame(64, 48, full_range=True)
    np.testing.assert_array_equal(prepared(full, recipe).reshape(48, 64), full.planes[0])
    picture = bgr_frame(64, 48)
    grey = cv2.cvtColor(picture.planes[0], cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(prepared(picture, recipe).reshape(48, 64), grey)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_grey_frames_fill_all_three_channels(layout: Any) -> None:
    plane = smooth(48, 64, 0)
    recipe = InputRecipe(48, 64, layout=layout, dtype="uint8")
    tensor = prepared(frame_of(PixelLayout.GRAY, 64, 48, plane), recipe)
    channels = tensor[0] if layout == "NCHW" else tensor[0].transpose(2, 0, 1)
    for channel in channels:
        np.testing.assert_array_equal(channel, plane)


def test_a_whole_frame_in_bgr_is_a_copy() -> None:
    frame = bgr_frame(31, 17)
    picture = to_bgr(frame)
    np.testing.assert_array_equal(picture, frame.planes[0])
    assert not np.shares_memory(picture, frame.planes[0])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_whole_frame_in_bgr_is_exact(size: tuple[int, int]) -> None:
    frame = yuv_frame(*size, matrix=ColorMatrix.BT601, full_range=False)
    for one in (frame, as_nv12(frame)):
        picture = to_bgr(one)
        assert picture.shape == (size[1], size[0], 3)
        assert np.abs(picture - whole_rgb(frame)[..., ::-1]).max() <= 2.5


def test_a_whole_grey_frame_in_bgr_is_grey() -> None:
    plane = smooth(9, 11, 0)
    picture = to_bgr(frame_of(PixelLayout.GRAY, 11, 9, plane))
    assert (picture == plane[..., None]).all()


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    ("layout", "planes"),
    [
        (PixelLayout.BGR, [zeros(8, 8)]),
        (PixelLayout.BGR, [zeros(8, 8, 4)]),
        (PixelLayout.BGR, [zeros(9, 8, 3)]),
        (PixelLayout.BGR, []),
        (PixelLayout.BGR, [np.zeros((8, 8, 3), np.uint16)]),
        (PixelLayout.GRAY, [zeros(8, 9)]),
        (PixelLayout.YUV, [zeros(8, 8), zeros(4, 4)]),
        (PixelLayout.YUV, [zeros(8, 8), zeros(4, 4), zeros(4, 5)]),
        (PixelLayout.YUV, [zeros(8, 8), zeros(2, 2), zeros(2, 2)]),
        (PixelLayout.NV12, [zeros(8, 8), zeros(4, 4)]),
        (PixelLayout.NV12, [zeros(8, 8), zeros(4, 4, 3)]),
        (PixelLayout.NV12, [zeros(7, 8), zeros(4, 4, 2)]),
    ],
)
def test_planes_that_do_not_fit_are_named(layout: PixelLayout, planes: list[np.ndarray]) -> None:
    recipe = InputRecipe(16, 16)
    frame = frame_of(layout, 8, 8, *planes)
    with pytest.raises(BadInput, match="front: frame 7 says"):
        prepared(frame, recipe)
    with pytest.raises(BadInput, match="front: frame 7 says"):
        to_bgr(frame)


def test_a_frame_without_pixels_is_refused() -> None:
    with pytest.raises(BadInput, match="0 x 0"):
        prepared(frame_of(PixelLayout.GRAY, 0, 0, zeros(0, 0)), InputRecipe(16, 16))


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((1, 3, 16, 15), np.float32),
        np.zeros((1, 3, 16, 16)),
        np.zeros((1, 16, 16, 3), np.float32).transpose(0, 3, 1, 2),
    ],
)
def test_memory_that_is_not_the_tensor_is_never_written_to(out: np.ndarray) -> None:
    with pytest.raises(EdgedError, match="the recipe says"):
        Preparer(InputRecipe(16, 16)).prepare(bgr_frame(8, 8), out)
    assert not out.any()


def test_padding_follows_the_frame_when_its_shape_or_the_tensor_changes():
    recipe = InputRecipe(32, 32)
    preparer, out = Preparer(recipe), np.zeros(recipe.shape, np.float32)
    wide, tall = (
        Frame("t", 0, 0.0, 0.0, w, h, PixelLayout.BGR, (np.full((h, w, 3), 9, np.uint8),))
        for w, h in ((32, 16), (16, 32))
    )
    for frame, tensor in ((wide, out), (tall, out), (wide, out), (wide, np.zeros_like(out)), (wide, out)):
        preparer.prepare(frame, tensor)
        fresh = np.zeros_like(out)
        Preparer(recipe).prepare(frame, fresh)
        np.testing.assert_array_equal(tensor, fresh)


regions = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))


def region_in(width: int, height: int, at: tuple[float, ...]) -> Region:
    """Any pixels of the frame, odd ones too."""
    x, y = int(at[0] * (width - 1)), int(at[1] * (height - 1))
    return Region(x, y, 1 + int(at[2] * (width - x - 1)), 1 + int(at[3] * (height - y - 1)))


def cut_out(frame: Frame, region: Region) -> Frame:
    x1, y1, x2, y2 = region.xyxy
    return frame_of(frame.layout, region.width, region.height, frame.planes[0][y1:y2, x1:x2])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), regions, st.sampled_from(list(Fit)), st.booleans())
def test_a_region_of_a_picture_is_the_picture_of_the_region(
    width: int, height: int, at: tuple[float, ...], fit: Fit, planes_first: bool
) -> None:
    frame, region = bgr_frame(width, height), region_in(width, height, at)
    recipe = InputRecipe(48, 64, fit=fit, layout="NCHW" if planes_first else "NHWC", scale=1 / 255)
    expected = prepared(cut_out(frame, region), recipe)
    np.testing.assert_array_equal(prepared(frame, recipe, region=region), expected)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(8, 400), st.integers(8, 400), regions, st.sampled_from(list(Fit)), st.sampled_from(MATRICES),
    st.sampled_from([(2, 2), (2, 1), (1, 1)]),
)  # fmt: skip
def test_a_region_of_planes_equals_converting_the_whole_frame_first(
    width: int, height: int, at: tuple[float, ...], fit: Fit, colours: Any, chroma: tuple[int, int]
) -> None:
    frame = yuv_frame(width, height, *chroma, matrix=colours[0], full_range=colours[1])
    region = region_in(width, height, at)
    recipe = InputRecipe(72, 96, layout="NHWC", dtype="uint8", fit=fit)
    difference = np.abs(prepared(frame, recipe, region=region)[0] - reference(frame, recipe, region))
    assert difference.max() <= MAX_DIFFERENCE
    assert difference.mean() <= 1


@pytest.mark.parametrize(
    "region", [Region(1, 1, 61, 33), Region(11, 6, 40, 30), Region(12, 7, 40, 30), Region(12, 6, 41, 31)]
)
def test_chroma_with_sharp_edges_is_cut_where_the_luma_is(region: Region) -> None:
    random = np.random.default_rng(5)
    planes = [random.integers(60, 190, shape, np.uint8) for shape in ((60, 80), (30, 40), (30, 40))]
    frame = frame_of(PixelLayout.YUV, 80, 60, *planes)
    recipe = InputRecipe(region.height, region.width, layout="NHWC", dtype="uint8")
    x1, y1, x2, y2 = region.xyxy
    expected = whole_rgb(frame)[y1:y2, x1:x2]
    for one in (frame, as_nv12(frame)):
        assert np.abs(prepared(one, recipe, region=region)[0] - expected).max() <= MAX_DIFFERENCE


def test_a_region_of_all_is_the_frame() -> None:
    recipe = InputRecipe(72, 96)
    for frame in (yuv_frame(333, 129), bgr_frame(101, 55), as_nv12(yuv_frame(64, 48))):
        whole = Region(0, 0, frame.width, frame.height)
        np.testing.assert_array_equal(prepared(frame, recipe, region=whole), prepared(frame, recipe))


def test_regions_in_turn_leave_nothing_of_the_last_behind() -> None:
    recipe = InputRecipe(64, 96, scale=1 / 255)
    preparer, out = Preparer(recipe), np.zeros(recipe.shape, np.float32)
    frame = yuv_frame(320, 200)
    for region in [None, Region(0, 0, 96, 64), Region(10, 20, 20, 100), Region(11, 21, 201, 50)] * 2:
        preparer.prepare(frame, out, region)
        np.testing.assert_array_equal(out, prepared(frame, recipe, region=region))


def test_boxes_of_a_region_come_back_in_pixels_of_the_frame() -> None:
    recipe, region = InputRecipe(100, 100), Region(600, 400, 200, 200)
    transform = Preparer(recipe).prepare(yuv_frame(1920, 1080), np.empty(recipe.shape, np.float32), region)
    found = transform.to_frame(np.array([[10, 20, 50, 60], [-5, 90, 30, 140]], np.float32))
    np.testing.assert_allclose(found, [[620, 440, 700, 520], [600, 580, 660, 600]], atol=1e-3)


@pytest.mark.parametrize("region", [Region(0, 0, 65, 48), Region(-2, 0, 10, 10), Region(4, 4, 0, 9)])
def test_a_region_that_is_not_in_the_frame_is_refused(region: Region) -> None:
    with pytest.raises(EdgedError, match="is not inside the frame of 64 x 48"):
        prepared(yuv_frame(64, 48), InputRecipe(16, 16), region=region)


def test_a_ring_of_tensors_is_padded_whatever_lies_in_which() -> None:
    recipe = InputRecipe(32, 32)
    preparer, ring = Preparer(recipe), np.full((3, *recipe.shape), 7, np.float32)
    slots = [*ring, ring[1][:]]  # the last is another array in the memory of the second
    frames = [bgr_frame(32, 16), bgr_frame(16, 32)]
    turns = [(0, 0), (1, 0), (2, 1), (0, 0), (1, 1), (3, 0), (1, 1), (2, 1), (3, 0), (3, 1), (1, 1), (0, 1)]
    for slot, frame in turns:
        preparer.prepare(frames[frame], slots[slot])
        np.testing.assert_array_equal(slots[slot], prepared(frames[frame], recipe))


def test_a_tensor_in_the_place_of_one_that_is_gone_is_padded() -> None:
    recipe, frame = InputRecipe(32, 32), bgr_frame(32, 16)
    preparer = Preparer(recipe)
    for _ in range(2 * MAX_KNOWN_TENSORS):
        out = np.full(recipe.shape, 7, np.float32)
        preparer.prepare(frame, out)
        np.testing.assert_array_equal(out, prepared(frame, recipe))


def test_planes_that_cease_to_fit_are_refused_after_some_that_did() -> None:
    recipe = InputRecipe(16, 16)
    preparer, out, good = Preparer(recipe), np.zeros(recipe.shape, np.float32), yuv_frame(64, 48)
    preparer.prepare(good, out)
    for planes in (good.planes[:2], (good.planes[0], good.planes[1], good.planes[2][:-1])):
        bad = Frame("t", 1, 0.0, 0.0, 64, 48, PixelLayout.YUV, planes)
        for _ in range(2):
            with pytest.raises(BadInput):
                preparer.prepare(bad, out)
    preparer.prepare(good, out)
    np.testing.assert_array_equal(out, prepared(good, recipe))
