"""From a copied piece of a frame to JPEGs. What must not be seen is covered before anything else is done.

Each JPEG says what it is in a comment (a segment ``FFFE``), as JSON: of which event, from which frame, and where in it.
"""

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edged.detection import Detections
from edged.drawing import Picture, commented, draw, jpeg
from edged.event import Event
from edged.mqtt.payloads import timestamp
from edged.preprocess import to_bgr
from edged.privacy import Privacy, blank, blank_outside, blur
from edged.snapshots.looks import Look
from edged.snapshots.shot import Corners, Shot, around

MAX_LABEL_CHARS = 200

View = Literal["full", "crop"]


@dataclass(frozen=True, slots=True)
class Style:
    """How pictures are made.

    Attributes:
        draw: The object's box, label and score are drawn.
        quality: Of the JPEG, 1-100.
        max_width: A wider picture is made smaller; None = as it is.
        margin: Around the object of a crop, as a share of its longer side.
    """

    draw: bool = True
    quality: int = 85
    max_width: int | None = None
    margin: float = 0.1


def cover(
    picture: Picture,
    privacy: Privacy,
    look: Look | None,
    *,
    size: tuple[int, int],
    origin: tuple[int, int] = (0, 0),
) -> None:
    """Take away what must not be seen.

    Args:
        picture: uint8 (H, W, 3): the frame, or a part of it; changed.
        privacy: What is asked for.
        look: What is to be blurred; must be there where something is.
        size: Width and height of the frame, pixels.
        origin: Where the part begins in the frame, pixels.
    """
    if privacy.blur:
        if look is None or not (look.labels & look.seen).issuperset(privacy.blur):
            raise ValueError("a picture must not leave before it is known what is to be blurred")
        blank_outside(picture, look.regions, origin=origin)
        blank(picture, privacy.masks, size=size, origin=origin)  # so that no mean is of what lies there
        blur(picture, look.boxes, origin=origin)
    blank(picture, privacy.masks, size=size, origin=origin)


class Develop:
    """The pictures of one shot: its pixels are converted and covered once."""

    def __init__(self, shot: Shot, privacy: Privacy, look: Look | None, style: Style) -> None:
        """Convert and cover.

        Args:
            shot: The object and its pixels.
            privacy: What must not be seen.
            look: What is to be blurred; must be there where something is.
            style: How it is made.

        Raises:
            BadInput: The pixels are not what the frame says of itself.
        """
        self._shot, self._style = shot, style
        moment = shot.event.best.moment
        self._size = (moment.width, moment.height)
        self._picture = to_bgr(shot.part)
        cover(self._picture, privacy, look, size=self._size, origin=shot.origin)

    def jpeg(self, view: View) -> bytes:
        """The whole part, or what is around the object.

        Raises:
            BadInput: It cannot be encoded.
        """
        shot, style = self._shot, self._style
        (x, y), (height, width) = shot.origin, self._picture.shape[:2]
        region: Corners = (x, y, x + width, y + height)
        if view == "crop":
            x1, y1, x2, y2 = around(shot.event.best.box, style.margin, *self._size)
            region = max(x, x1), max(y, y1), min(x + width, x2), min(y + height, y2)
        part = self._picture[region[1] - y : region[3] - y, region[0] - x : region[2] - x]
        if style.draw:
            part = draw(part, _object(shot.event, region), [shot.event.label])
        encoded, wide, high = jpeg(part, quality=style.quality, max_width=style.max_width)
        return commented(encoded, described(shot, region, wide, high))


def described(shot: Shot, region: Corners, width: int, height: int) -> str:
    """What a picture says of itself, as JSON.

    Args:
        shot: The object.
        region: Of the frame that is shown.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
    """
    event, best = shot.event, shot.event.best
    return json.dumps(
        {
            "source": shot.camera,
            "event": event.id,
            "label": event.label[:MAX_LABEL_CHARS],
            "score": round(best.score, 4),
            "captured_at": timestamp(best.moment.captured_at_s),
            "sequence": best.moment.sequence,
            "image": {"width": best.moment.width, "height": best.moment.height},
            "region": region,
            "box": [round(edge, 2) for edge in best.box],
            "picture": {"width": width, "height": height},
        },
        ensure_ascii=True,
        separators=(",", ":"),
    )


def _object(event: Event, region: Corners) -> Detections:
    """The object of an event in the pixels of a part of the frame."""
    box = np.array([event.best.box], np.float32) - np.array([*region[:2], *region[:2]], np.float32)
    return Detections(box, np.array([event.best.score], np.float32), np.zeros(1, np.int32))
