"""The ways in which a frame is laid into a model's input; what they come to is in `edged.geometry`."""

from enum import Enum


class Fit(Enum):
    """How a frame is made to fit a model's input."""

    LETTERBOX = "letterbox"
    """Keep the shape, pad on both sides."""
    LETTERBOX_TOPLEFT = "letterbox-topleft"
    """Keep the shape, pad right and below."""
    STRETCH = "stretch"
    """Fill the input, change the shape."""
    CROP = "crop"
    """Keep the shape, cut the longer side at both ends."""
