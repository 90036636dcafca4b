"""What nobody outside may see of a picture: areas are blanked, things of some labels are made unrecognisable.

Both replace pixels by what says nothing of them, before a picture is made smaller, cut, drawn on or encoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Points = tuple[tuple[float, float], ...]
"""Corners, x before y, in fractions of the frame."""

CELLS = 6
"""Along the longer side of a box that is blurred: a head is one of them, a face that fills its box is no face."""
MIN_CELL_PX = 16
"""A cell is no smaller, so that what is small becomes one colour."""
MARGIN = 0.1
"""Of a box's longer side: so much more is blurred on each side, as boxes cut off hands and hair."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is asked for.

    Attributes:
        masks: Polygons that are blanked.
        blur: Labels whose boxes are blurred.
    """

    masks: tuple[Points, ...] = ()
    blur: tuple[str, ...] = ()


def blank(
    picture: Picture, masks: Sequence[Points], *, size: tuple[int, int], origin: tuple[int, int] = (0, 0)
) -> None:
    """Make areas black, up to a pixel beyond their edges.

    Args:
        picture: uint8 (H, W, 3): the frame, or a part of it; changed.
        masks: Polygons.
        size: Width and height of the frame, pixels.
        origin: Where the part begins in the frame, pixels.
    """
    for mask in masks:
        corners = np.array(mask, np.float64) * size - origin
        points = [np.round(corners).astype(np.int32)]
        cv2.fillPoly(picture, points, (0, 0, 0))
        cv2.polylines(picture, points, True, (0, 0, 0), thickness=2)


def blur(picture: Picture, boxes: NDArray[np.float32], *, origin: tuple[int, int] = (0, 0)) -> None:
    """Replace boxes by a few cells of their mean colours: what was averaged away cannot be had back.

    Args:
        picture: uint8 (H, W, 3): the frame, or a part of it; changed.
        boxes: float32 (N, 4): x1, y1, x2, y2 in pixels of the frame.
        origin: Where the part begins in the frame, pixels.
    """
    height, width = picture.shape[:2]
    for box in boxes.tolist():
        x1, y1, x2, y2 = (edge - origin[at % 2] for at, edge in enumerate(box))
        margin = MARGIN * max(x2 - x1, y2 - y1) + 2
        left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
        right, bottom = min(width, int(np.ceil(x2 + margin))), min(height, int(np.ceil(y2 + margin)))
        if left >= right or top >= bottom:
            continue
        cell = max(MIN_CELL_PX, max(x2 - x1, y2 - y1) / CELLS)
        part = picture[top:bottom, left:right]
        cells = (max(1, int((right - left) / cell)), max(1, int((bottom - top) / cell)))
        means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
        part[...] = cv2.resize(means, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)


def blank_outside(
    picture: Picture, regions: Sequence[tuple[int, int, int, int]], *, origin: tuple[int, int] = (0, 0)
) -> None:
    """Make black what lies in none of some rectangles.

    Args:
        picture: uint8 (H, W, 3): the frame, or a part of it; changed.
        regions: x1, y1, x2, y2 in pixels of the frame; empty = the whole frame.
        origin: Where the part begins in the frame, pixels.
    """
    if not regions:
        return
    hidden = np.ones(picture.shape[:2], np.bool_)
    for x1, y1, x2, y2 in regions:
        left, top = max(0, x1 - origin[0]), max(0, y1 - origin[1])
        hidden[top : max(0, y2 - origin[1]), left : max(0, x2 - origin[0])] = False
    picture[hidden] = 0
