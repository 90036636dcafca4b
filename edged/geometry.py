"""How a frame is laid into a model's input, and how boxes find the way back.

Space is continuous: a picture of width W spans x from 0 to W, pixel k covers [k, k + 1]. Whoever lays a frame into an
input keeps the `Transform`; the inverse is never computed from sizes a second time, because three common formulas for
one letterbox disagree by a pixel.
"""

from array import array
from dataclasses import dataclass
from operator import truediv
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.fit import Fit

FEW = 8
"""Up to so many boxes Python alone is quicker than NumPy, whose calls cost more than their work."""


class Region(NamedTuple):
    """A rectangle of a frame in whole pixels.

    Attributes:
        x: Of the left edge.
        y: Of the upper edge.
        width: Pixels.
        height: Pixels.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        """Its corners: x1, y1, x2, y2."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True, slots=True)
class Transform:
    """Where a frame lies in a model's input: ``model = frame * scale + offset``, per axis, in pixels.

    Attributes:
        scale_x: Input pixels to one frame pixel.
        scale_y: Input pixels to one frame pixel.
        offset_x: Input x of the frame's left edge; negative where the frame is cropped.
        offset_y: Input y of the frame's upper edge; negative where the frame is cropped.
        frame_width: Pixels.
        frame_height: Pixels.
        region: The part of the frame that was laid into the input; None = all of it.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    frame_width: int
    frame_height: int
    region: Region | None = None

    def to_frame(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes of model space in frame space, clipped to the frame, or to the region of it.

        Args:
            xyxy: float32 (N, 4) in input pixels.

        Returns:
            float32 (N, 4) in frame pixels; a box wholly outside comes back with no area.
        """
        left, top, right, bottom = (
            self.region.xyxy if self.region else (0, 0, self.frame_width, self.frame_height)
        )
        if len(xyxy) <= FEW:
            return self._few_to_frame(xyxy.tolist(), (left, top), (right, bottom))
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        low, high = np.array([left, top] * 2, np.float32), np.array([right, bottom] * 2, np.float32)
        boxes: NDArray[np.float32] = np.clip((xyxy - offset) / scale, low, high)
        return boxes

    def _few_to_frame(
        self, boxes: list[list[float]], least: tuple[int, int], greatest: tuple[int, int]
    ) -> NDArray[np.float32]:
        """The same numbers: an array of C floats rounds what Python computed as NumPy does."""
        left, top, scale_x, scale_y = array("f", (self.offset_x, self.offset_y, self.scale_x, self.scale_y))
        moved = array(
            "f", [v for x1, y1, x2, y2 in boxes for v in (x1 - left, y1 - top, x2 - left, y2 - top)]
        )
        count = 2 * len(boxes)
        scaled = array("f", map(truediv, moved, (scale_x, scale_y) * count))
        bounded = zip(scaled, least * count, greatest * count, strict=True)
        clipped = [low if v < low else high if v > high else v for v, low, high in bounded]
        return np.array(clipped, np.float32).reshape(-1, 4)

    def to_model(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes of frame space in model space: float32 (N, 4) to float32 (N, 4), not clipped."""
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        boxes: NDArray[np.float32] = (xyxy * scale + offset).astype(np.float32)
        return boxes


@dataclass(frozen=True, slots=True)
class Placement:
    """Whole pixels: which part of the frame is resized to which size and put where in the input.

    Attributes:
        crop: x, y, width, height in frame pixels; all of the frame unless it is cropped.
        resized: width, height in input pixels.
        origin: x, y in the input at which the resized part begins.
        transform: The same as a mapping.
    """

    crop: tuple[int, int, int, int]
    resized: tuple[int, int]
    origin: tuple[int, int]
    transform: Transform


def place(
    frame_width: int, frame_height: int, width: int, height: int, fit: Fit, *, region: Region | None = None
) -> Placement:
    """Lay a frame, or a region inside it, into an input of ``width`` × ``height`` pixels.

    A frame of 1920 × 1080 in 640 × 640 by `Fit.LETTERBOX` becomes 640 × 360 at (0, 140). The sizes of a letterbox are
    rounded as Ultralytics and YOLOX round them (nearest, halves to the side of more padding), never below one pixel.
    """
    x, y, part_width, part_height = region or (0, 0, frame_width, frame_height)
    crop = (x, y, part_width, part_height)
    resized, origin = (width, height), (0, 0)
    if fit is Fit.CROP:
        ratio = max(width / part_width, height / part_height)
        crop_width = min(part_width, max(1, round(width / ratio)))
        crop_height = min(part_height, max(1, round(height / ratio)))
        crop = (
            x + (part_width - crop_width) // 2,
            y + (part_height - crop_height) // 2,
            crop_width,
            crop_height,
        )
    elif fit is not Fit.STRETCH:
        ratio = min(width / part_width, height / part_height)
        resized = (
            min(width, max(1, round(part_width * ratio))),
            min(height, max(1, round(part_height * ratio))),
        )
        if fit is Fit.LETTERBOX:
            origin = ((width - resized[0]) // 2, (height - resized[1]) // 2)
    scale_x, scale_y = resized[0] / crop[2], resized[1] / crop[3]
    transform = Transform(
        scale_x=scale_x,
        scale_y=scale_y,
        offset_x=origin[0] - crop[0] * scale_x,
        offset_y=origin[1] - crop[1] * scale_y,
        frame_width=frame_width,
        frame_height=frame_height,
        region=region,
    )
    return Placement(crop, resized, origin, transform)
