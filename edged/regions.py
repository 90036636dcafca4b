"""Where in a frame a model looks: all of it, a part of it, tiles, and where something moves.

    crop ──────→ the area: the whole frame, or the part that is of interest. Always the first look
    tiles ─────→ parts of the area that overlap, row by row, each at the model's size: for small objects
    motion ────→ parts of the area where something moves, a frame pixel to an input pixel where they are small enough

The area as a whole stays among the looks, so that an object larger than a tile is seen in one piece. Parts are
grown to the model's shape where the area has room: that fills what would be padding and costs nothing. They
begin and end at even pixels (4:2:0 chroma has a sample for two), except at an odd edge of the frame.
`edged.decode.seams.merge` makes one answer of what the looks find.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edged.geometry import Region

MIN_SIDE_PX = 32
"""No region is narrower or lower, unless the frame is."""
MAX_MOVING = 4
"""Regions of motion of one frame; the largest motion goes first."""
MAX_RECTANGLES = 16
"""Of motion that are looked at; the largest go first."""
MIN_GAIN = 1.25
"""A part is left out unless it shows what is in it so many times as large as another look does."""

_MARGIN = 0.15  # of a moving rectangle's side, at each end: what moves is seldom all of an object
_EXACT = 1e-6  # of a pixel: 0.1 × 1920 is 192 and not more

Box = tuple[float, float, float, float]


def regions_of(
    width: int,
    height: int,
    *,
    model: tuple[int, int],
    crop: tuple[float, float, float, float] | None = None,
    tiles: tuple[int, int] = (1, 1),
    overlap: float = 0.2,
    motion: NDArray[np.float32] | None = None,
) -> tuple[Region, ...]:
    """The parts of a frame to look at, each by one inference.

    1920 × 1080 in tiles of 2 × 1 that overlap by 0.2, for a model of 640 × 640: all of it, then 1080 × 1080 at (0, 0)
    and 1080 × 1080 at (840, 0).

    Args:
        width: Of the frame, pixels.
        height: Of the frame, pixels.
        model: Width, height of the model's input.
        crop: The part that is of interest: left, top, right, bottom in fractions of the frame; None = all.
        tiles: Columns, rows; (1, 1) = none.
        overlap: Of neighbouring tiles, as a share of a tile, 0-0.5.
        motion: float32 (N, 4): x1, y1, x2, y2 of what moves, in frame pixels; None = nothing.

    Returns:
        The area as a whole first, then the tiles row by row, then at most `MAX_MOVING` regions of motion; no two
        are the same, all lie inside the area. One region where no part would show anything larger.
    """
    area = _area(width, height, crop)
    found = [area]
    if tiles != (1, 1):
        found += _tiles(area, model, tiles, overlap)
    if motion is not None and len(motion):
        found += _moving(area, model, motion, found)
    return tuple(dict.fromkeys(found))


def _area(width: int, height: int, crop: Box | None) -> Region:
    left, top, right, bottom = crop or (0.0, 0.0, 1.0, 1.0)
    return _within(Region(0, 0, width, height), (left * width, top * height, right * width, bottom * height))


def _tiles(area: Region, model: tuple[int, int], tiles: tuple[int, int], overlap: float) -> list[Region]:
    columns, rows = tiles
    wide, high = (
        side / (count - (count - 1) * overlap) for side, count in ((area.width, columns), (area.height, rows))
    )
    step_x, step_y = wide * (1 - overlap), high * (1 - overlap)
    corners = [
        (area.x + column * step_x, area.y + row * step_y) for row in range(rows) for column in range(columns)
    ]
    found = [_shaped(area, (x, y, x + wide, y + high), model) for x, y in corners]
    return [tile for tile in found if _zoom(tile, model) >= MIN_GAIN * _zoom(area, model)]


def _moving(
    area: Region, model: tuple[int, int], motion: NDArray[np.float32], others: Sequence[Region]
) -> list[Region]:
    """Regions of motion that show it larger than the other looks do, the largest motion first."""
    found: list[Region] = []
    for box in _joined(area, model, _clipped(area, motion)):
        region = _full_size(area, box, model)
        seen = [other for other in (*others, *found) if _holds(other, box)]
        if all(_zoom(region, model) >= MIN_GAIN * _zoom(other, model) for other in seen):
            found.append(region)
    return found[:MAX_MOVING]


def _clipped(area: Region, motion: NDArray[np.float32]) -> list[Box]:
    """The largest rectangles with a margin, inside the area; those outside it are gone."""
    exact = motion.astype(np.float64)
    sides = np.maximum(exact[:, 2:] - exact[:, :2], 0)
    grown = np.concatenate([exact[:, :2] - _MARGIN * sides, exact[:, 2:] + _MARGIN * sides], axis=1)
    x1, y1, x2, y2 = area.xyxy
    boxes = [(max(box[0], x1), max(box[1], y1), min(box[2], x2), min(box[3], y2)) for box in grown.tolist()]
    return _largest_first([box for box in boxes if box[0] < box[2] and box[1] < box[3]])[:MAX_RECTANGLES]


def _joined(area: Region, model: tuple[int, int], boxes: list[Box]) -> list[Box]:
    """Rectangles that one look shows together as large as it shows them apart become one."""
    boxes = list(boxes)
    while pair := _pair(area, model, boxes):
        first, second = pair
        boxes = [box for box in boxes if box not in pair] + [_union(first, second)]
    return _largest_first(boxes)


def _pair(area: Region, model: tuple[int, int], boxes: list[Box]) -> tuple[Box, Box] | None:
    for position, first in enumerate(boxes):
        for second in boxes[position + 1 :]:
            apart = min(_zoom(_full_size(area, box, model), model) for box in (first, second))
            if _zoom(_full_size(area, _union(first, second), model), model) >= apart:
                return first, second
    return None


def _largest_first(boxes: list[Box]) -> list[Box]:
    return sorted(set(boxes), key=lambda box: ((box[0] - box[2]) * (box[3] - box[1]), box))


def _union(first: Box, second: Box) -> Box:
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def _holds(region: Region, box: Box) -> bool:
    x1, y1, x2, y2 = region.xyxy
    return x1 <= box[0] and y1 <= box[1] and box[2] <= x2 and box[3] <= y2


def _zoom(region: Region, model: tuple[int, int]) -> float:
    """Input pixels to one frame pixel."""
    return min(model[0] / region.width, model[1] / region.height)


def _full_size(area: Region, box: Box, model: tuple[int, int]) -> Region:
    """A region of the model's shape about a box, never magnified where the area has room."""
    wide, high = max(box[2] - box[0], model[0]), max(box[3] - box[1], model[1])
    x, y = (box[0] + box[2] - wide) / 2, (box[1] + box[3] - high) / 2
    x, y = math.floor(x / 2) * 2, math.floor(y / 2) * 2  # or evening both ends would make it a little larger
    return _shaped(area, (x, y, x + wide, y + high), model)


def _shaped(area: Region, box: Box, model: tuple[int, int]) -> Region:
    """A box grown about its middle to the model's shape, inside the area."""
    wide, high = box[2] - box[0], box[3] - box[1]
    more_x = max(0.0, high * model[0] / model[1] - wide) / 2
    more_y = max(0.0, wide * model[1] / model[0] - high) / 2
    return _within(area, (box[0] - more_x, box[1] - more_y, box[2] + more_x, box[3] + more_y))


def _within(area: Region, box: Box) -> Region:
    """The pixels of a box, moved and cut so that they lie inside the area."""
    x, width = _span(box[0], box[2], area.x, area.x + area.width)
    y, height = _span(box[1], box[3], area.y, area.y + area.height)
    return Region(x, y, width, height)


def _span(start: float, end: float, low: int, high: int) -> tuple[int, int]:
    """Start and length of one axis, both even, unless ``high`` is odd and reached; ``low`` is even."""
    length = min(max(end - start, MIN_SIDE_PX), high - low)
    start = min(max((start + end - length) / 2, low), high - length)
    first = math.floor(start / 2 + _EXACT) * 2
    last = min(high, math.ceil((start + length) / 2 - _EXACT) * 2)
    return first, last - first
