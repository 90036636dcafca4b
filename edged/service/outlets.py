"""Where goes what is found out of objects. Apart from `edged.service.following`, which takes a start's time to load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edged.detection import Detections
from edged.event import Event
from edged.frame import Frame
from edged.mqtt.payloads import ModelInfo
from edged.pipeline import Result
from edged.sections import CameraSettings

if TYPE_CHECKING:
    from edged.events import BookUpdate
    from edged.tracking import Tracks


class Listener(Protocol):
    """Who wants to see the frame in which something happened."""

    def __call__(self, camera: str, update: "BookUpdate", frame: Frame, detections: Detections, /) -> None:
        """Called by a caller's thread while the frame is at hand; must be quick, and must not keep the frame."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where it goes. Any thread may call.

    Attributes:
        tell: Takes each event: the camera, what has found it, the event, and when it happened (None = now).
        new_id: Gives an id that was never given before.
        counted: Takes what is there now: the camera, the model, counts by zone and label, and of lines.
        placed: Told of the section of a camera when its zones or lines may be other ones.
        watch: Wants to see the frames in which something happened; None = nobody does.
        looked: Told of each frame that was looked at: the camera, the model, what it found with nothing left out, and
            the tracks after it (None = nothing is followed); None = nobody wants to know.
    """

    tell: Callable[[str, ModelInfo, Event, float | None], None]
    new_id: Callable[[], str]
    counted: Callable[
        [str, str, Mapping[tuple[str, str], int], Mapping[tuple[str, str, str], int]],
        None,
    ]
    placed: Callable[[str, CameraSettings], None]
    watch: Listener | None = None
    looked: "Callable[[str, str, Result, Tracks | None], None] | None" = None


SILENT = Outlets(tell=lambda *_: None, new_id=str, counted=lambda *_: None, placed=lambda *_: None)
"""Nobody wants to know."""
