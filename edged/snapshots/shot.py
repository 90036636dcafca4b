"""A piece of a frame that outlives it: copied, so that nothing of the decoder's is held. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from edged.event import Box, Event
from edged.frame import Frame, Plane

Corners = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels of the frame."""

LEAST_MARGIN_PX = 8


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """An object as a frame shows it, on its way to a picture.

    Attributes:
        camera: Its name.
        event: What was known of the object; ``best`` is this frame.
        part: The pixels: the whole frame, or what is around the object.
        origin: Where the part begins in the frame: x, y in pixels.
        captured_s: Of the frame, on the monotonic clock: with its number it says which one it was.
        taken_s: When it was copied, on the monotonic clock.
    """

    camera: str
    event: Event
    part: Frame
    origin: tuple[int, int]
    captured_s: float
    taken_s: float

    @property
    def key(self) -> tuple[int, float]:
        """Which frame of the camera it was."""
        return self.event.best.moment.sequence, self.captured_s

    @property
    def size_bytes(self) -> int:
        """Of its pixels."""
        return sum(plane.nbytes for plane in self.part.planes)


def copied(frame: Frame, corners: Corners | None = None) -> tuple[Frame, tuple[int, int]]:
    """A copy of a frame, or of a part of it.

    Args:
        frame: At hand.
        corners: Of the part, inside the frame; it is made larger to where chroma samples begin and end. None = all.

    Returns:
        It, and where it begins in the frame.
    """
    x1, y1, x2, y2 = corners or (0, 0, frame.width, frame.height)
    x1, y1 = x1 - x1 % 2, y1 - y1 % 2
    x2, y2 = min(frame.width, x2 + x2 % 2), min(frame.height, y2 + y2 % 2)
    planes = tuple(_cut(plane, frame, (x1, y1, x2, y2)) for plane in frame.planes)
    part = replace(frame, width=x2 - x1, height=y2 - y1, planes=planes, regions=())
    return part, (x1, y1)


def around(box: Box, margin: float, width: int, height: int) -> Corners:
    """The part of a frame that shows an object with something around it.

    Args:
        box: In pixels of the frame.
        margin: Of the box's longer side, on each side.
        width: Of the frame, pixels.
        height: Of the frame, pixels.

    >>> around((100.0, 50.0, 200.0, 250.0), 0.1, 640, 480)
    (80, 30, 220, 270)
    """
    x1, y1, x2, y2 = box
    more = max(LEAST_MARGIN_PX, margin * max(x2 - x1, y2 - y1))
    left, top = max(0, int(x1 - more)), max(0, int(y1 - more))
    right, bottom = min(width, int(np.ceil(x2 + more))), min(height, int(np.ceil(y2 + more)))
    return min(left, width - 1), min(top, height - 1), max(right, left + 1), max(bottom, top + 1)


def _cut(plane: Plane, frame: Frame, corners: Corners) -> Plane:
    x1, y1, x2, y2 = corners
    across = 1 if plane.shape[1] == frame.width else 2
    down = 1 if plane.shape[0] == frame.height else 2
    return plane[y1 // down : -(-y2 // down), x1 // across : -(-x2 // across)].copy()
