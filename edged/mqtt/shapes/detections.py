"""``edged.detections/1``: what was found in a frame.

`edged.mqtt.payloads` builds the message without these; tests hold the two together.
"""

from typing import Annotated, Literal

from pydantic import Field

from edged.mqtt.shapes.fields import (
    DEVICE,
    REPLAYED,
    SCHEMA,
    UTC,
    Count,
    MessageId,
    Milliseconds,
    ModelShape,
    Moment,
    Shape,
)
from edged.mqtt.topics import DETECTIONS


class ImageShape(Shape):
    """The frame, upright."""

    width: Annotated[int, Field(ge=1)] = Field(description="In pixels.")
    height: Annotated[int, Field(ge=1)] = Field(description="In pixels.")


class TimingShape(Shape):
    """Where the time of a frame went, in milliseconds."""

    queue: Milliseconds = Field(description="Waiting for its turn.")
    preprocess: Milliseconds = Field(description="From the frame to the model's input.")
    inference: Milliseconds = Field(
        description="In the runtime: of all its parts; of an inference shared with other frames, its share."
    )
    decode: Milliseconds = Field(description="From the model's output to boxes; likewise.")
    age: Milliseconds = Field(description="From capture to publishing.")


class DetectionShape(Shape):
    """One found object."""

    label: str = Field(description="Name of its class; the class id as text where the model has no labels.")
    class_id: Count = Field(description="Number of its class in the model, from 0.")
    score: Annotated[float, Field(ge=0, le=1)] = Field(description="How sure the model is, four digits.")
    box: tuple[float, float, float, float] = Field(
        description="x1, y1, x2, y2 in pixels of the frame, inside it, x2 > x1 and y2 > y1."
    )
    track_id: int | None = Field(
        None,
        description="The same for one object in successive frames; absent where it is not followed, or not yet.",
    )
    zones: tuple[str, ...] | None = Field(
        None, description="Names of the zones it is in in this frame; absent where the camera has none."
    )


class DetectionsMessage(Shape):
    """What a model found in one frame of a camera."""

    schema_: Literal["edged.detections/1"] = Field(DETECTIONS, alias="schema", description=SCHEMA)
    id: MessageId
    device: str = Field(description=DEVICE)
    source: str = Field(description="Name of the camera.")
    sequence: Count = Field(
        description="Number of the captured frame since the start. A gap is a frame that was not looked at."
    )
    captured_at: Moment = Field(description=f"When the frame was captured: {UTC}")
    image: ImageShape
    model: ModelShape
    timing_ms: TimingShape
    detections: tuple[DetectionShape, ...] = Field(
        description="What was found, best first; empty where nothing was."
    )
    replayed: bool | None = Field(None, description=REPLAYED)
