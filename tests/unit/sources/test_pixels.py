import av
import numpy as np
import pytest
from clips import solid_frame

from edged.frame import ColorMatrix, PixelLayout
from edged.sources.pixels import of_picture, of_video

SIZES = [(64, 48), (35, 23), (1, 1), (2, 3), (127, 65)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(
    ("form", "divide"),
    [
        ("yuv420p", (2, 2)),
        ("yuvj420p", (2, 2)),
        ("yuv422p", (2, 1)),
        ("yuv444p", (1, 1)),
        ("yuvj444p", (1, 1)),
    ],
)
def test_planar_frames_keep_every_sample_at_any_size(width, height, form, divide):
    pixels = of_video(solid_frame(width, height, (77, 90, 200), form))
    chroma = (-(-height // divide[1]), -(-width // divide[0]))
    assert (pixels.width, pixels.height, pixels.layout) == (width, height, PixelLayout.YUV)
    assert [plane.shape for plane in pixels.planes] == [(height, width), chroma, chroma]
    assert [set(plane.ravel().tolist()) for plane in pixels.planes] == [{77}, {90}, {200}]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nv12_gives_luma_and_interleaved_chroma(width, height):
    frame = av.VideoFrame(width, height, "nv12")
    frame.planes[0].update(bytes([50]) * frame.planes[0].buffer_size)
    frame.planes[1].update(bytes([60, 70]) * (frame.planes[1].buffer_size // 2))
    pixels = of_video(frame)
    assert pixels.layout is PixelLayout.NV12
    assert pixels.planes[1].shape == ((height + 1) // 2, (width + 1) // 2, 2)
    assert np.all(pixels.planes[0] == 50)
    assert np.all(pixels.planes[1] == [60, 70])


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("form", ["rgb24", "bgr24", "bgra", "gbrp"])
def test_rgb_of_any_kind_becomes_bgr(form, width, height):
    rgb = np.full((height, width, 3), (200, 100, 50), np.uint8)
    pixels = of_video(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=form))
    assert pixels.layout is PixelLayout.BGR
    assert np.array_equal(pixels.planes[0], rgb[:, :, ::-1])
    assert pixels.full_range


def test_ten_bits_become_eight_with_matrix_and_range_kept():
    frame = av.VideoFrame(36, 24, "yuv420p10le")
    for plane, value in zip(frame.planes, (400, 512, 640), strict=True):
        plane.update(np.full(plane.buffer_size // 2, value, "<u2").tobytes())
    frame.colorspace, frame.color_range = 9, 2
    pixels = of_video(frame)
    assert [int(plane[0, 0]) for plane in pixels.planes] == [100, 128, 160]
    assert (pixels.matrix, pixels.full_range) == (ColorMatrix.BT2020, True)


def test_packed_chroma_of_usb_cameras_becomes_planes():
    frame = av.VideoFrame(36, 24, "yuyv422")
    frame.planes[0].update(bytes([10, 20, 10, 30]) * (frame.planes[0].buffer_size // 4))
    pixels = of_video(frame)
    assert [(plane.shape, int(plane[0, 0])) for plane in pixels.planes] == [
        ((24, 36), 10),
        ((24, 18), 20),
        ((24, 18), 30),
    ]


@pytest.mark.parametrize(
    ("space", "height", "matrix"),
    [
        (1, 100, ColorMatrix.BT709),
        (5, 1080, ColorMatrix.BT601),
        (6, 1080, ColorMatrix.BT601),
        (9, 100, ColorMatrix.BT2020),
        (2, 719, ColorMatrix.BT601),
        (2, 720, ColorMatrix.BT709),
    ],
)
def test_the_matrix_is_read_from_the_frame_or_guessed_from_its_height(space, height, matrix):
    frame = solid_frame(16, height, (0, 0, 0))
    frame.colorspace = space
    assert of_video(frame).matrix is matrix


@pytest.mark.parametrize(
    ("form", "declared", "full"),
    [
        ("yuv420p", 0, False),
        ("yuv420p", 1, False),
        ("yuv420p", 2, True),
        ("yuvj420p", 0, True),
        ("gray", 0, True),
        ("gray", 1, False),
    ],
)
def test_the_range_is_read_from_the_frame(form, declared, full):
    frame = solid_frame(16, 16, (0, 0, 0), form)
    frame.color_range = declared
    assert of_video(frame).full_range is full


def test_planes_are_views_that_outlive_the_frame_and_cannot_be_written():
    pixels = of_video(solid_frame(64, 48, (77, 90, 200)))
    assert all(int(plane[-1, -1]) == value for plane, value in zip(pixels.planes, (77, 90, 200), strict=True))
    with pytest.raises(ValueError, match="read-only"):
        pixels.planes[0][0, 0] = 1


def test_a_picture_is_one_plane_of_bgr():
    pixels = of_picture(np.zeros((3, 5, 3), np.uint8))
    assert (pixels.width, pixels.height, pixels.layout) == (5, 3, PixelLayout.BGR)
