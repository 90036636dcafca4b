"""Pieces of frames: copied, in every layout, where they should be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.frame import Frame, PixelLayout
from edged.preprocess import check, to_bgr
from edged.snapshots.shot import around, copied

WIDTH, HEIGHT = 60, 46


def frame(layout: PixelLayout, across: int = 2, down: int = 2) -> Frame:
    random = np.random.default_rng(3)

    def plane(*shape: int) -> Any:
        return random.integers(0, 256, shape, np.uint8)

    small = (-(-HEIGHT // down), -(-WIDTH // across))
    planes = {
        PixelLayout.BGR: (plane(HEIGHT, WIDTH, 3),),
        PixelLayout.GRAY: (plane(HEIGHT, WIDTH),),
        PixelLayout.YUV: (plane(HEIGHT, WIDTH), plane(*small), plane(*small)),
        PixelLayout.NV12: (plane(HEIGHT, WIDTH), plane(*small, 2)),
    }[layout]
    return Frame("front", 5, 1000.0, 10.0, WIDTH, HEIGHT, layout, planes)


@pytest.mark.parametrize(
    ("layout", "across", "down"),
    [
        (PixelLayout.BGR, 2, 2),
        (PixelLayout.GRAY, 2, 2),
        (PixelLayout.YUV, 2, 2),
        (PixelLayout.YUV, 2, 1),
        (PixelLayout.YUV, 1, 1),
        (PixelLayout.NV12, 2, 2),
    ],
)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_part_shows_what_the_frame_shows_there(
    layout: PixelLayout, across: int, down: int, data: st.DataObject
) -> None:
    whole = frame(layout, across, down)
    x1, y1 = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, WIDTH)), data.draw(st.integers(y1 + 1, HEIGHT))
    part, (x, y) = copied(whole, (x1, y1, x2, y2))
    check(part)
    assert x <= x1 < x2 <= x + part.width
    assert y <= y1 < y2 <= y + part.height
    assert part.width <= x2 - x1 + 2
    assert not any(np.shares_memory(a, b) for a, b in zip(part.planes, whole.planes, strict=True))
    shown, expected = to_bgr(part).astype(int), to_bgr(whole)[y : y + part.height, x : x + part.width]
    # Chroma is interpolated: at the rim of a part the neighbours are missing.
    rim = 0 if across == down == 1 or layout in {PixelLayout.BGR, PixelLayout.GRAY} else 2
    inner = (slice(rim, part.height - rim or None), slice(rim, part.width - rim or None))
    if part.height > 2 * rim and part.width > 2 * rim:
        assert np.abs(shown[inner] - expected[inner]).max(initial=0) <= 2  # rounding


@pytest.mark.parametrize("layout", list(PixelLayout))
def test_the_last_sample_of_a_frame_of_odd_size_is_in_its_parts(layout: PixelLayout) -> None:
    planes = tuple(
        plane[: HEIGHT - 1, : WIDTH - 1] if plane.shape[0] == HEIGHT else plane
        for plane in frame(layout).planes
    )
    odd = Frame("front", 5, 1000.0, 10.0, WIDTH - 1, HEIGHT - 1, layout, planes)
    part, origin = copied(odd, (21, 11, WIDTH - 1, HEIGHT - 1))
    check(part)
    assert (origin, part.width, part.height) == ((20, 10), WIDTH - 21, HEIGHT - 11)
    np.testing.assert_array_equal(part.planes[0], planes[0][10:, 20:])


def test_the_whole_frame_is_copied() -> None:
    whole = frame(PixelLayout.YUV)
    part, origin = copied(whole)
    assert origin == (0, 0)
    for plane, own in zip(whole.planes, part.planes, strict=True):
        np.testing.assert_array_equal(plane, own)
        assert own.base is None


@given(st.tuples(*[st.floats(0, 100)] * 4), st.floats(0, 2))
def test_what_is_around_an_object_lies_in_the_frame_and_holds_it(
    box: tuple[float, ...], margin: float
) -> None:
    x1, x2 = sorted((box[0], box[2]))
    y1, y2 = sorted((box[1], box[3]))
    left, top, right, bottom = around((x1, y1, x2, y2), margin, 100, 100)
    assert 0 <= left < right <= 100
    assert 0 <= top < bottom <= 100
    assert left <= x1
    assert right >= min(100, x2)
    assert top <= y1
    assert bottom >= min(100, y2)
