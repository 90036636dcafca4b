"""``edged.camera_state/1``: whether a camera delivers."""

from typing import Annotated, Literal

from pydantic import Field

from edged.mqtt.shapes.fields import DEVICE, SCHEMA, UTC, Moment, Shape, SourceState
from edged.mqtt.topics import CAMERA_STATE


class CameraStateMessage(Shape):
    """Whether a camera delivers, and why not."""

    schema_: Literal["edged.camera_state/1"] = Field(CAMERA_STATE, alias="schema", description=SCHEMA)
    device: str = Field(description=DEVICE)
    camera: str = Field(description="Its name.")
    state: SourceState = Field(description="Whether frames come; `disabled` where it was switched off.")
    why: str = Field("", description="What is wrong, for people, without passwords; empty while online.")
    width: int | None = Field(None, description="Pixels of the upright frame; absent where not known.")
    height: int | None = Field(None, description="Pixels of the upright frame; absent where not known.")
    fps: float | None = Field(
        None, description="Frames a second that the camera announces, not how many are looked at."
    )
    enabled: bool | None = Field(None, description="False where it was switched off by command.")
    min_score: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="In force: detections of a lower score are left out; absent where all are kept."
    )
    decoder: str | None = Field(
        None,
        description="What decodes it, and why not what was asked for; absent for pictures and before the first frame.",
    )
    gate: str | None = Field(
        None,
        description="What motion is seen by, and why not by what was asked for; absent without a motion gate.",
    )
    since: Moment = Field(description=f"When it came into this state: {UTC}")
