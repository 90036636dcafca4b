"""Where a mask is set: connected places, each with its box."""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.frame import Plane

_NEAR_PX = 3  # parts closer than twice this are one place, and boxes are grown by it
_NEAR = np.ones((2 * _NEAR_PX + 1, 2 * _NEAR_PX + 1), np.uint8)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A connected place.

    Attributes:
        pixels: How many are set in it.
        left: Of its box, in pixels of the mask; the box is a little larger than what is set, and inside the mask.
        top: Likewise.
        right: Likewise, exclusive.
        bottom: Likewise, exclusive.
    """

    pixels: int
    left: int
    top: int
    right: int
    bottom: int

    def of(self, plane: Plane) -> Plane:
        """The part of a plane within the box; a view."""
        return plane[self.top : self.bottom, self.left : self.right]


def places(mask: Plane, min_pixels: float) -> list[Place]:
    """The places of a mask, uint8 (h, w), in which at least ``min_pixels`` are set; largest first."""
    contours, _ = cv2.findContours(cv2.dilate(mask, _NEAR), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        left, top, width, height = cv2.boundingRect(contour)
        box = Place(0, left, top, left + width, top + height)
        pixels = cv2.countNonZero(box.of(mask))
        if pixels >= min_pixels:
            found.append(Place(pixels, left, top, left + width, top + height))
    return sorted(found, reverse=True)
