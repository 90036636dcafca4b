"""Objects and the pieces of frames that show them, for tests of pictures."""

import numpy as np

from edged.event import Box, Event, Moment, View
from edged.frame import Frame, PixelLayout
from edged.snapshots.shot import Shot


def event(
    box: Box = (40.0, 30.0, 80.0, 90.0),
    *,
    name: str = "e1",
    label: str = "person",
    sequence: int = 7,
    size: tuple[int, int] = (160, 120),
) -> Event:
    moment = Moment(10.0, 1_795_359_600.0, sequence, *size)
    view = View(moment, box, 0.9)
    return Event(
        kind="update",
        id=name,
        track_id=1,
        label=label,
        seen=view,
        first=moment,
        best=view,
        best_score=0.9,
        zones=(),
        zones_ever=(),
        loitering=(),
        stationary=False,
        path=(),
    )


def picture(width: int = 160, height: int = 120) -> Frame:
    """Grey, with a gradient, so that every place is told from its neighbours."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    plane = np.stack([x % 256, y % 256, np.full_like(x, 128)], axis=2).astype(np.uint8)
    return Frame("front", 7, 1_795_359_600.0, 10.0, width, height, PixelLayout.BGR, (plane,))


def shot(*, camera: str = "front", taken_s: float = 100.0, frame: Frame | None = None, **more) -> Shot:
    return Shot(camera, event(**more), frame or picture(), (0, 0), 10.0, taken_s)
