"""One captured picture on its way from a source to the models: upright, undecided about colour, frozen.

A frame keeps the planes as the decoder left them; whoever needs a tensor resizes first and converts afterwards.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


class PixelLayout(Enum):
    """How the planes of a frame are to be read. All samples are 8 bits."""

    BGR = "bgr"
    """One plane (H, W, 3), blue first."""
    GRAY = "gray"
    """One plane (H, W)."""
    YUV = "yuv"
    """Three planes: Y (H, W), U and V (h, w) with h ≤ H and w ≤ W (4:2:0, 4:2:2 or 4:4:4)."""
    NV12 = "nv12"
    """Two planes: Y (H, W) and U with V interleaved (h, w, 2)."""


class ColorMatrix(Enum):
    """Which luma coefficients a YUV frame was made with (ITU-R recommendation)."""

    BT601 = "bt601"
    BT709 = "bt709"
    BT2020 = "bt2020"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A captured picture and when it was captured.

    Attributes:
        source: Name of the camera, or the path of the file, it came from.
        sequence: Number of this frame in its source, from 0; every captured frame counts, chosen or not.
        captured_at_s: Seconds since 1970 (UTC), by the stream's clock where it has one.
        captured_monotonic_s: The same moment on this machine's monotonic clock; ages are computed from it.
        width: Pixels of the upright picture.
        height: Pixels of the upright picture.
        layout: How ``planes`` are to be read.
        planes: Arrays of uint8; rows may be strided, pixels are contiguous.
        matrix: Luma coefficients, meaningful for YUV and NV12.
        full_range: True where Y spans 0–255, False where it spans 16–235; meaningful for YUV, NV12 and GRAY.
        regions: Where something moves, x1, y1, x2, y2 in pixels; empty where nobody asked for it.
        scene_s: When that was for what is in the picture: as ``captured_monotonic_s``, but of a recording that is read
            faster than it was made, as the recording has it. None where frames have nothing to do with one another.
        still_s: The last moment (as ``scene_s``) at which a motion gate saw that nothing moves; None = it never did.
    """

    source: str
    sequence: int
    captured_at_s: float
    captured_monotonic_s: float
    width: int
    height: int
    layout: PixelLayout
    planes: tuple[Plane, ...]
    matrix: ColorMatrix = ColorMatrix.BT601
    full_range: bool = True
    regions: tuple[tuple[float, float, float, float], ...] = ()
    scene_s: float | None = None
    still_s: float | None = None
