"""``edged.gap/1``: what will never be delivered."""

from typing import Annotated, Literal

from pydantic import Field

from edged.mqtt.shapes.fields import DEVICE, REPLAYED, SCHEMA, UTC, MessageId, Moment, Shape
from edged.mqtt.topics import GAP


class GapMessage(Shape):
    """Messages of one topic that will never be delivered."""

    schema_: Literal["edged.gap/1"] = Field(GAP, alias="schema", description=SCHEMA)
    id: MessageId
    device: str = Field(description=DEVICE)
    at: Moment = Field(description=f"When this was told: {UTC}")
    topic: str = Field(description="Where they would have gone; empty where that is not known any more.")
    reason: Literal["full", "old", "disk", "damaged", "refused"] = Field(
        description="Why they were dropped. Later versions may add others."
    )
    count: Annotated[int, Field(ge=1)] = Field(description="How many.")
    first_id: str = Field("", description="Id of the oldest; empty where it is not known.")
    last_id: str = Field("", description="Id of the newest; empty where it is not known.")
    replayed: bool | None = Field(None, description=REPLAYED)
