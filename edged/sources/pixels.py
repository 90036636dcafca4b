"""From what a decoder gives to upright planes, without copying where the layout allows it."""

from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np

from edged.frame import ColorMatrix, PixelLayout, Plane

_PLANAR = frozenset(
    {
        "yuv420p",
        "yuvj420p",
        "yuv422p",
        "yuvj422p",
        "yuv444p",
        "yuvj444p",
        "yuv440p",
        "yuvj440p",
        "nv12",
        "gray",
    }
)
_YUV: tuple[PixelLayout, tuple[int, ...]] = (PixelLayout.YUV, (1, 1, 1))
_LAYOUTS: dict[str, tuple[PixelLayout, tuple[int, ...]]] = {
    "nv12": (PixelLayout.NV12, (1, 2)),
    "gray": (PixelLayout.GRAY, (1,)),
    "bgr24": (PixelLayout.BGR, (3,)),
}  # and how many samples each place of each plane has
_HD_HEIGHT_PX = 720
_NOT_ROTATED = 0
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG
_MATRICES = {
    1: ColorMatrix.BT709,
    5: ColorMatrix.BT601,  # BT.470 B and G
    6: ColorMatrix.BT601,  # SMPTE 170M
    9: ColorMatrix.BT2020,
    10: ColorMatrix.BT2020,
}  # AVColorSpace


@dataclass(frozen=True, slots=True)
class Pixels:
    """Upright planes; the fields are those of a `Frame`."""

    width: int
    height: int
    layout: PixelLayout
    planes: tuple[Plane, ...]
    matrix: ColorMatrix = ColorMatrix.BT601
    full_range: bool = True


def of_picture(bgr: Plane) -> Pixels:
    """Pixels of a decoded picture: (H, W, 3), blue first."""
    return Pixels(bgr.shape[1], bgr.shape[0], PixelLayout.BGR, (bgr,))


def of_video(frame: av.VideoFrame) -> Pixels:
    """Pixels of a decoded video frame; the planes are views of the decoder's memory, and read-only."""
    name = frame.format.name
    matrix = _matrix(frame.colorspace, frame.height)
    full_range = _is_full_range(name, frame.color_range)
    sources = frame.planes if name in _PLANAR else ()  # made anew each time they are asked for
    if not sources or any(plane.line_size <= 0 for plane in sources):
        frame = frame.reformat(format=_nearest_format(frame.format))
        name, sources = frame.format.name, frame.planes
    layout, channels = _LAYOUTS.get(name, _YUV)
    turns = _quarter_turns(frame.rotation)
    planes = tuple([_view(plane, count, turns) for plane, count in zip(sources, channels, strict=False)])
    height, width = planes[0].shape[:2]
    return Pixels(width, height, layout, planes, matrix, full_range)


def _view(plane: av.video.plane.VideoPlane, channels: int, turns: int) -> Plane:
    """The samples of a plane, cropped to what is shown: (h, w), or (h, w, channels)."""
    shape: tuple[int, ...] = (plane.height, plane.width)
    strides: tuple[int, ...] = (plane.line_size, channels)
    if channels > 1:
        shape, strides = (*shape, channels), (*strides, 1)
    samples: Plane = np.ndarray(shape, np.uint8, memoryview(plane), 0, strides)
    if turns:
        samples = np.ascontiguousarray(np.rot90(samples, turns))
    samples.setflags(write=False)
    return samples


def _nearest_format(form: av.VideoFormat) -> str:
    """The format that can be viewed and loses least: YUV keeps its chroma, anything else becomes BGR."""
    if form.is_rgb or form.has_palette or len(form.components) < 3:
        return "gray" if form.name.startswith("gray") else "bgr24"
    luma, chroma = form.components[0], form.components[1]
    if chroma.height < luma.height:
        return "yuv420p"
    return "yuv422p" if chroma.width < luma.width else "yuv444p"


def _quarter_turns(rotation: int) -> int:
    """Quarter turns counterclockwise that make a frame upright.

    The display matrix may be no rotation at all; such nonsense is not followed.
    """
    turns = round(rotation / 90)
    return turns % 4 if abs(rotation) <= 360 and rotation == turns * 90 else _NOT_ROTATED


def _matrix(colorspace: int, height: int) -> ColorMatrix:
    """As the stream says; where it does not, as its size suggests."""
    known = _MATRICES.get(colorspace)
    return known or (ColorMatrix.BT709 if height >= _HD_HEIGHT_PX else ColorMatrix.BT601)


@lru_cache
def _is_full_range(name: str, spans: int) -> bool:
    """Of a format, and what the frame says of its range."""
    if name.startswith("yuvj") or spans == _FULL_RANGE:
        return True
    return av.VideoFormat(name).is_rgb or (name == "gray" and spans != _LIMITED_RANGE)
