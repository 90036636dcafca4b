"""What is told of a tracked object, from the book of a camera to the message; frozen."""

from dataclasses import dataclass
from typing import Literal

Box = tuple[float, float, float, float]
Kind = Literal["start", "update", "end"]
Reason = Literal["left", "lost", "offline", "removed", "stopped", "restart"]
"""Why an object is not followed any more: it was at the edge of the picture when it was seen last, or not; its camera
went away, or its camera, model or tracking was taken out of the configuration; edged was ended, or ended without a word
and has found out at its next start."""
What = Literal["entered", "left", "loitering", "crossed", "stationary", "moving", "picture"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that was looked at, as far as the time goes.

    Attributes:
        at_s: On the clock of the scene, which only goes on.
        captured_at_s: In seconds since 1970.
        sequence: Of the frame in its source.
        width: Of the frame, pixels.
        height: Of the frame, pixels.
    """

    at_s: float
    captured_at_s: float
    sequence: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an object.

    Attributes:
        what: A zone was entered or left, or the object loiters in it; a line was crossed; the object came to rest or
            moves again; there is a better picture of it.
        where: Of the zone or line; empty for the others.
        direction: In which the line was crossed: ``in`` or ``out``.
    """

    what: What
    where: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """An object in one frame.

    Attributes:
        moment: The frame.
        box: In pixels of the frame, as it was detected.
        score: Of that detection.
    """

    moment: Moment
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Event:
    """What is said of an object at one moment.

    Attributes:
        kind: Whether it came, changed, or went.
        id: Of the object: unique for ever, and the same in all that is said of it.
        track_id: Its number among the objects of this camera and model since the start of edged.
        label: Of its class.
        seen: As it was seen last.
        first: The frame in which it was seen first.
        best: Its best view so far.
        best_score: Its highest so far.
        zones: In which it is now.
        zones_ever: In which it was, in the order of entering.
        loitering: Zones in which it has been longer than asked for.
        stationary: Whether it stands still.
        path: Where it stood, in pixels, oldest first; simplified.
        changes: Of an update: what happened since the last message.
        reason: Of an end; empty otherwise.
    """

    kind: Kind
    id: str
    track_id: int
    label: str
    seen: View
    first: Moment
    best: View
    best_score: float
    zones: tuple[str, ...]
    zones_ever: tuple[str, ...]
    loitering: tuple[str, ...]
    stationary: bool
    path: tuple[tuple[float, float], ...]
    changes: tuple[Change, ...] = ()
    reason: Reason | None = None
