"""``edged.event/1``: an object that came, changed, or went.

`edged.mqtt.event_payloads` builds the message without these; tests hold the two together.
"""

from typing import Annotated, Literal

from pydantic import Field

from edged.mqtt.shapes.detections import ImageShape
from edged.mqtt.shapes.fields import (
    DEVICE,
    REPLAYED,
    SCHEMA,
    UTC,
    Count,
    MessageId,
    ModelShape,
    Moment,
    Shape,
)
from edged.mqtt.topics import EVENT

_Box = tuple[float, float, float, float]
_Score = Annotated[float, Field(ge=0, le=1)]
_BOX = "x1, y1, x2, y2 in pixels of the frame, inside it."


class BestShape(Shape):
    """The frame in which the object is seen best: large, surely, and not cut off."""

    captured_at: Moment = Field(description=f"When it was captured: {UTC}")
    sequence: Count = Field(description="Its number in the source.")
    box: _Box = Field(description=_BOX)
    score: _Score = Field(description="Of the object in it.")


class ChangeShape(Shape):
    """Something that happened."""

    what: Literal["entered", "left", "loitering", "crossed", "stationary", "moving", "picture"] = Field(
        description="`entered`, `left`: a zone; `loitering`: in a zone, for longer than asked for; `crossed`: a line; "
        "`stationary`, `moving`: it came to rest, or moves again; `picture`: there is a better one. Later versions may "
        "add others."
    )
    zone: str | None = Field(None, description="Name of the zone, where there is one.")
    line: str | None = Field(None, description="Name of the line that was crossed.")
    direction: Literal["in", "out"] | None = Field(None, description="In which it was crossed.")


class EventMessage(Shape):
    """An object that came, changed, or went."""

    schema_: Literal["edged.event/1"] = Field(EVENT, alias="schema", description=SCHEMA)
    id: Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")] = Field(
        description="Of the object, a ULID: unique for ever, and the same in its start, its updates and its end."
    )
    message_id: MessageId
    type: Literal["start", "update", "end"] = Field(
        description="It came, it changed, it went. Of each object there is one `start` and one `end`."
    )
    device: str = Field(description=DEVICE)
    source: str = Field(description="Name of the camera.")
    at: Moment = Field(
        description=f"When that was: the frame was captured, or an end became known without one: {UTC}"
    )
    label: str = Field(description="Name of its class; the class id as text where the model has no labels.")
    track_id: Count = Field(description="As in `detections`: its number since the start of edged.")
    score: _Score = Field(description="How sure the model was when it was seen last.")
    best_score: _Score = Field(description="The highest so far.")
    box: _Box = Field(description=f"Where it was seen last: {_BOX}")
    stationary: bool = Field(description="Whether it stands still.")
    zones: tuple[str, ...] = Field(description="Names of the zones it is in.")
    zones_ever: tuple[str, ...] = Field(
        description="Names of those it was in so far, in the order of entering."
    )
    loitering: tuple[str, ...] = Field(description="Names of those it has been in for longer than asked for.")
    first_seen: Moment = Field(description=f"When it was seen first: {UTC}")
    first_sequence: Count = Field(description="In which frame of the source.")
    last_seen: Moment = Field(description=f"When it was seen last: {UTC}")
    sequence: Count = Field(description="In which frame of the source.")
    image: ImageShape
    best: BestShape
    path: tuple[tuple[float, float], ...] = Field(
        description="Where the middle of the lower edge of its box was, x and y in pixels, oldest first; simplified, "
        "32 points at most."
    )
    changes: tuple[ChangeShape, ...] = Field(
        (), description="What happened since the message before, in order; empty in a `start`."
    )
    reason: Literal["left", "lost", "offline", "removed", "stopped", "restart"] | None = Field(
        None,
        description="Of an `end`, why it is not followed any more. `left`: it was last seen at the edge of the "
        "picture; `lost`: it was not; `offline`: the camera went away or was switched off; `removed`: its camera, "
        "model or tracking was taken out of the configuration; `stopped`: edged was ended; `restart`: edged had ended "
        "without a word, and was started again. Later versions may add others.",
    )
    model: ModelShape
    replayed: bool | None = Field(None, description=REPLAYED)
